"""Assignments against every possible one, and laws of their certificates."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import PlanError
from netwright.plan.assign import Option, assign, least_demand
from netwright.plan.certificate import Certificate


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[list[Option]], list[float]]:
    resources = draw(st.integers(0, 2))
    demands = st.tuples(*[st.integers(0, 12).map(float)] * resources)
    option = st.builds(Option, st.integers(0, 20).map(lambda n: n / 4), demands)
    items = draw(st.lists(st.lists(option, min_size=1, max_size=4), min_size=1, max_size=6))
    return items, [float(draw(st.integers(0, 40))) for _ in range(resources)]


def best_of_all(items: list[list[Option]], limits: list[float]) -> float | None:
    losses = [
        sum(o.loss for o in options)
        for options in product(*items)
        if all(sum(o.demands[r] for o in options) <= limit for r, limit in enumerate(limits))
    ]
    return min(losses, default=None)


@given(problems())
@settings(max_examples=150, deadline=None)
def test_equal_to_the_best_of_all(problem: tuple[list[list[Option]], list[float]]) -> None:
    items, limits = problem
    found, best = assign(items, limits), best_of_all(items, limits)
    if best is None:
        assert found is None
        return
    assert found is not None
    assert found.certificate.value == pytest.approx(best)
    assert found.certificate.proved
    for r, limit in enumerate(limits):
        taken = sum(options[c].demands[r] for options, c in zip(items, found.chosen, strict=True))
        assert taken == found.demands[r] <= limit
        assert least_demand(items, r) <= taken


def many(seed: int, resources: int) -> tuple[list[list[Option]], list[float]]:
    """As large as a language model: 210 weights of 3 sizes in 6 formats."""
    rng = np.random.default_rng(seed)
    bits = np.array([8.5, 6.5625, 5.5, 5.0, 4.5, 2.625])
    items: list[list[Option]] = []
    for size in rng.choice([110_592, 331_776, 884_736], 210):
        losses = 4.0**-bits * rng.uniform(0.5, 4.0)
        items.append(
            [
                Option(
                    float(e), (float(size * b), float(size * b * rng.uniform(0.8, 1.2)))[:resources]
                )
                for e, b in zip(losses, bits, strict=True)
            ]
        )
    total = sum(options[0].demands[0] for options in items)
    return items, [0.55 * total, 0.53 * total][:resources]


@pytest.mark.parametrize(("resources", "gap"), [(1, 1e-3), (2, 0.03)])
def test_large_problems_have_small_gaps(resources: int, gap: float) -> None:
    items, limits = many(1, resources)
    found = assign(items, limits)
    assert found is not None
    assert all(t <= limit for t, limit in zip(found.demands, limits, strict=True))
    assert found.certificate.gap is not None
    assert found.certificate.gap <= gap


def test_a_larger_limit_is_never_worse() -> None:
    items, limits = many(2, 1)
    losses: list[Certificate] = []
    for factor in (0.8, 0.9, 1.0, 1.2):
        found = assign(items, [limits[0] * factor])
        assert found is not None
        losses.append(found.certificate)
    for tight, loose in pairwise(losses):
        assert loose.value <= tight.value
        assert loose.bound is not None
        assert loose.bound <= tight.value


def test_malformed_problems_are_refused() -> None:
    with pytest.raises(PlanError, match="item 0 has no option"):
        assign([[]], [1.0])
    with pytest.raises(PlanError, match="expected a loss from 0 up and 1 demands"):
        assign([[Option(1.0, ())]], [1.0])
    with pytest.raises(PlanError, match="loss nan"):
        assign([[Option(float("nan"), (1.0,))]], [1.0])
