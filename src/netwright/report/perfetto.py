"""Perfetto: timelines → a trace that ui.perfetto.dev and chrome://tracing open.

Format: "Trace Event Format", JSON object form, the Google document
1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU. Times are in microseconds there, as doubles.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from netwright.errors import ReportError
from netwright.timeline.timeline import Span, Timeline

Event: TypeAlias = dict[str, object]

_MICROSECONDS = 1e6


def write_trace(path: Path, timelines: tuple[Timeline, ...]) -> None:
    """Writes all timelines, each as a process of its own, event by event (never all in memory).

    Raises:
        ReportError: there is nothing to write, or the file cannot be written.
    """
    if not timelines:
        raise ReportError(f"{path}: no timeline to write; run or simulate something first")
    try:
        with path.open("w", encoding="utf-8") as file:
            file.write('{"displayTimeUnit":"ns","traceEvents":[\n')
            separator = ""
            for event in trace_events(timelines):
                file.write(separator + json.dumps(event, separators=(",", ":"), allow_nan=False))
                separator = ",\n"
            file.write("\n]}\n")
    except OSError as error:
        raise ReportError(f"{path}: cannot be written ({error.strerror})") from error


def trace_events(timelines: tuple[Timeline, ...]) -> Iterator[Event]:
    """The events: names of processes and threads, one slice a span, one counter a memory."""
    for process, timeline in enumerate(timelines, start=1):
        title = f"{timeline.origin}: {timeline.name} on {timeline.machine}"
        yield _metadata("process_name", process, 0, {"name": title})
        yield _metadata("process_sort_index", process, 0, {"sort_index": process})
        threads: dict[tuple[str, int], int] = {}
        for span, lane in _lanes(timeline):
            thread = threads.get((span.resource, lane))
            if thread is None:
                thread = threads[span.resource, lane] = len(threads) + 1
                name = span.resource if lane == 0 else f"{span.resource} ({lane + 1})"
                yield _metadata("thread_name", process, thread, {"name": name})
                yield _metadata("thread_sort_index", process, thread, {"sort_index": thread})
            yield _slice(span, process, thread)
        yield from _counters(timeline, process)


def _lanes(timeline: Timeline) -> Iterator[tuple[Span, int]]:
    """Spans that overlap on one resource go to further lanes: slices of a thread must nest."""
    open_until: dict[str, list[tuple[float, int]]] = {}
    free: dict[str, list[int]] = {}
    for span in timeline.spans:
        busy = open_until.setdefault(span.resource, [])
        lanes = free.setdefault(span.resource, [])
        while busy and busy[0][0] <= span.start_seconds * (1 + 1e-12) + 1e-15:
            heapq.heappush(lanes, heapq.heappop(busy)[1])
        lane = heapq.heappop(lanes) if lanes else len(busy)
        heapq.heappush(busy, (span.start_seconds + span.seconds, lane))
        yield span, lane


def _slice(span: Span, process: int, thread: int) -> Event:
    details: dict[str, object] = {"opcode": span.opcode}
    if span.operations:
        details["operations"] = span.operations
    if span.bytes_moved:
        details["bytes_moved"] = span.bytes_moved
    if span.joules is not None:
        details["joules"] = span.joules
    if span.interval is not None:
        details["low_seconds"] = span.interval.low
        details["high_seconds"] = span.interval.high
    return {
        "ph": "X",
        "name": span.name,
        "cat": span.opcode,
        "pid": process,
        "tid": thread,
        "ts": span.start_seconds * _MICROSECONDS,
        "dur": span.seconds * _MICROSECONDS,
        "args": details,
    }


def _counters(timeline: Timeline, process: int) -> Iterator[Event]:
    for sample in timeline.memory:
        yield {
            "ph": "C",
            "name": f"{sample.memory} bytes in use",
            "pid": process,
            "ts": sample.start_seconds * _MICROSECONDS,
            "args": {"bytes": sample.used_bytes},
        }


def _metadata(name: str, process: int, thread: int, arguments: dict[str, object]) -> Event:
    return {"ph": "M", "name": name, "pid": process, "tid": thread, "args": arguments}
