"""Fit: the kernels of least time whose weights still keep the limits on memory."""

from __future__ import annotations

from netwright.plan.assign import Option, assign
from netwright.plan.capacity import demand_bytes, rooms, tightest
from netwright.plan.draft import Draft, draft
from netwright.plan.pick import Taken, smallest


def fitted(found: Draft) -> Draft:
    """The draft itself where it keeps every limit, or where other kernels take no less.

    Else the kernels of least total time within the room that the smallest ones leave (exact, by
    plan/assign); the smallest where even they have none.
    """
    room = tightest(found.footprint, rooms(found.machine, found.unit, found.job))
    if room is None or all(len(set(w.weight_bytes)) == 1 for w in found.weighed):
        return found
    small = draft(found.graph, found.machine, found.job, smallest)
    free = min(
        room.capacity_bytes - demand_bytes(small.footprint, room)
        for room in rooms(small.machine, small.unit, small.job)
    )
    if free < 0:
        return small
    options = [
        [
            Option(seconds, (float(size - min(each.weight_bytes)),))
            for seconds, size in zip(each.seconds, each.weight_bytes, strict=True)
        ]
        for each in found.weighed
    ]
    assignment = assign(options, (float(free),))
    if assignment is None:
        return small
    sources = (each.source for each in found.weighed)
    rule = Taken(dict(zip(sources, assignment.chosen, strict=True)))
    trial = draft(found.graph, found.machine, found.job, rule)
    fits = tightest(trial.footprint, rooms(trial.machine, trial.unit, trial.job)) is None
    return trial if fits else small
