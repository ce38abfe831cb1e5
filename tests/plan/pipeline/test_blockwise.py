"""Blocks and sharded weights: valid at any size, traffic as the order says, nothing for nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import JobError, PlanError
from netwright.plan.pipeline.blockwise import blocks_of, blockwise, breadth_first
from netwright.plan.pipeline.build import build, placement_for
from netwright.plan.pipeline.schedule import verify
from netwright.plan.pipeline.sharded import GATHER, Shards, collectives, sharded_program
from netwright.plan.pipeline.times import peaks, uniform_times
from netwright.simulate.pipeline import replay

seconds = st.sampled_from([0.5, 1.0, 1.5, 2.0])
UNITS = (1.0, 1.0, 1.0, 0.0)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 4),
    st.integers(1, 9),
    st.integers(1, 3),
    st.integers(1, 9),
    st.tuples(*[seconds] * 4),
)
def test_blocks_are_valid(p: int, m: int, chunks: int, unit: int, times) -> None:
    played = blocks_of(p, m, uniform_times(p, times), chunks, unit)
    verify(played.schedule)
    verify(breadth_first(p, m, uniform_times(p, times), chunks))
    assert max(peaks(played.schedule, 0.0)) <= min(unit, m)


@pytest.mark.parametrize(("p", "chunks"), [(4, 2), (4, 4), (8, 2)])
def test_breadth_first_wastes_a_share_of_what_gpipe_does(p: int, chunks: int) -> None:
    """Lamy-Poirier, section 3: (p - 1) (F + B + W) / chunks is idle."""
    times = uniform_times(p, UNITS)
    m = 2 * p
    assert replay(breadth_first(p, m, times, chunks), times).seconds == pytest.approx(
        3 * m + 3 * (p - 1) / chunks
    )


def test_weight_gradients_fill_what_is_idle_between_units() -> None:
    times = uniform_times(4, UNITS)
    rates = [
        replay(blocks_of(4, 16, times, 2, unit).schedule, times).bubble_rate for unit in (4, 8, 16)
    ]
    plain = replay(breadth_first(4, 16, times), times).bubble_rate
    assert max(rates) <= plain


def test_the_unit_is_what_memory_allows() -> None:
    times = uniform_times(4, UNITS)
    tight, wide = (blockwise(4, 16, times, 2, limit) for limit in (4.0, 16.0))
    assert max(peaks(wide, 0.5)) <= 16.0
    assert replay(wide, times).span_seconds <= replay(tight, times).span_seconds
    assert build("zeropp:3", 4, 8).placement == placement_for("zeropp:3", 4)
    with pytest.raises(PlanError, match="at least one"):
        blocks_of(4, 8, times, 2, 0)
    with pytest.raises(PlanError, match="at least one"):
        blocks_of(4, 8, times, 0, 4)


def gathers(p: int, m: int, chunks: int, unit: int, rooms: int = 1) -> tuple[int, int]:
    times = uniform_times(p, UNITS)
    schedule = blocks_of(p, m, times, chunks, unit).schedule
    return collectives(sharded_program(schedule, times, Shards(0.1, 0.1, rooms)))


def test_a_chunk_is_gathered_once_a_unit_and_direction() -> None:
    """The last chunk's weights are still there when its backward passes begin."""
    for unit in (4, 8, 16):
        found, _ = gathers(4, 16, 2, unit)
        assert found == 4 * (16 // unit * (2 * 2 - 1) - (16 // unit - 1))


@settings(deadline=None, max_examples=25)
@given(
    st.sampled_from(["1f1b", "1f1b-interleaved", "breadth-first", "zeropp", "zb-h1", "gpipe"]),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 3),
    st.booleans(),
)
def test_collectives_only_cost(name: str, p: int, units: int, rooms: int, every: bool) -> None:
    times = uniform_times(p, UNITS)
    schedule = build(name, p, units * p, times)
    plain = replay(schedule, times).seconds
    free = sharded_program(schedule, times, Shards(0.0, 0.0, rooms, every))
    assert free.simulate().seconds == pytest.approx(plain)
    dear = sharded_program(schedule, times, Shards(1.0, 1.0, rooms, every))
    assert dear.simulate().seconds >= plain + 1.0 / schedule.num_chunks * p - 1e-9
    if every:
        passes = sum(map(len, schedule.orders))
        split = any(step.kind.value == "W" for order in schedule.orders for step in order)
        found, scattered = collectives(dear)
        assert found == (passes * 2 // 3 if split else passes)
        assert scattered == schedule.num_chunks * schedule.microbatches
    lanes = [t for t in dear.entries[0].tasks if t.opcode == GATHER]
    assert len(lanes) >= schedule.num_chunks


def test_shards_are_checked() -> None:
    with pytest.raises(JobError, match="at least one room"):
        Shards(1.0, 1.0, 0)
