"""Blocks: a unit of micro-batches through one chunk of a worker after the other (ZeroPP).

Tang et al., Adaptive Blockwise Task-interleaved Pipeline Parallelism, arXiv 2402.03791: where
weights are sharded over data-parallel members, a chunk's are gathered once a unit and direction and
not once a micro-batch; weight gradients fill what would be idle. A unit of all micro-batches with
fused backward passes is the breadth-first schedule (Lamy-Poirier, arXiv 2211.05953).
"""

from __future__ import annotations

from netwright.errors import PlanError
from netwright.plan.pipeline.greedy import Played, Progress, greedy
from netwright.plan.pipeline.schedule import (
    BACKWARD,
    FORWARD,
    INPUT_GRADIENT,
    WEIGHT_GRADIENT,
    Pass,
    Schedule,
)
from netwright.plan.pipeline.times import StageTimes, peaks


def breadth_first(
    workers: int, microbatches: int, times: StageTimes, chunks_each: int = 2
) -> Schedule:
    """All forward passes, chunk by chunk, then all backward ones.

    Raises:
        PlanError: a worker has no chunk.
    """
    name = "breadth-first" if chunks_each == 2 else f"breadth-first:{chunks_each}"
    empty = _empty(name, workers, microbatches, chunks_each)
    return greedy(empty, times, _Blocks(empty, microbatches, split=False)).schedule


def blocks_of(
    workers: int, microbatches: int, times: StageTimes, chunks_each: int, unit: int
) -> Played:
    """Units of so many micro-batches, the last may have fewer; B and W apart.

    Raises:
        PlanError: a worker has no chunk, or the unit is less than one micro-batch.
    """
    name = "zeropp" if chunks_each == 2 else f"zeropp:{chunks_each}"
    empty = _empty(name, workers, microbatches, chunks_each)
    if unit < 1:
        raise PlanError(f"{name}: units of {unit} micro-batches; expected at least one")
    return greedy(empty, times, _Blocks(empty, unit, split=True), split=True)


def blockwise(
    workers: int,
    microbatches: int,
    times: StageTimes,
    chunks_each: int = 2,
    limit: float | None = None,
) -> Schedule:
    """With the unit, a multiple of p, that is shortest of those that hold at most `limit`.

    `limit`: in activations of one micro-batch, p if not given; a unit of p is taken in any case.

    Raises:
        PlanError: a worker has no chunk.
    """
    room = (float(workers) if limit is None else limit) * (1 + 1e-9)
    found: list[Played] = []
    for unit in range(workers, max(microbatches, workers) + 1, workers):
        played = blocks_of(workers, microbatches, times, chunks_each, unit)
        if not found or max(peaks(played.schedule, times.kept)) <= room:
            found.append(played)
    return min(found, key=lambda one: one.seconds).schedule


def _empty(name: str, workers: int, microbatches: int, chunks_each: int) -> Schedule:
    if chunks_each < 1:
        raise PlanError(f"{name}: {chunks_each} chunks a worker; expected at least one")
    orders: tuple[tuple[Pass, ...], ...] = ((),) * workers
    return Schedule(name, orders, tuple(range(workers)) * chunks_each, microbatches)


class _Blocks:
    """A worker's unit goes through its chunks one by one, up and then down; W when nothing else."""

    def __init__(self, empty: Schedule, unit: int, *, split: bool) -> None:
        self.workers, self.chunks = empty.num_workers, empty.num_chunks
        self.microbatches, self.unit = empty.microbatches, unit
        self.back = INPUT_GRADIENT if split else BACKWARD
        self.split = split

    def __call__(self, worker: int, step: Pass, progress: Progress) -> tuple[int, ...] | None:
        start = step.microbatch // self.unit * self.unit
        end = min(start + self.unit, self.microbatches)
        begun = progress.begun
        if step.kind is WEIGHT_GRADIENT:
            return 2, start, -step.chunk, step.microbatch
        if step.kind is FORWARD:
            before = step.chunk - self.workers
            if before >= 0:
                ready = begun[worker, FORWARD, before] >= end
            else:
                ready = begun[worker, self.back, step.chunk] >= start
            return (1, step.chunk, step.microbatch) if ready else None
        after = step.chunk + self.workers
        if after < self.chunks:
            ready = begun[worker, self.back, after] >= end
        else:
            ready = begun[worker, FORWARD, step.chunk] >= end and self._settled(
                worker, start, progress
            )
        return (0, -step.chunk, step.microbatch) if ready else None

    def _settled(self, worker: int, start: int, progress: Progress) -> bool:
        """Whether no weight gradient of an earlier unit is left."""
        own = range(worker, self.chunks, self.workers)
        return not self.split or all(
            progress.begun[worker, WEIGHT_GRADIENT, chunk] >= start for chunk in own
        )
