"""Schedules are verified: every pass once, on its worker, and nothing waits in a circle."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import PlanError
from netwright.plan.pipeline.gpipe import gpipe
from netwright.plan.pipeline.one_forward_one_backward import one_forward_one_backward
from netwright.plan.pipeline.schedule import (
    FORWARD,
    Pass,
    PassKind,
    Receive,
    Schedule,
    Send,
    communicate,
    sequence,
    verify,
)
from netwright.plan.pipeline.zero_bubble import zero_bubble_h1, zero_bubble_h2

CLOSED = (gpipe, one_forward_one_backward, zero_bubble_h1, zero_bubble_h2)
closed = st.sampled_from(CLOSED)


@settings(deadline=None)
@given(closed, st.integers(1, 6), st.integers(1, 9))
def test_closed_schedules_are_valid(make, workers: int, batches: int) -> None:
    made = make(workers, batches)
    verify(made)
    assert len(sequence(made)) == sum(map(len, made.orders))


@settings(deadline=None)
@given(closed, st.integers(1, 5), st.integers(1, 6))
def test_every_send_has_its_receive(make, workers: int, batches: int) -> None:
    made = make(workers, batches)
    sent, received = [], []
    for worker, order in enumerate(communicate(made)):
        for step in order:
            if isinstance(step, Send):
                sent.append((step.message, step.boundary, step.microbatch, worker, step.peer))
            elif isinstance(step, Receive):
                received.append((step.message, step.boundary, step.microbatch, step.peer, worker))
    assert sorted(map(str, sent)) == sorted(map(str, received))
    assert len(set(sent)) == len(sent) == 2 * (workers - 1) * batches


@settings(deadline=None)
@given(closed, st.integers(1, 5), st.integers(1, 6), st.data())
def test_a_missing_pass_is_found(make, workers: int, batches: int, data) -> None:
    made = make(workers, batches)
    worker = data.draw(st.integers(0, workers - 1))
    orders = list(made.orders)
    gone = data.draw(st.integers(0, len(orders[worker]) - 1))
    orders[worker] = orders[worker][:gone] + orders[worker][gone + 1 :]
    with pytest.raises(PlanError, match=rf"chunk {worker}, micro-batch"):
        verify(replace(made, orders=tuple(orders)))


def test_workers_that_wait_for_each_other_are_named() -> None:
    made = one_forward_one_backward(2, 2)
    first = (made.orders[0][1], *made.orders[0][:1], *made.orders[0][2:])  # F1 before F0
    second = made.orders[1]
    verify(replace(made, orders=(first, (second[2], second[3], *second[:2]))))
    backwards_first = (made.orders[0][2], *made.orders[0][:2], *made.orders[0][3:])
    with pytest.raises(
        PlanError, match="wait for each other: worker 0 at BW0 of chunk 0, worker 1"
    ):
        verify(replace(made, orders=(backwards_first, second)))


def test_a_pass_stands_once_and_where_its_chunk_is() -> None:
    made = gpipe(2, 2)
    twice = (made.orders[0] + made.orders[0][:1], made.orders[1])
    with pytest.raises(PlanError, match="F0 of chunk 0 stands 2 times"):
        verify(replace(made, orders=twice))
    with pytest.raises(PlanError, match="worker 0 has F0 of chunk 1"):
        verify(replace(made, orders=(made.orders[1], made.orders[0])))
    with pytest.raises(PlanError, match="expected one micro-batch or more"):
        verify(Schedule("none", ((),), (0,), 0))
    mixed = tuple(
        Pass(PassKind.INPUT_GRADIENT, s.chunk, s.microbatch) if s.kind is PassKind.BACKWARD else s
        for s in made.orders[1]
    )
    with pytest.raises(PlanError, match="got B, F; expected F, B, W or F, BW"):
        verify(replace(made, orders=(made.orders[0], mixed)))


def test_a_boundary_inside_a_worker_moves_nothing() -> None:
    steps = tuple(Pass(kind, c, 0) for kind, c in ((FORWARD, 0), (FORWARD, 1)))
    back = tuple(Pass(PassKind.BACKWARD, c, 0) for c in (1, 0))
    made = Schedule("one", (steps + back,), (0, 0), 1)
    verify(made)
    assert communicate(made) == (steps + back,)
