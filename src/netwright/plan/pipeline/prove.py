"""Prove: the shortest span by CP-SAT, for small pipelines of one chunk a worker.

Time is cut in ticks; the first F of every worker starts as soon as it can, no span may exceed
that of a known schedule, micro-batches keep their order on a worker, and memory is taken at F's
start and given back at B's and W's end. Needs OR-Tools (`netwright[solve]`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, final

from netwright.errors import PlanError
from netwright.plan.cp_sat import cp_sat
from netwright.plan.pipeline.times import StageTimes

SEARCHES = 8  # unlike ones side by side, even on one processor: alone, none proves p = 4, m = 12
MOST_DIGITS = 9  # of a second, in ticks
KEPT_TICKS = 1000  # parts of an activation; the share that is kept is rounded down to them


@final
@dataclass(frozen=True, slots=True)
class Proof:
    """No schedule has a shorter span than `bound_seconds`; `optimal`: the known one has it."""

    bound_seconds: float
    optimal: bool


@final
@dataclass(frozen=True, slots=True)
class _Ticks:
    """Seconds as whole ticks, rounded down; `exact` where nothing was lost."""

    per_second: int
    exact: bool
    columns: tuple[tuple[int, ...], ...]  # F, B, W, transfer, by worker


def prove(
    microbatches: int, times: StageTimes, limit: float, known_seconds: float, budget_seconds: float
) -> Proof:
    """The best bound on the span within `budget_seconds`. `limit`: activations that a worker holds.

    Raises:
        UnsupportedError: OR-Tools is not installed.
        PlanError: no schedule has the known span, so whatever gave it is wrong.
    """
    cp_model = cp_sat()
    model: Any = cp_model.CpModel()
    ticks = _ticks(times)
    cap = round(known_seconds * ticks.per_second) + (0 if ticks.exact else 1)
    starts = _passes(model, ticks, microbatches, cap)
    _memory(model, ticks, starts, (times.kept, limit))
    span: Any = model.new_int_var(0, cap, "span")
    for worker in range(times.num_workers):
        first = starts[0][worker][0]
        for kind in (1, 2):
            end = starts[kind][worker][-1] + ticks.columns[kind][worker]
            model.add(span >= end - first)
    model.minimize(span)
    solver: Any = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = budget_seconds
    solver.parameters.num_workers = SEARCHES
    solver.parameters.random_seed = 1
    status = solver.solve(model)
    if status in (cp_model.INFEASIBLE, cp_model.MODEL_INVALID):
        raise PlanError(
            f"CP-SAT: no schedule has a span of {known_seconds} s within {limit} activations"
            f" ({solver.status_name(status)}); check the schedule that it was taken from"
        )
    bound = max(0.0, min(float(solver.best_objective_bound), float(cap)))
    optimal = ticks.exact and bound >= cap - 0.5
    return Proof(known_seconds if optimal else bound / ticks.per_second, optimal)


def _ticks(times: StageTimes) -> _Ticks:
    columns = (
        times.forward_seconds, times.input_seconds, times.weight_seconds, times.transfer_seconds,
    )  # fmt: skip
    for digits in range(MOST_DIGITS + 1):
        scale = 10**digits
        if all(abs(t * scale - round(t * scale)) < 1e-6 for column in columns for t in column):
            whole = tuple(tuple(round(t * scale) for t in column) for column in columns)
            return _Ticks(scale, True, whole)
    scale = 10**MOST_DIGITS
    whole = tuple(tuple(int(t * scale) for t in column) for column in columns)
    return _Ticks(scale, False, whole)


def _passes(model: Any, ticks: _Ticks, microbatches: int, cap: int) -> list[list[list[Any]]]:
    """Start of each F, B and W, by worker and micro-batch, with what they wait for."""
    forward, back, _, transfer = ticks.columns
    workers = len(forward)
    ready = [0] * workers
    for worker in range(1, workers):
        ready[worker] = ready[worker - 1] + forward[worker - 1] + transfer[worker - 1]
    starts: list[list[list[Any]]] = [[], [], []]
    for kind in range(3):
        for worker in range(workers):
            low = ready[worker]
            row = [
                model.new_int_var(low, low + cap, f"{kind} {worker} {i}")
                for i in range(microbatches)
            ]
            starts[kind].append(row)
            for before, after in pairwise(row):
                model.add(after >= before + ticks.columns[kind][worker])
    for worker in range(workers):
        model.add(starts[0][worker][0] == ready[worker])
        model.add_no_overlap(
            [
                model.new_fixed_size_interval_var(one, ticks.columns[kind][worker], "")
                for kind in range(3)
                for one in starts[kind][worker]
            ]
        )
        for i in range(microbatches):
            f, b, w = (starts[kind][worker][i] for kind in range(3))
            model.add(b >= f + forward[worker])
            model.add(w >= b + back[worker])
            if worker + 1 < workers:
                after = worker + 1
                model.add(starts[0][after][i] >= f + forward[worker] + transfer[worker])
                model.add(b >= starts[1][after][i] + back[after] + transfer[after])
    return starts


def _memory(
    model: Any, ticks: _Ticks, starts: list[list[list[Any]]], held: tuple[float, float]
) -> None:
    """Of every activation a part is held from F to B's end, the rest from F to W's."""
    kept = int(held[0] * KEPT_TICKS)
    limit = int(held[1] * KEPT_TICKS + 1e-6)
    for worker, row in enumerate(starts[0]):
        intervals: list[Any] = []
        demands: list[int] = []
        for i, f in enumerate(row):
            for kind, demand in ((1, KEPT_TICKS - kept), (2, kept)):
                if demand:
                    end = starts[kind][worker][i] + ticks.columns[kind][worker]
                    size = model.new_int_var(0, 1 << 50, "")
                    intervals.append(model.new_interval_var(f, size, end, ""))
                    demands.append(demand)
        model.add_cumulative(intervals, demands, limit)
