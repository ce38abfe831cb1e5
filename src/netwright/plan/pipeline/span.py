"""Span: when the last pass of a schedule ends, by the longest path alone.

What the event engine finds, without a program: a planner that weighs many settings asks this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from netwright.errors import PlanError
from netwright.plan.pipeline.schedule import (
    BACKWARD,
    FORWARD,
    WEIGHT_GRADIENT,
    Pass,
    PassKind,
    Schedule,
)

# Seconds of a pass by what it does and its chunk; messages are part of the passes that send them.
PassTimes: TypeAlias = Mapping[tuple[PassKind, int], float]


def end_seconds(schedule: Schedule, times: PassTimes) -> float:
    """From the start of the first pass to the end of the last.

    Raises:
        PlanError: the workers wait for each other.
    """
    player = _Player(schedule, times)
    waiting = list(range(schedule.num_workers))
    while waiting:
        moved = [player.advance(worker) for worker in waiting]
        if not any(moved):
            raise PlanError(
                f"schedule {schedule.name!r}: the workers wait for each other; move what they wait"
                " for to an earlier place"
            )
        waiting = [worker for worker in waiting if not player.is_done(worker)]
    return max(player.clocks)


class _Player:
    """Ends of the passes so far."""

    def __init__(self, schedule: Schedule, times: PassTimes) -> None:
        self.schedule = schedule
        self.times = times
        self.clocks = [0.0] * schedule.num_workers
        self._at = [0] * schedule.num_workers
        # By chunk and micro-batch: ends of forward passes, and of input gradients (fused or not).
        self._onwards: dict[tuple[int, int], float] = {}
        self._back: dict[tuple[int, int], float] = {}

    def is_done(self, worker: int) -> bool:
        """Whether a worker has nothing left."""
        return self._at[worker] == len(self.schedule.orders[worker])

    def advance(self, worker: int) -> bool:
        """Plays a worker until it waits; whether it got on."""
        order, at, clock = self.schedule.orders[worker], self._at[worker], self.clocks[worker]
        first = at
        while at < len(order):
            step = order[at]
            ready = self._ready(step)
            if ready is None:
                break
            clock = max(clock, ready) + self.times[step.kind, step.chunk]
            if step.kind is FORWARD:
                self._onwards[step.chunk, step.microbatch] = clock
            elif step.kind is not WEIGHT_GRADIENT:
                self._back[step.chunk, step.microbatch] = clock
            at += 1
        self._at[worker], self.clocks[worker] = at, clock
        return at > first

    def _ready(self, step: Pass) -> float | None:
        """When what it waits for has ended; None: not yet known."""
        chunk, batch = step.chunk, step.microbatch
        if step.kind is FORWARD:
            return 0.0 if chunk == 0 else self._onwards.get((chunk - 1, batch))
        own = (self._back if step.kind is WEIGHT_GRADIENT else self._onwards).get((chunk, batch))
        if own is None or step.kind is WEIGHT_GRADIENT or chunk == self.schedule.num_chunks - 1:
            return own
        after = self._back.get((chunk + 1, batch))
        return None if after is None else max(own, after)


def fused_times(forward: tuple[float, ...], backward: tuple[float, ...]) -> PassTimes:
    """Times of the passes of every chunk, backward fused."""
    found: dict[tuple[PassKind, int], float] = {}
    for chunk, (onwards, back) in enumerate(zip(forward, backward, strict=True)):
        found[FORWARD, chunk] = onwards
        found[BACKWARD, chunk] = back
    return found
