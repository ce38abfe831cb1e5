"""Waves: chunks down the workers and up again, several times (Hanayo); and two ways at once
(Chimera).

Liu et al., Hanayo: Harnessing Wave-like Pipeline Parallelism for Enhanced Large Model Training
Efficiency, SC 2023, arXiv 2308.15762: a wave is two chunks a worker; where it turns, nothing is
sent. Li and Hoefler, Chimera: Efficiently Training Large-Scale Neural Networks with Bidirectional
Pipelines, SC 2021, arXiv 2107.06925: two copies of the network, one the other way round. Orders are
made by `greedy`: a backward pass first, else the deepest forward one.
"""

from __future__ import annotations

from netwright.errors import PlanError
from netwright.plan.pipeline.greedy import Played, Progress, greedy
from netwright.plan.pipeline.schedule import FORWARD, Pass, Schedule
from netwright.plan.pipeline.times import StageTimes, peaks


def wave_placement(workers: int, waves: int) -> tuple[int, ...]:
    """Down and up again, so many times."""
    return (*range(workers), *reversed(range(workers))) * waves


def hanayo(
    workers: int,
    microbatches: int,
    times: StageTimes,
    waves: int = 1,
    limit: float | None = None,
) -> Schedule:
    """The shortest of those with p to 2p micro-batches under way that hold at most `limit`.

    `limit`: in activations of one micro-batch, p if not given; what p micro-batches need is taken
    in any case.

    Raises:
        PlanError: less than one wave.
    """
    if waves < 1:
        raise PlanError(f"hanayo: {waves} waves; expected at least one")
    name = "hanayo" if waves == 1 else f"hanayo:{waves}"
    orders: tuple[tuple[Pass, ...], ...] = ((),) * workers
    empty = Schedule(name, orders, wave_placement(workers, waves), microbatches)
    room = (float(workers) if limit is None else limit) * (1 + 1e-9)
    found: list[Played] = []
    for most in range(workers, max(min(2 * workers, microbatches), workers) + 1):

        def rule(
            worker: int, step: Pass, progress: Progress, most: int = most
        ) -> tuple[int, ...] | None:
            return _deepest(step, progress.under_way[0] < most)

        played = greedy(empty, times, rule)
        if not found or max(peaks(played.schedule, times.kept)) <= room:
            found.append(played)
    return min(found, key=lambda one: one.seconds).schedule


def chimera(workers: int, microbatches: int, times: StageTimes) -> Schedule:
    """Even micro-batches go down, odd ones up; every worker holds two chunks' weights.

    Raises:
        PlanError: the workers are odd in number, as are two chunks on one of them.
    """
    if workers % 2 and workers > 1:
        raise PlanError(f"chimera: {workers} workers; expected an even number")
    down = tuple(range(workers))
    orders: tuple[tuple[Pass, ...], ...] = ((),) * workers
    empty = Schedule("chimera", orders, down, microbatches, (down[::-1],))
    most = max(workers // 2, 1)  # of each way: half of a unit of p micro-batches

    def rule(worker: int, step: Pass, progress: Progress) -> tuple[int, ...] | None:
        return _deepest(step, progress.under_way[empty.copy_of(step.microbatch)] < most)

    return greedy(empty, times, rule).schedule


def _deepest(step: Pass, may_enter: bool) -> tuple[int, ...] | None:
    """Backward passes first, in order; else the forward pass that has come furthest."""
    if step.kind is not FORWARD:
        return 0, step.microbatch, -step.chunk
    if step.chunk == 0 and not may_enter:
        return None
    return 1, -step.chunk, step.microbatch
