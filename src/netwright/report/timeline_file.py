"""Timeline ↔ JSON, lossless: names once, then one row of numbers for every span."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from netwright.errors import FormatError, ReportError
from netwright.report.document import (
    as_count,
    as_list,
    as_number,
    as_object,
    as_text,
    optional,
    wrong,
)
from netwright.timeline.timeline import Interval, MemorySample, Span, Timeline
from netwright.timeline.verify import verify_timeline

VERSION = 1
SPAN_FIELDS = (
    "resource", "name", "opcode", "start_seconds", "seconds", "operations", "bytes_moved",
    "joules", "interval",
)  # fmt: skip


def timeline_json(timeline: Timeline) -> dict[str, Any]:
    """The object that a timeline is kept as; `names` holds every string of the spans once."""
    names: dict[str, int] = {}

    def index(text: str) -> int:
        return names.setdefault(text, len(names))

    spans = [
        [
            index(s.resource), index(s.name), index(s.opcode), s.start_seconds, s.seconds,
            s.operations, s.bytes_moved, s.joules, _interval_json(s.interval),
        ]
        for s in timeline.spans
    ]  # fmt: skip
    return {
        "version": VERSION,
        "name": timeline.name,
        "origin": timeline.origin,
        "machine": timeline.machine,
        "seconds": timeline.seconds,
        "peak_memory_bytes": timeline.peak_memory_bytes,
        "joules": timeline.joules,
        "interval": _interval_json(timeline.interval),
        "facts": [[name, value] for name, value in timeline.facts],
        "memory": [[m.memory, m.start_seconds, m.used_bytes] for m in timeline.memory],
        "names": list(names),
        "span_fields": list(SPAN_FIELDS),
        "spans": spans,
    }


def timeline_from_json(where: str, value: object) -> Timeline:
    """The timeline that an object from outside holds, checked against the laws of timelines.

    Raises:
        FormatError: a field is missing or not what it should be; the message names it.
    """
    o = as_object(where, value)
    if o.get("version") != VERSION:
        raise wrong(f"{where}: version", o.get("version"), f"{VERSION}")
    if o.get("span_fields") != list(SPAN_FIELDS):
        raise wrong(f"{where}: span_fields", o.get("span_fields"), ", ".join(SPAN_FIELDS))
    names = [as_text(f"{where}: names", n) for n in as_list(f"{where}: names", o.get("names"))]
    timeline = Timeline(
        as_text(f"{where}: name", o.get("name")),
        as_text(f"{where}: origin", o.get("origin")),
        as_text(f"{where}: machine", o.get("machine")),
        tuple(
            _span(f"{where}: spans[{i}]", row, names)
            for i, row in enumerate(as_list(f"{where}: spans", o.get("spans")))
        ),
        tuple(
            _sample(f"{where}: memory[{i}]", row)
            for i, row in enumerate(as_list(f"{where}: memory", o.get("memory")))
        ),
        as_number(f"{where}: seconds", o.get("seconds")),
        as_count(f"{where}: peak_memory_bytes", o.get("peak_memory_bytes")),
        optional(as_number, f"{where}: joules", o.get("joules")),
        optional(_interval, f"{where}: interval", o.get("interval")),
        tuple(
            _fact(f"{where}: facts[{i}]", row)
            for i, row in enumerate(as_list(f"{where}: facts", o.get("facts")))
        ),
    )
    # Samples above the peak are shown, not refused: a run that was made can always be read.
    used = max((sample.used_bytes for sample in timeline.memory), default=0)
    peak = max(used, timeline.peak_memory_bytes)
    try:
        verify_timeline(replace(timeline, peak_memory_bytes=peak))
    except ReportError as error:
        raise FormatError(f"{where}: {error}; save the run again") from error
    return timeline


def _interval_json(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high, interval.confidence]


def _interval(where: str, value: object) -> Interval:
    low, high, confidence = _row(where, value, 3)
    return Interval(as_number(where, low), as_number(where, high), as_number(where, confidence))


def _row(where: str, value: object, length: int) -> list[Any]:
    row = as_list(where, value)
    if len(row) != length:
        raise wrong(where, row, f"{length} values")
    return row


def _span(where: str, value: object, names: list[str]) -> Span:
    row = _row(where, value, len(SPAN_FIELDS))

    def name(position: int) -> str:
        index = as_count(where, row[position])
        if index >= len(names):
            raise wrong(where, index, f"an index below {len(names)}, the number of names")
        return names[index]

    start, seconds, operations, bytes_moved = (as_number(where, v) for v in row[3:7])
    return Span(
        name(0), name(1), name(2), start, seconds, operations, bytes_moved,
        optional(as_number, where, row[7]), optional(_interval, where, row[8]),
    )  # fmt: skip


def _sample(where: str, value: object) -> MemorySample:
    memory, start, used = _row(where, value, 3)
    return MemorySample(as_text(where, memory), as_number(where, start), as_count(where, used))


def _fact(where: str, value: object) -> tuple[str, float]:
    name, number = _row(where, value, 2)
    return as_text(where, name), as_number(where, number)
