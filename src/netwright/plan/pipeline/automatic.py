"""Automatic zero bubble: the shortest span found under a memory limit.

Qi et al., arXiv 2401.10241, section 3 give greedy rules and an integer program. Here the native
core tries greedy rules (how far each worker warms up and how many weight gradients it keeps for
later), then moves single passes, every candidate replayed exactly. Deterministic: the budget
counts passes, not seconds.
"""

from __future__ import annotations

from collections.abc import Sequence

from netwright.errors import PlanError
from netwright.native import core
from netwright.plan.pipeline.schedule import (
    BACKWARD,
    FORWARD,
    INPUT_GRADIENT,
    WEIGHT_GRADIENT,
    Pass,
    Schedule,
)
from netwright.plan.pipeline.times import StageTimes, chunks_of, peaks
from netwright.plan.pipeline.zero_bubble import zero_bubble_h1, zero_bubble_h2

KINDS = (FORWARD, INPUT_GRADIENT, WEIGHT_GRADIENT)
BUDGET_PASSES = 24_000_000  # replayed while searching: about a second
SEED = 1
_SLACK = 1e-9


def automatic_zero_bubble(microbatches: int, times: StageTimes, limit: float) -> Schedule:
    """One chunk a worker; no worker holds more than `limit` activations.

    Raises:
        PlanError: not even one activation fits.
    """
    workers = times.num_workers
    starts = [
        known
        for known in (zero_bubble_h1(workers, microbatches), zero_bubble_h2(workers, microbatches))
        if max(peaks(known, times.kept)) <= limit * (1 + _SLACK)
    ]
    return improve("zb-auto", tuple(range(workers)), microbatches, (times, limit), starts)


def improve(
    name: str,
    placement: tuple[int, ...],
    microbatches: int,
    given: tuple[StageTimes, float],
    starts: Sequence[Schedule],
    budget_passes: int = BUDGET_PASSES,
) -> Schedule:
    """The shortest span found on a placement, no longer than that of any of `starts`.

    `given`: times and the most activations that a worker may hold.

    Raises:
        PlanError: nothing fits the limit.
    """
    times, limit = given
    empty = Schedule(name, ((),) * times.num_workers, placement, microbatches)
    chunks = chunks_of(empty)

    def by_chunk(column: Sequence[float]) -> list[float]:
        return [column[w] / chunks[w] for w in placement]

    shares = [1.0 / chunks[w] for w in placement]
    orders, _, _ = core.pipeline_search(
        microbatches,
        list(placement),
        by_chunk(times.forward_seconds),
        by_chunk(times.input_seconds),
        by_chunk(times.weight_seconds),
        shares,
        [share * times.kept for share in shares],
        list(times.transfer_seconds),
        [limit] * times.num_workers,
        [_numbers(start) for start in starts],
        budget_passes,
        SEED,
    )
    if not orders:
        raise PlanError(
            f"{name}: a limit of {limit:g} activations holds not even one micro-batch on every"
            " worker; expected at least 1"
        )
    found = tuple(tuple(_pass(number, empty) for number in order) for order in orders)
    return Schedule(name, found, placement, microbatches)


def _numbers(schedule: Schedule) -> list[list[int]]:
    """Orders as the core takes them; a fused pass is B and W, one after the other."""
    chunks, batches = schedule.num_chunks, schedule.microbatches

    def number(kind: int, step: Pass) -> int:
        return (kind * chunks + step.chunk) * batches + step.microbatch

    return [
        [
            number(kind, step)
            for step in order
            for kind in ((1, 2) if step.kind is BACKWARD else (KINDS.index(step.kind),))
        ]
        for order in schedule.orders
    ]


def _pass(number: int, schedule: Schedule) -> Pass:
    rest, batch = divmod(number, schedule.microbatches)
    kind, chunk = divmod(rest, schedule.num_chunks)
    return Pass(KINDS[kind], chunk, batch)
