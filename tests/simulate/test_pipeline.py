"""Schedules replayed: closed forms, published rates, a plain recursion, memory by liveness."""

from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.plan.pipeline.build import build
from netwright.plan.pipeline.lower import lower_schedule
from netwright.plan.pipeline.schedule import FORWARD, WEIGHT_GRADIENT, Schedule, needs, sequence
from netwright.plan.pipeline.times import StageTimes, chunks_of, uniform_times
from netwright.program.file import load, save
from netwright.simulate.pipeline import passes_of, replay

CLOSED = ("gpipe", "1f1b", "zb-h1", "zb-h2")

# arXiv 2401.10241, Tables 5 and 6: p, m, (T_F, T_B, T_W, T_comm) in ms, 1F1B, ZB-H1, ZB-H2.
PUBLISHED = (
    (8, 24, (18.522, 18.086, 9.337, 0.601), (0.2431, 0.1585, 0.1083)),
    (8, 64, (29.935, 29.621, 19.388, 0.535), (0.1091, 0.0554, 0.0294)),
    (16, 48, (11.347, 11.248, 8.132, 0.377), (0.2552, 0.1397, 0.0672)),
)


@pytest.mark.parametrize(("p", "m", "ms", "rates"), PUBLISHED)
def test_bubble_rates_are_the_published_ones(p: int, m: int, ms, rates) -> None:
    times = uniform_times(p, [t * 1e-3 for t in ms])
    for name, rate in zip(("1f1b", "zb-h1", "zb-h2"), rates, strict=True):
        assert round(replay(build(name, p, m), times).bubble_rate, 4) == rate, name


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(1, 10), st.sampled_from(("gpipe", "1f1b")))
def test_without_transfers_the_bubble_is_the_closed_form(p: int, m: int, name: str) -> None:
    if name == "1f1b" and m < p:
        return
    times = uniform_times(p, (2.0, 3.0, 1.0, 0.0))
    assert replay(build(name, p, m), times).seconds == pytest.approx((m + p - 1) * 6.0)


seconds = st.floats(0.1, 3.0)


@st.composite
def stage_times(draw: st.DrawFn, workers: int) -> StageTimes:
    column = st.lists(seconds, min_size=workers, max_size=workers).map(tuple)
    return StageTimes(draw(column), draw(column), draw(column), draw(column), draw(st.floats(0, 1)))


def recursion(schedule: Schedule, times: StageTimes) -> dict[tuple[int, str], tuple[float, float]]:
    """Start and end of every pass, straight from the definition."""
    end, arrived, free, link = {}, {}, defaultdict(float), defaultdict(float)
    chunks, found = chunks_of(schedule), {}
    for worker, step in sequence(schedule):
        start = free[worker]
        for group in needs(step, schedule.num_chunks):
            one = next(p for p in group if p in end)
            here = schedule.placement[one.chunk] == worker
            start = max(start, end[one] if here else arrived[one])
        end[step] = free[worker] = start + times.pass_seconds(step.kind, worker, chunks[worker])
        found[worker, str(step)] = (start, end[step])
        after = step.chunk + (1 if step.kind is FORWARD else -1)
        if step.kind is not WEIGHT_GRADIENT and 0 <= after < schedule.num_chunks:
            peer = schedule.placement[after]
            if peer != worker:
                link[worker, peer] = max(link[worker, peer], end[step])
                link[worker, peer] += times.transfer_seconds[worker]
                arrived[step] = link[worker, peer]
    return found


@settings(max_examples=40, deadline=None)
@given(st.data(), st.integers(1, 5), st.integers(1, 6))
def test_the_event_engine_agrees_with_the_recursion(data, workers: int, batches: int) -> None:
    name = data.draw(st.sampled_from((*CLOSED, "1f1b-interleaved")))
    batches = batches * workers if name == "1f1b-interleaved" else batches
    times = data.draw(stage_times(workers))
    played = replay(build(name, workers, batches), times)
    expected = recursion(played.schedule, times)
    for worker, passes in enumerate(passes_of(played)):
        for one, step in zip(passes, played.schedule.orders[worker], strict=True):
            got = (one.start_seconds, one.end_seconds)
            assert got == pytest.approx(expected[worker, str(step)])


@settings(max_examples=25, deadline=None)
@given(st.data(), st.integers(2, 4), st.integers(2, 6))
def test_memory_over_time_is_what_liveness_says(data, workers: int, batches: int) -> None:
    name = data.draw(st.sampled_from(CLOSED))
    times = uniform_times(workers, (1.0, 1.1, 0.9, 0.05), data.draw(st.sampled_from((0.25, 0.5))))
    played = replay(build(name, workers, batches), times)
    for worker in range(workers):
        used = [m.used_bytes for m in played.timeline.memory if m.memory == f"worker {worker}"]
        base = used[-1]  # everything is given back
        order = played.schedule.orders[worker]
        alone = Schedule(name, (order,), (0,), batches)
        expected = max_held(alone, times.kept)
        assert (max(used) - base) / 2**20 == pytest.approx(expected)


def max_held(schedule: Schedule, kept: float) -> float:
    held = most = 0.0
    for step in schedule.orders[0]:
        if step.kind is FORWARD:
            held += 1
            most = max(most, held)
        else:
            held -= {"B": 1 - kept, "W": kept, "BW": 1.0}[step.kind.value]
    return most


def test_a_schedule_program_survives_its_file(tmp_path) -> None:
    program = lower_schedule(build("zb-h1", 3, 4))
    save(program, tmp_path / "p.nwp")
    assert load(tmp_path / "p.nwp").entries == program.entries
    assert load(tmp_path / "p.nwp").workers == program.workers
