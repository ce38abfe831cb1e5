"""Regions on unequal units: closed forms, the event engine as oracle, laws of ratios and claims."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import ProgramError
from netwright.simulate.events import EventTasks, Transfers, play
from netwright.simulate.split import Ratios, claimed, cut, fair, ideal_seconds

speeds_of = st.lists(st.floats(0.05, 4.0), min_size=1, max_size=8)


@settings(max_examples=200, deadline=None)
@given(speeds_of, st.integers(1, 64))
def test_a_slow_unit_delays_a_claimed_region_by_one_part_at_most(
    speeds: list[float], parts: int
) -> None:
    ended = claimed(1.0, parts, speeds)
    ideal = ideal_seconds(1.0, speeds)
    slowest_part = 1.0 / parts / min(speeds)
    assert ideal * (1 - 1e-9) <= ended.span_seconds <= (ideal + slowest_part) * (1 + 1e-9)
    assert sum(ended.work) == pytest.approx(1.0)


@settings(max_examples=100, deadline=None)
@given(speeds_of, st.floats(0.1, 8.0), st.integers(0, 99))
def test_cuts_end_as_the_event_engine_says(speeds: list[float], capacity: float, seed: int) -> None:
    n = len(speeds)
    shares = np.random.default_rng(seed).uniform(0.1, 1.0, n)
    ended = cut(tuple(shares), speeds, capacity)
    tasks = EventTasks(
        np.zeros(n), np.arange(n, dtype=np.int32), np.zeros(n + 1, np.int64),
        np.zeros(0, np.int32), np.ones(n, np.int32),
    )  # fmt: skip
    moved = Transfers(
        shares, np.array(speeds), np.arange(n + 1, dtype=np.int64), np.zeros(n, np.int32),
        np.array([capacity]),
    )  # fmt: skip
    np.testing.assert_allclose(ended.seconds, play(tasks, moved).end, rtol=1e-9)


@given(speeds_of, speeds_of)
def test_ratios_are_right_after_one_region_when_speeds_are_constant(
    speeds: list[float], believed: list[float]
) -> None:
    n = min(len(speeds), len(believed))
    speeds, start = speeds[:n], Ratios(tuple(v / sum(believed[:n]) for v in believed[:n]))
    first = cut(start.shares(3.0), speeds)
    second = cut(start.after(first.seconds).shares(3.0), speeds)
    assert second.span_seconds == pytest.approx(ideal_seconds(3.0, speeds))
    # Smoothed, they only come nearer.
    half = cut(start.after(first.seconds, kept=0.5).shares(3.0), speeds)
    assert half.span_seconds <= first.span_seconds * (1 + 1e-9)


@given(speeds_of, st.floats(0.01, 50.0))
def test_fair_rates(limits: list[float], capacity: float) -> None:
    rates = fair(limits, capacity)
    assert sum(rates) == pytest.approx(min(sum(limits), capacity))
    assert all(r <= limit * (1 + 1e-12) for r, limit in zip(rates, limits, strict=True))
    # Whoever is below its limit has as much as anybody.
    assert all(
        r >= max(rates) * (1 - 1e-9)
        for r, limit in zip(rates, limits, strict=True)
        if r < limit * (1 - 1e-9)
    )


@given(speeds_of, st.integers(1, 500), st.integers(1, 16))
def test_shares_in_grains_are_all_of_the_work(values: list[float], work: int, grain: int) -> None:
    shares = Ratios(tuple(v / sum(values) for v in values)).shares(work, grain)
    assert sum(shares) == pytest.approx(work)
    assert all(share >= 0 for share in shares)
    assert sum(math.fmod(share, grain) != 0 for share in shares) <= 1


def test_a_unit_without_work_keeps_its_ratio() -> None:
    after = Ratios((0.5, 0.3, 0.2)).after((1.0, 3.0, 0.0))
    assert after.values[2] == 0.2
    assert sum(after.values) == pytest.approx(1.0)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ProgramError, match="at least 1"):
        claimed(1.0, 0, [1.0])
    with pytest.raises(ProgramError, match="speeds"):
        cut([1.0], [0.0])
    assert cut([0.0, 0.0], [1.0, 1.0]).span_seconds == 0.0
