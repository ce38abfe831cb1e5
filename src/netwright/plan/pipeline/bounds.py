"""Bounds: how long the busiest worker's span must be, whatever the schedule.

Three facts of one worker, for every schedule of F, B and W on a placement within a memory limit:

- it does all of its passes: `work`;
- from its first pass, an F, to its first B lies a chain through all later chunks and back, and
  until then it can only do as many F as its memory holds (`warm-up`; arXiv 2401.10241, appendix);
- from its last F to that micro-batch's B lies the same chain, and until then it can only do the B
  and W of what its memory held when that F began (`cool-down`).

Between the two windows lies the first B, so where more micro-batches come than fit the memory
they do not overlap and their idle seconds add up. Fused backward passes are a special case: B and
W back to back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from netwright.plan.pipeline.times import StageTimes

_SLACK = 1e-9


@final
@dataclass(frozen=True, slots=True)
class Bound:
    """No schedule's span is shorter than `seconds`; `method` says why."""

    seconds: float
    method: str


def span_bound(
    placement: tuple[int, ...], microbatches: int, times: StageTimes, limit: float | None
) -> Bound:
    """The best bound over workers. `limit`: activations of one micro-batch that a worker holds."""
    best = Bound(0.0, "work of the busiest worker")
    for worker in dict.fromkeys(placement):
        work = microbatches * times.work_seconds(worker)
        idle = _idle(placement, microbatches, times, (worker, limit))
        if work + idle > best.seconds:
            method = "work of the busiest worker" if idle == 0 else _WINDOWS
            best = Bound(work + idle, method)
    return best


_WINDOWS = "work, warm-up and cool-down"


def _idle(
    placement: tuple[int, ...],
    microbatches: int,
    times: StageTimes,
    at: tuple[int, float | None],
) -> float:
    """Seconds in which a worker has nothing that it could do."""
    worker, limit = at
    mine = [c for c, w in enumerate(placement) if w == worker]
    room = math.inf if limit is None else limit * len(mine) * (1 + _SLACK)  # in chunks
    most = min(math.floor(room) if room < math.inf else 1 << 60, microbatches * len(mine))
    forward = times.forward_seconds[worker] / len(mine)
    chain = _chain(placement, times, (mine[0], mine[-1]))
    warm_up = max(0.0, chain - most * forward)
    cool_down = max(
        max(
            0.0,
            _chain(placement, times, (mine[-1], chunk))
            - _available(times, at, (mine, chunk, most)),
        )
        for chunk in mine
    )
    if microbatches * len(mine) > most:
        return warm_up + cool_down
    return max(warm_up, cool_down)


def _chain(placement: tuple[int, ...], times: StageTimes, ends: tuple[int, int]) -> float:
    """From the start of F of chunk `ends[0]` to the earliest start of B of chunk `ends[1]`."""
    first, last = ends
    count = {w: placement.count(w) for w in placement}
    seconds = 0.0
    top = len(placement) - 1
    for chunk in range(first, top + 1):
        worker = placement[chunk]
        seconds += times.forward_seconds[worker] / count[worker]
        if chunk < top and placement[chunk + 1] != worker:
            seconds += times.transfer_seconds[worker]
    for chunk in range(top, last, -1):
        worker = placement[chunk]
        seconds += times.input_seconds[worker] / count[worker]
        if placement[chunk - 1] != worker:
            seconds += times.transfer_seconds[worker]
    return seconds


def _available(
    times: StageTimes, at: tuple[int, float | None], what: tuple[list[int], int, int]
) -> float:
    """The most work of a worker between its last F and the B of `chunk` of that micro-batch.

    The last F, and B and W of what is held, but for that B and those that follow it.
    """
    worker, limit = at
    mine, chunk, most = what
    forward, back, weight = (
        column[worker] / len(mine)
        for column in (times.forward_seconds, times.input_seconds, times.weight_seconds)
    )
    after = sum(1 for c in mine if c <= chunk)
    if limit is None:
        return math.inf
    room = limit * len(mine) * (1 + _SLACK)
    best = 0.0
    for whole in range(after, most + 1):  # held from F on, the last one included
        left = room - whole
        half = math.inf if times.kept == 0 else math.floor(left / times.kept + _SLACK)
        # Whatever is left over of a W's bytes was still somebody's gradient to take.
        best = max(best, forward + (whole - after) * (back + weight) + half * weight)
    return best
