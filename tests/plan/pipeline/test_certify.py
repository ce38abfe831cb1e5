"""Bounds lie below every schedule; CP-SAT agrees with the analytic one where that is reached."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import JobError, PlanError
from netwright.native import core
from netwright.plan.pipeline.automatic import automatic_zero_bubble, improve
from netwright.plan.pipeline.bounds import span_bound
from netwright.plan.pipeline.build import BUILDERS, build
from netwright.plan.pipeline.certify import certify
from netwright.plan.pipeline.prove import prove
from netwright.plan.pipeline.schedule import verify
from netwright.plan.pipeline.times import StageTimes, peaks, uniform_times
from netwright.plan.pipeline.v_shape import (
    reorder,
    v_half,
    v_min,
    v_placement,
    v_zero_bubble,
)
from netwright.simulate.pipeline import replay

numbers = st.integers(1, 30).map(lambda n: n / 10)


@st.composite
def stage_times(draw: st.DrawFn, workers: int) -> StageTimes:
    column = st.lists(numbers, min_size=workers, max_size=workers).map(tuple)
    kept = draw(st.sampled_from((0.0, 0.25, 0.5, 1.0)))
    return StageTimes(draw(column), draw(column), draw(column), draw(column), kept)


@settings(max_examples=40, deadline=None)
@given(st.data(), st.sampled_from(("gpipe", "1f1b", "zb-h1", "zb-h2", "1f1b-interleaved")))
def test_no_schedule_is_shorter_than_the_bound(data, name: str) -> None:
    workers = data.draw(st.integers(1, 4))
    batches = data.draw(st.integers(1, 4)) * workers
    times = data.draw(stage_times(workers))
    made = build(name, workers, batches)
    played = replay(made, times)
    bound = span_bound(made.placement, batches, times, played.peak)
    assert bound.seconds <= played.span_seconds * (1 + 1e-9)


UNEVEN = StageTimes((1.0, 1.5), (1.2, 0.8), (0.4, 1.1), (0.1, 0.2), 0.25)


@pytest.mark.parametrize(("batches", "limit"), [(2, 1.0), (3, 2.0)])
def test_cp_sat_lies_between_the_bound_and_the_schedule(batches: int, limit: float) -> None:
    found = replay(automatic_zero_bubble(batches, UNEVEN, limit), UNEVEN)
    assert found.peak <= limit * (1 + 1e-9)
    proof = prove(batches, UNEVEN, limit, found.span_seconds, 10.0)
    bound = span_bound(found.schedule.placement, batches, UNEVEN, limit).seconds
    assert bound <= proof.bound_seconds * (1 + 1e-9)
    assert proof.bound_seconds <= found.span_seconds * (1 + 1e-9)


def test_zb_1p_is_proved_whatever_the_number_of_micro_batches() -> None:
    """arXiv 2401.10241, Table 6, 1.5B: the excess over the work does not depend on m."""
    for p, m in ((4, 8), (4, 12), (8, 16), (8, 64)):
        times = uniform_times(p, (18.522e-3, 18.086e-3, 9.337e-3, 0.601e-3))
        played = replay(build("zb-h1", p, m), times)
        certificate = certify(played.schedule, times, played.span_seconds, float(p))
        assert certificate.proved, (p, m)


def test_cp_sat_finds_the_same_optimum() -> None:
    times = uniform_times(2, (18.522e-3, 18.086e-3, 9.337e-3, 0.601e-3))
    played = replay(build("zb-h1", 2, 4), times)
    assert prove(4, times, 2.0, played.span_seconds, 60.0).optimal
    with pytest.raises(PlanError, match="no schedule has a span"):
        prove(4, times, 2.0, played.span_seconds * 0.9, 60.0)


@pytest.mark.parametrize("name", BUILDERS)
def test_every_name_builds_a_valid_schedule(name: str) -> None:
    made = build(name, 4, 8, uniform_times(4, (1.0, 1.1, 0.9, 0.05)), 4.0)
    verify(made)
    assert made.name == name
    if not name.startswith("v-") or name == "v-half":
        assert build(name, 4, 8, uniform_times(4, (1.0, 1.1, 0.9, 0.05)), 4.0) == made


@pytest.mark.parametrize("p", [2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 16, 24])
def test_v_shapes_hold_what_they_promise(p: int) -> None:
    """arXiv 2405.15362: (p + 4) / 3, (p + 2) / 2 and p activations, rounded down to chunks."""
    for make, most in ((v_min, (p + 4) / 3), (v_half, (p + 2) / 2), (v_zero_bubble, p)):
        made = make(p, p + 1)
        verify(made)
        assert max(peaks(made, 1.0)) <= most


UNIT = (2.0, 2.0, 2.0, 0.0)  # of two chunks
# What the authors' own scheduler gives at m = 3p (its `zbv_greedy` and `zbv`, commit 39f2c186 of
# github.com/sail-sg/zero-bubble-pipeline-parallelism), run once and written down.
AUTHORS = {
    ("v-min", 4): 0.1325, ("v-min", 5): 0.1429, ("v-min", 8): 0.1579, ("v-min", 16): 0.1700,
    ("v-half", 4): 0.0649, ("v-half", 5): 0.1089, ("v-half", 8): 0.1056, ("v-half", 16): 0.1246,
}  # fmt: skip


@pytest.mark.parametrize(("name", "p"), AUTHORS)
def test_reordered_blocks_waste_what_the_authors_do(name: str, p: int) -> None:
    """arXiv 2405.15362: 2/3 and 1/2 of 1F1B's idle time, within (p + 4) / 3 and (p + 2) / 2."""
    made = reorder(name, p, 3 * p)
    verify(made)
    played = replay(made, uniform_times(p, UNIT, 1.0))
    assert round(played.bubble_rate, 4) <= AUTHORS[name, p]
    idle = played.span_seconds - 3 * p * 6.0
    of_one_f_one_b = (p - 1) * 6.0
    share, most = (2 / 3, (p + 4) / 3) if name == "v-min" else (1 / 2, (p + 2) / 2)
    assert idle <= share * of_one_f_one_b + 1.0  # and a unit: the formulas are for large p
    assert played.peak <= most


@pytest.mark.parametrize("p", [2, 4, 5, 8, 16])
@pytest.mark.parametrize("kept", [0.5, 1.0])
def test_v_zb_has_no_bubble_at_equal_times(p: int, kept: float) -> None:
    """arXiv 2405.15362: no bubble within the memory of 1F1B where F, B and W take the same time."""
    times = uniform_times(p, UNIT, kept)
    found = improve("v-zb", v_placement(p), 3 * p, (times, float(p)), [], 100_000)
    played = replay(found, times)
    assert played.peak <= p
    assert certify(found, times, played.span_seconds, float(p)).proved
    assert played.span_seconds == pytest.approx(3 * p * 6.0)


@pytest.mark.parametrize(("p", "rate"), [(4, 0.0504), (5, 0.0558), (8, 0.0637)])
def test_v_zb_at_uneven_times_is_no_longer_than_the_authors(p: int, rate: float) -> None:
    """The same scheduler at F, B, W, T_comm of a chunk as 1000, 1050, 504, 30."""
    times = uniform_times(p, (2.0, 2.1, 1.008, 0.03), 1.0)
    found = improve("v-zb", v_placement(p), 3 * p, (times, float(p)), [], 100_000)
    assert round(replay(found, times).bubble_rate, 4) <= rate


def test_the_automatic_schedule_beats_the_published_rate() -> None:
    """arXiv 2401.10241, Table 5, 1.5B, p = 8, m = 32, ZB-2p: 0.0039; M_W / M_B from its Table 1."""
    kept = 32 * 2304 / (34 * 2304 + 5 * 24 * 1024)
    times = uniform_times(8, (18.513e-3, 18.086e-3, 9.331e-3, 0.626e-3), kept)
    played = replay(automatic_zero_bubble(32, times, 16.0), times)
    assert round(played.bubble_rate, 4) <= 0.0039
    assert played.peak <= 16.0 * (1 + 1e-9)


@settings(max_examples=30, deadline=None)
@given(st.data(), st.integers(1, 4), st.integers(1, 5), st.booleans())
def test_what_the_core_finds_is_valid_and_fits(data, workers: int, batches: int, v: bool) -> None:
    times = data.draw(stage_times(workers))
    limit = data.draw(st.integers(2, 2 * workers + 2)) / 2 + 0.5
    placement = v_placement(workers) if v else tuple(range(workers))
    found = improve("found", placement, batches, (times, limit), [], 40_000)
    verify(found)
    assert max(peaks(found, times.kept)) <= limit * (1 + 1e-9)
    bound = span_bound(placement, batches, times, limit).seconds
    assert bound <= replay(found, times).span_seconds * (1 + 1e-9)


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(PlanError, match="no pipeline schedule 'best'; there are gpipe, 1f1b"):
        build("best", 2, 2)
    with pytest.raises(PlanError, match="times of 2 stages for 3 workers"):
        build("1f1b", 3, 2, uniform_times(2, (1, 1, 1, 0)))
    with pytest.raises(PlanError, match="expected at least one"):
        build("1f1b", 0, 2)
    with pytest.raises(PlanError, match="expected a multiple of 4"):
        build("1f1b-interleaved", 4, 6)
    with pytest.raises(PlanError, match="holds not even one micro-batch"):
        build("zb-auto", 2, 2, uniform_times(2, (1, 1, 1, 0)), 0.5)
    with pytest.raises(JobError, match="expected one a stage"):
        StageTimes((1.0,), (1.0, 1.0), (1.0,), (0.0,))
    with pytest.raises(JobError, match="expected seconds above 0"):
        uniform_times(2, (0.0, 1.0, 1.0, 0.0))
    with pytest.raises(JobError, match="got 3 times"):
        uniform_times(2, (1.0, 1.0, 1.0))


def test_the_core_refuses_columns_that_do_not_fit() -> None:
    one = [1.0]
    with pytest.raises(ValueError, match="on a worker that is not there"):
        core.pipeline_search(1, [1], one, one, one, one, one, one, one, [], 10, 1)
    with pytest.raises(ValueError, match="one number a chunk"):
        core.pipeline_search(1, [0], [], one, one, one, one, one, one, [], 10, 1)
    with pytest.raises(ValueError, match="a pass is missing"):
        core.pipeline_search(1, [0], one, one, one, one, one, one, one, [[[0, 1]]], 10, 1)
    with pytest.raises(ValueError, match="negative or too large"):
        core.pipeline_search(1, [0], [float("nan")], one, one, one, one, one, one, [], 10, 1)


def test_the_core_counts_as_the_event_engine_does() -> None:
    for limit in (1.0, 2.0, 3.0):
        orders, span, tries = core.pipeline_search(
            5, [0, 1, 1, 0],
            *([column[w] / 2 for w in (0, 1, 1, 0)]
              for column in (UNEVEN.forward_seconds, UNEVEN.input_seconds, UNEVEN.weight_seconds)),
            [0.5] * 4, [0.125] * 4, list(UNEVEN.transfer_seconds), [limit] * 2, [], 30_000, 1,
        )  # fmt: skip
        found = improve("found", (0, 1, 1, 0), 5, (UNEVEN, limit), [], 30_000)
        assert tries > 10
        assert len(orders) == 2
        assert replay(found, UNEVEN).span_seconds == pytest.approx(span)
