"""Fit: the kernels of least time whose weights still keep the limits on memory."""

from __future__ import annotations

from netwright.plan.assign import Option, assign
from netwright.plan.capacity import demand_bytes, rooms, tightest
from netwright.plan.draft import Draft, draft
from netwright.plan.pick import Taken, smallest

ROUNDS = 4  # of choosing: workspaces, which other kernels need too, are known only afterwards


def fitted(found: Draft) -> Draft:
    """The draft itself where it keeps every limit, or where other kernels take no less.

    Else the kernels of least total time within the room that the smallest ones leave (exact, by
    plan/assign); the smallest where even they have none.
    """
    room = tightest(found.footprint, rooms(found.machine, found.unit, found.job))
    if room is None or all(len(set(w.weight_bytes)) == 1 for w in found.weighed):
        return found
    small = draft(found.graph, found.machine, found.job, smallest)
    free = -_excess_bytes(small)
    sources = [each.source for each in found.weighed]
    options = [
        [
            Option(seconds, (float(size - min(each.weight_bytes)),))
            for seconds, size in zip(each.seconds, each.weight_bytes, strict=True)
        ]
        for each in found.weighed
    ]
    for _ in range(ROUNDS):
        assignment = assign(options, (float(free),)) if free >= 0 else None
        if assignment is None:
            break
        rule = Taken(dict(zip(sources, assignment.chosen, strict=True)))
        trial = draft(found.graph, found.machine, found.job, rule)
        excess = _excess_bytes(trial)
        if excess <= 0:
            return trial
        free -= excess
    return small


def _excess_bytes(of: Draft) -> int:
    """Bytes over the tightest limit; negative where there is room."""
    return max(
        demand_bytes(of.footprint, room) - room.capacity_bytes
        for room in rooms(of.machine, of.unit, of.job)
    )
