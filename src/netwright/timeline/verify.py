"""Verify: the laws that every timeline obeys, simulated or measured."""

from __future__ import annotations

import math

from netwright.errors import ReportError
from netwright.timeline.timeline import Interval, Span, Timeline

_SLACK = 1e-9  # relative: sums of floating-point seconds


def verify_timeline(timeline: Timeline) -> None:
    """Checks a timeline against its laws.

    Spans are in order of start, within the whole, with no negative amounts; every interval is in
    order; the joules of the spans do not exceed the whole; memory samples are in order of time and
    never above the peak.

    Raises:
        ReportError: a law is broken; the message names the span or sample.
    """
    name = timeline.name
    if timeline.origin not in ("simulated", "measured"):
        raise ReportError(
            f"timeline {name!r}: origin {timeline.origin!r}, expected 'simulated' or 'measured'"
        )
    if not (math.isfinite(timeline.seconds) and timeline.seconds >= 0):
        raise ReportError(f"timeline {name!r}: {timeline.seconds} seconds")
    last = 0.0
    for index, span in enumerate(timeline.spans):
        where = f"timeline {name!r}, span {index} ({span.name}, {span.opcode})"
        _check_span(where, span)
        if span.start_seconds < last:
            raise ReportError(f"{where}: starts at {span.start_seconds} s, before the one before")
        last = span.start_seconds
        end = span.start_seconds + span.seconds
        if end > timeline.seconds * (1 + _SLACK) + 1e-12:
            raise ReportError(f"{where}: ends at {end} s, after the whole ({timeline.seconds} s)")
    _check_interval(f"timeline {name!r}", timeline.interval)
    _check_joules(timeline)
    _check_memory(timeline)


def _check_span(where: str, span: Span) -> None:
    amounts = (
        ("start_seconds", span.start_seconds),
        ("seconds", span.seconds),
        ("operations", span.operations),
        ("bytes_moved", span.bytes_moved),
        ("joules", 0.0 if span.joules is None else span.joules),
    )
    for field, value in amounts:
        if not (math.isfinite(value) and value >= 0):
            raise ReportError(f"{where}: {field} is {value}, expected a number of at least 0")
    _check_interval(where, span.interval)


def _check_interval(where: str, interval: Interval | None) -> None:
    if interval is None:
        return
    if not 0 <= interval.low <= interval.high < math.inf or not 0 <= interval.confidence <= 1:
        raise ReportError(f"{where}: interval {interval}, expected 0 <= low <= high")


def _check_joules(timeline: Timeline) -> None:
    if timeline.joules is None:
        return
    spent = sum(span.joules or 0.0 for span in timeline.spans)
    if spent > timeline.joules * (1 + 1e-6):
        raise ReportError(
            f"timeline {timeline.name!r}: its spans take {spent} J, the whole {timeline.joules} J"
        )


def _check_memory(timeline: Timeline) -> None:
    last = 0.0
    for index, sample in enumerate(timeline.memory):
        where = f"timeline {timeline.name!r}, memory sample {index} ({sample.memory})"
        if sample.start_seconds < last:
            raise ReportError(f"{where}: at {sample.start_seconds} s, before the one before")
        last = sample.start_seconds
        if not 0 <= sample.used_bytes <= timeline.peak_memory_bytes:
            raise ReportError(
                f"{where}: {sample.used_bytes} bytes, expected 0 to the peak,"
                f" {timeline.peak_memory_bytes}"
            )
