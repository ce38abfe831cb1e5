"""Assign: one option for each item, least total loss under limits (multiple-choice knapsack)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import PlanError
from netwright.plan.certificate import Certificate

MOST_STATES = 20_000  # partial assignments kept after each item; more are cut, and the gap says so
ASCENT_ROUNDS = 40  # of prices, one resource after the other

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]


@final
@dataclass(frozen=True, slots=True)
class Option:
    """What one choice for an item loses, and what it takes of every limited resource."""

    loss: float
    demands: tuple[float, ...]


@final
@dataclass(frozen=True, slots=True)
class Assignment:
    """The option of each item, what they take together, and how far from the least loss."""

    chosen: tuple[int, ...]
    demands: tuple[float, ...]
    certificate: Certificate


@final
@dataclass(frozen=True, slots=True)
class _Problem:
    """Losses [items, options] (infinite where there is none), demands [items, options, limits]."""

    loss: Floats
    demand: Floats
    limits: Floats


def assign(items: Sequence[Sequence[Option]], limits: Sequence[float]) -> Assignment | None:
    """The options of least total loss that keep every limit; None when there are none.

    Dynamic programming over the items: partial assignments of which none is worse than another
    in loss and in every demand, less those whose Lagrangian bound (Fisher, Management Science
    27(1), 1981) exceeds the best known. Exact unless `MOST_STATES` cuts; the bound holds anyway.

    Raises:
        PlanError: an item has no option, or options name different numbers of resources.
    """
    problem = _problem(items, limits)
    multipliers = _ascend(problem)
    best = _repaired(problem, multipliers)
    chosen, whole = _search(problem, multipliers, best)
    if chosen is None:
        return None
    rows = np.arange(len(items))
    value = float(problem.loss[rows, chosen].sum())
    taken = problem.demand[rows, chosen].sum(axis=0)
    bound = value if whole else min(value, max(0.0, _dual(problem, multipliers)))
    method = "dynamic programming, Lagrangian bound"
    return Assignment(
        tuple(int(c) for c in chosen),
        tuple(float(t) for t in taken),
        Certificate("loss", value, bound, method, whole or bound >= value),
    )


def least_demand(items: Sequence[Sequence[Option]], resource: int) -> float:
    """What all items together take at least of one resource."""
    return sum(min(o.demands[resource] for o in options) for options in items)


def _problem(items: Sequence[Sequence[Option]], limits: Sequence[float]) -> _Problem:
    most = max((len(options) for options in items), default=0)
    loss = np.full((len(items), most), np.inf)
    demand = np.zeros((len(items), most, len(limits)))
    for i, options in enumerate(items):
        if not options:
            raise PlanError(f"item {i} has no option, expected at least one")
        for j, option in enumerate(options):
            if len(option.demands) != len(limits) or not option.loss >= 0.0:
                raise PlanError(
                    f"item {i}, option {j}: loss {option.loss} and {len(option.demands)} demands; "
                    f"expected a loss from 0 up and {len(limits)} demands"
                )
            loss[i, j] = option.loss
            demand[i, j] = option.demands
    return _Problem(loss, demand, np.array(limits, dtype=np.float64))


def _dual(problem: _Problem, multipliers: Floats) -> float:
    """No assignment within the limits loses less, whatever the multipliers (from 0 up)."""
    priced = problem.loss + problem.demand @ multipliers
    return float(priced.min(axis=1).sum() - multipliers @ problem.limits)


def _ascend(problem: _Problem) -> Floats:
    """Multipliers of a high dual value: coordinate ascent on a concave function."""
    best = np.zeros(len(problem.limits))
    value = _dual(problem, best)
    for _ in range(ASCENT_ROUNDS):
        multipliers = best.copy()
        for r in range(len(problem.limits)):
            multipliers[r] = _balanced(problem, multipliers, r)
        now = _dual(problem, multipliers)
        if now <= value * (1 + 1e-9):
            break
        best, value = multipliers, now
    return best


def _balanced(problem: _Problem, multipliers: Floats, resource: int) -> float:
    """The price of one resource at which its cheapest assignment just keeps the limit."""
    rows = np.arange(len(problem.loss))
    prices = multipliers.copy()

    def exceeds(price: float) -> bool:
        prices[resource] = price
        picked = (problem.loss + problem.demand @ prices).argmin(axis=1)
        return bool(problem.demand[rows, picked, resource].sum() > problem.limits[resource])

    if not exceeds(0.0):
        return 0.0
    finite = problem.loss[np.isfinite(problem.loss)]
    steps = np.abs(np.diff(np.sort(problem.demand[..., resource], axis=None)))
    unit = float(finite.max(initial=1.0)) / float(steps[steps > 0].min(initial=np.inf))
    low, high = unit * 1e-18, unit * 1e3
    while high > low * (1 + 1e-9):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if exceeds(middle) else (low, middle)
    return high


def _feasible(problem: _Problem, chosen: Integers) -> bool:
    taken = problem.demand[np.arange(len(chosen)), chosen].sum(axis=0)
    return bool((taken <= problem.limits).all())


def _repaired(problem: _Problem, multipliers: Floats) -> Integers | None:
    """An assignment within the limits, by ever higher multipliers, then improved item by item."""
    chosen: Integers | None = None
    positive = np.maximum(multipliers, multipliers[multipliers > 0].min(initial=1.0) * 1e-3)
    for factor in np.geomspace(1.0, 1e6, 60):
        trial = (problem.loss + problem.demand @ (positive * factor)).argmin(axis=1)
        if _feasible(problem, trial):
            chosen = trial
            break
    if chosen is None:
        return None
    rows = np.arange(len(chosen))
    for _ in range(4 * len(chosen)):
        free = problem.limits - problem.demand[rows, chosen].sum(axis=0)
        more = problem.demand - problem.demand[rows, chosen][:, None, :]
        gain = problem.loss[rows, chosen][:, None] - problem.loss
        gain = np.where((more <= free).all(axis=2), gain, 0.0)
        i, j = np.unravel_index(int(gain.argmax()), gain.shape)
        if gain[i, j] <= 0.0:
            break
        chosen[i] = j
    return chosen


def _search(
    problem: _Problem, multipliers: Floats, best: Integers | None
) -> tuple[Integers | None, bool]:
    """The best assignment and whether nothing was cut. Items of much at stake come first."""
    count = len(problem.loss)
    rows = np.arange(count)
    incumbent = np.inf if best is None else float(problem.loss[rows, best].sum())
    priced = problem.loss + problem.demand @ multipliers
    reduced = priced - priced.min(axis=1, keepdims=True)
    dual = _dual(problem, multipliers)
    # An option whose price lies above what is still open is in no better assignment.
    open_options = reduced <= max(0.0, incumbent - dual) * (1 + 1e-9) + 1e-15
    order = np.argsort(open_options.sum(axis=1), kind="stable")
    least_rest = _suffix(problem.demand.min(axis=1), order)
    price_rest = _suffix(priced.min(axis=1)[:, None], order)[:, 0]
    loss_rest = _suffix(problem.loss.min(axis=1)[:, None], order)[:, 0]
    loss, taken = np.zeros(1), np.zeros((1, len(problem.limits)))
    trail: list[tuple[Integers, Integers]] = []
    whole = True
    for place, item in enumerate(order):
        options = np.flatnonzero(open_options[item])
        parent = np.repeat(np.arange(len(loss)), len(options))
        option = np.tile(options, len(loss))
        loss = loss[parent] + problem.loss[item, option]
        taken = taken[parent] + problem.demand[item, option]
        fits = (taken + least_rest[place + 1] <= problem.limits * (1 + 1e-12)).all(axis=1)
        bound = (taken - problem.limits) @ multipliers + price_rest[place + 1]
        bound = loss + np.maximum(bound, loss_rest[place + 1])
        keep = np.flatnonzero(fits & (bound < incumbent * (1 - 1e-12) + 1e-300))
        keep = keep[_efficient(loss[keep], taken[keep])]
        if len(keep) > MOST_STATES:
            keep = keep[np.argsort(bound[keep], kind="stable")[:MOST_STATES]]
            whole = False
        if not len(keep):
            return best, whole
        loss, taken = loss[keep], taken[keep]
        trail.append((parent[keep], option[keep]))
    return _traced(trail, order, int(loss.argmin())), whole


def _suffix(values: Floats, order: Integers) -> Floats:
    """Sums [items + 1, columns] over the items from each place of the order on."""
    sums = np.zeros((len(order) + 1, values.shape[1]))
    sums[:-1] = values[order][::-1].cumsum(axis=0)[::-1]
    return sums


def _efficient(loss: Floats, taken: Floats) -> Integers:
    """Indices of those that no other beats in loss and demands (with several: in some of them)."""
    if not taken.shape[1]:
        return np.array([int(loss.argmin())]) if len(loss) else np.zeros(0, np.int64)
    order = np.lexsort((loss, *taken.T[::-1]))
    if taken.shape[1] == 1:
        before = np.minimum.accumulate(np.concatenate([[np.inf], loss[order][:-1]]))
        return order[loss[order] < before]
    same = (np.diff(taken[order], axis=0) == 0).all(axis=1)
    return order[np.concatenate([[True], ~same])[: len(order)]]


def _traced(trail: list[tuple[Integers, Integers]], order: Integers, last: int) -> Integers:
    chosen = np.zeros(len(order), np.int64)
    for place in range(len(trail) - 1, -1, -1):
        parents, options = trail[place]
        chosen[order[place]] = options[last]
        last = int(parents[last])
    return chosen
