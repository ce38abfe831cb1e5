"""Merge: timelines one after the other as one."""

from __future__ import annotations

from dataclasses import replace

from netwright.errors import ReportError
from netwright.timeline.timeline import Interval, MemorySample, Span, Timeline


def concatenate(name: str, timelines: tuple[Timeline, ...]) -> Timeline:
    """Each begins where the one before it ends. Seconds and joules add up, the peak is the highest.

    Facts are summed by name: give totals in, not averages. Joules and interval are None when any
    of the timelines has none.

    Raises:
        ReportError: there is nothing to merge, or origins or machines differ.
    """
    if not timelines:
        raise ReportError(f"timeline {name!r}: there is nothing to merge")
    kinds = {(t.origin, t.machine) for t in timelines}
    if len(kinds) > 1:
        raise ReportError(
            f"timeline {name!r}: cannot merge {sorted(kinds)}; one origin, one machine"
        )
    spans: list[Span] = []
    memory: list[MemorySample] = []
    facts: dict[str, float] = {}
    shift = 0.0
    for timeline in timelines:
        spans += [replace(s, start_seconds=s.start_seconds + shift) for s in timeline.spans]
        memory += [replace(m, start_seconds=m.start_seconds + shift) for m in timeline.memory]
        for key, value in timeline.facts:
            facts[key] = facts.get(key, 0.0) + value
        shift += timeline.seconds
    return Timeline(
        name,
        timelines[0].origin,
        timelines[0].machine,
        tuple(spans),
        tuple(memory),
        shift,
        max(t.peak_memory_bytes for t in timelines),
        _sum_joules(timelines),
        _sum_interval(timelines),
        tuple(facts.items()),
    )


def _sum_joules(timelines: tuple[Timeline, ...]) -> float | None:
    known = [t.joules for t in timelines if t.joules is not None]
    return sum(known) if len(known) == len(timelines) else None


def _sum_interval(timelines: tuple[Timeline, ...]) -> Interval | None:
    known = [t.interval for t in timelines if t.interval is not None]
    if len(known) < len(timelines):
        return None
    confidence = min(i.confidence for i in known)
    return Interval(sum(i.low for i in known), sum(i.high for i in known), confidence)
