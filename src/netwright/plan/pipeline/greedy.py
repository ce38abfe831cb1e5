"""Greedy: a schedule made by playing it; whoever is free takes the best of what is ready.

No worker waits while a pass that its rule allows is ready (list scheduling). Rules differ in what
is best, and in what must wait although it is ready, which is how they bound memory.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Protocol, final

from netwright.errors import PlanError
from netwright.plan.pipeline.schedule import (
    BACKWARD,
    FORWARD,
    INPUT_GRADIENT,
    WEIGHT_GRADIENT,
    Pass,
    PassKind,
    Schedule,
)
from netwright.plan.pipeline.times import StageTimes


@final
@dataclass(slots=True)
class Progress:
    """What was begun so far: how many passes of (worker, kind, chunk), micro-batches under way."""

    begun: Counter[tuple[int, PassKind, int]] = field(
        default_factory=Counter[tuple[int, PassKind, int]]
    )
    under_way: Counter[int] = field(default_factory=Counter[int])  # by placement, F to last B


class Rule(Protocol):
    """Which of the passes that are ready comes first on a worker."""

    def __call__(self, worker: int, step: Pass, progress: Progress) -> tuple[int, ...] | None:
        """The least comes first; None: not now."""
        ...


@final
@dataclass(frozen=True, slots=True)
class Played:
    """A schedule, and from its first start to its last end."""

    schedule: Schedule
    seconds: float


def greedy(empty: Schedule, times: StageTimes, rule: Rule, *, split: bool = False) -> Played:
    """Fills the orders of a schedule. `split`: B and W apart; else backward passes are fused.

    Raises:
        PlanError: the rule lets nobody go on.
    """
    play = _Play(empty, times, rule, split)
    while play.run_until_next():
        pass
    wanted = (3 if split else 2) * empty.num_chunks * empty.microbatches
    if sum(map(len, play.orders)) != wanted:
        raise PlanError(
            f"{empty.name}: its rule lets no worker go on after"
            f" {sum(map(len, play.orders))} of {wanted} passes; allow more micro-batches at once"
        )
    orders = tuple(map(tuple, play.orders))
    made = Schedule(empty.name, orders, empty.placement, empty.microbatches, empty.replicas)
    return Played(made, play.now)


class _Play:
    """Workers, what is ready on each, and what ends when."""

    def __init__(self, empty: Schedule, times: StageTimes, rule: Rule, split: bool) -> None:
        self.schedule, self.times, self.rule = empty, times, rule
        self.back = INPUT_GRADIENT if split else BACKWARD
        self.orders: list[list[Pass]] = [[] for _ in range(empty.num_workers)]
        self.chunks = [empty.placement.count(w) for w in range(empty.num_workers)]
        self.progress = Progress()
        self.ready: list[list[Pass]] = [[] for _ in range(empty.num_workers)]
        self.idle = set(range(empty.num_workers))
        self.now = 0.0
        self.events: list[tuple[float, int, int, Pass, bool]] = []  # at, number, worker, …, ended
        self.number = 0
        for batch in range(empty.microbatches):
            self._arrive(Pass(FORWARD, 0, batch))

    def run_until_next(self) -> bool:
        """Begins what can be begun, and goes on to the next moment; false: nothing is left."""
        for worker in sorted(self.idle):
            self._begin(worker)
        if not self.events:
            return False
        self.now = self.events[0][0]
        while self.events and self.events[0][0] <= self.now:
            _, _, worker, step, ended = heappop(self.events)
            if ended:
                self.idle.add(worker)
                self._end(worker, step)
            else:
                self._arrive(step)
        return True

    def _arrive(self, step: Pass) -> None:
        self.ready[self.schedule.worker_of(step.chunk, step.microbatch)].append(step)

    def _begin(self, worker: int) -> None:
        ranked = [
            (rank, step)
            for step in self.ready[worker]
            if (rank := self.rule(worker, step, self.progress)) is not None
        ]
        if not ranked:
            return
        step = min(ranked, key=lambda item: item[0])[1]
        self.ready[worker].remove(step)
        self.idle.discard(worker)
        self.orders[worker].append(step)
        self.progress.begun[worker, step.kind, step.chunk] += 1
        if step.chunk == 0 and step.kind is not WEIGHT_GRADIENT:
            way = self.schedule.copy_of(step.microbatch)
            self.progress.under_way[way] += 1 if step.kind is FORWARD else -1
        seconds = self.times.pass_seconds(step.kind, worker, max(self.chunks[worker], 1))
        self._push(self.now + seconds, worker, step, True)

    def _end(self, worker: int, step: Pass) -> None:
        chunk, batch = step.chunk, step.microbatch
        if step.kind is FORWARD:
            last = chunk == self.schedule.num_chunks - 1
            after = Pass(self.back, chunk, batch) if last else Pass(FORWARD, chunk + 1, batch)
            self._hand(worker, after)
        elif step.kind is not WEIGHT_GRADIENT:
            if step.kind is INPUT_GRADIENT:
                self._arrive(Pass(WEIGHT_GRADIENT, chunk, batch))
            if chunk:
                self._hand(worker, Pass(self.back, chunk - 1, batch))

    def _hand(self, worker: int, step: Pass) -> None:
        """A message, where it goes to another worker."""
        taker = self.schedule.worker_of(step.chunk, step.microbatch)
        late = 0.0 if taker == worker else self.times.transfer_seconds[worker]
        if late == 0.0:
            self._arrive(step)
        else:
            self._push(self.now + late, taker, step, False)

    def _push(self, at: float, worker: int, step: Pass, ended: bool) -> None:
        self.number += 1
        heappush(self.events, (at, self.number, worker, step, ended))
