"""Waves and two ways at once: valid at any size, and as long as their papers' closed forms."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import PlanError
from netwright.plan.pipeline.build import build, placement_for, split_name
from netwright.plan.pipeline.certify import certify
from netwright.plan.pipeline.greedy import Progress, greedy
from netwright.plan.pipeline.schedule import Pass, Schedule, Send, communicate, verify
from netwright.plan.pipeline.times import peaks, uniform_times
from netwright.plan.pipeline.wave import chimera, hanayo, wave_placement
from netwright.simulate.pipeline import replay

seconds = st.sampled_from([0.5, 1.0, 1.5, 2.0])


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 5), st.integers(1, 9), st.integers(1, 3), st.tuples(*[seconds] * 4))
def test_waves_are_valid_and_hold_what_they_may(p: int, m: int, waves: int, times) -> None:
    given_times = uniform_times(p, times)
    made = hanayo(p, m, given_times, waves)
    verify(made)
    assert max(peaks(made, 0.5)) <= p
    assert made.placement == wave_placement(p, waves)


@settings(deadline=None, max_examples=40)
@given(st.sampled_from([1, 2, 4, 6]), st.integers(1, 9), st.tuples(*[seconds] * 4))
def test_two_ways_are_valid(p: int, m: int, times) -> None:
    made = chimera(p, m, uniform_times(p, times))
    verify(made)
    replay(made, uniform_times(p, times))
    for worker, order in enumerate(made.orders):
        held = {(step.chunk, made.copy_of(step.microbatch)) for step in order}
        assert held <= {(worker, 0), (p - 1 - worker, 1)}


@pytest.mark.parametrize("p", [2, 4, 6, 8])
def test_two_ways_have_half_the_bubbles(p: int) -> None:
    """Li and Hoefler, Table 2: p - 2 of F's seconds where B takes as long, else 2 (p - 2)."""
    fused = uniform_times(p, (1.0, 0.5, 0.5, 0.0))
    assert replay(chimera(p, p, fused), fused).seconds == pytest.approx(2 * p + p - 2)
    twice = uniform_times(p, (1.0, 1.0, 1.0, 0.0))
    assert replay(chimera(p, p, twice), twice).seconds == pytest.approx(3 * p + 2 * (p - 2))


@pytest.mark.parametrize("p", [2, 4, 8])
def test_more_waves_have_shorter_bubbles_and_turn_without_a_message(p: int) -> None:
    times = uniform_times(p, (1.0, 1.0, 1.0, 0.0))
    made = [hanayo(p, p, times, waves) for waves in (1, 2, 4)]
    rates = [replay(one, times).bubble_rate for one in (build("1f1b", p, p), *made)]
    assert all(a > b for a, b in pairwise(rates))
    for waves, one in zip((1, 2, 4), made, strict=True):
        sent = sum(isinstance(step, Send) for order in communicate(one) for step in order)
        assert sent == 2 * p * 2 * waves * (p - 1)


def test_a_copy_is_placed_like_the_first() -> None:
    made = chimera(4, 4, uniform_times(4, (1.0, 1.0, 1.0, 0.0)))
    with pytest.raises(PlanError, match="as many chunks of every copy"):
        verify(Schedule("odd", made.orders, made.placement, 4, ((0, 0, 1, 2),)))
    times = uniform_times(4, (1.0, 1.0, 1.0, 0.0))
    found = certify(made, times, replay(made, times).span_seconds, 4.0)
    assert found.bound == 12.0
    assert not found.proved


def test_names_carry_numbers() -> None:
    assert split_name("hanayo:3") == ("hanayo", 3)
    assert placement_for("hanayo:2", 2) == (0, 1, 1, 0, 0, 1, 1, 0)
    assert build("1f1b-interleaved:3", 2, 4).num_chunks == 6
    assert build("hanayo:2", 2, 4).name == "hanayo:2"
    with pytest.raises(PlanError, match="takes no number"):
        build("1f1b:2", 2, 4)
    with pytest.raises(PlanError, match="waves, 1 to 64"):
        build("hanayo:0", 2, 4)
    with pytest.raises(PlanError, match="even number"):
        build("chimera", 3, 4)


def test_a_rule_that_lets_nobody_go_on_says_so() -> None:
    def never(worker: int, step: Pass, progress: Progress) -> None:
        return None

    with pytest.raises(PlanError, match="after 0 of 8 passes"):
        greedy(Schedule("none", ((), ()), (0, 1), 2), uniform_times(2, (1, 1, 1, 0)), never)
