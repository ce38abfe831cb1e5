"""The longest path of a schedule is what the event engine plays."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import PlanError
from netwright.plan.pipeline.build import build
from netwright.plan.pipeline.schedule import FORWARD, PassKind, Schedule
from netwright.plan.pipeline.span import end_seconds, fused_times
from netwright.plan.pipeline.times import StageTimes, chunks_of, uniform_times
from netwright.simulate.pipeline import replay

SECONDS = st.floats(0.1, 2.0)


def times_of(schedule: Schedule, times: StageTimes) -> dict[tuple[PassKind, int], float]:
    chunks = chunks_of(schedule)
    return {
        (kind, chunk): times.pass_seconds(kind, worker, chunks[worker])
        for chunk, worker in enumerate(schedule.placement)
        for kind in PassKind
    }


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(["gpipe", "1f1b", "1f1b-interleaved", "zb-h1", "1f1b-interleaved:3"]),
    st.lists(st.tuples(SECONDS, SECONDS, SECONDS), min_size=2, max_size=4),
    st.integers(1, 3),
)
def test_it_is_what_the_engine_plays(
    name: str, stages: list[tuple[float, float, float]], rounds: int
) -> None:
    forward, back, weight = zip(*stages, strict=True)
    times = StageTimes(forward, back, weight, (0.0,) * len(stages))
    schedule = build(name, len(stages), rounds * len(stages), times)
    expected = replay(schedule, times).seconds
    assert end_seconds(schedule, times_of(schedule, times)) == pytest.approx(expected)


def test_workers_that_wait_for_each_other() -> None:
    schedule = build("1f1b", 2, 2, uniform_times(2, (1, 1, 1, 0)))
    stuck = Schedule("stuck", schedule.orders[::-1], (1, 0), 2)
    turned = Schedule("turned", tuple(order[::-1] for order in stuck.orders), (1, 0), 2)
    with pytest.raises(PlanError, match="wait for each other"):
        end_seconds(turned, fused_times((1.0, 1.0), (1.0, 1.0)))
    assert schedule.orders[0][0].kind is FORWARD
