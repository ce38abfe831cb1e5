"""Scratchpads: every plan is valid, the solver's optimum is that of a search over all states."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.plan.scratchpads import Records, filled, least_capacity, least_extra, networks, played

from netwright.errors import PlanError
from netwright.graph.zoo.resnet import ResnetSizes, resnet
from netwright.plan.order import MemoryBuffer, MemoryOp
from netwright.plan.scratchpad import compulsory_bytes, verify_scratchpad
from netwright.plan.scratchpad_choice import Records as Recorded
from netwright.plan.scratchpad_cuts import parts_of
from netwright.plan.scratchpad_graph import scratchpad_records
from netwright.plan.scratchpad_greedy import fill_scratchpad
from netwright.plan.scratchpad_solve import solve_scratchpad
from netwright.transform.standard import standard


@settings(max_examples=60, deadline=None)
@given(networks(most=12), st.integers(0, 8))
def test_filling_is_valid_and_needs_nothing_extra_where_all_fits(
    records: Records, more: int
) -> None:
    ops, buffers = records
    filled(records, least_capacity(records) + 64 * more)
    everything = sum(b.padded_bytes for b in buffers)
    assert all(plan.extra_bytes == 0 for plan in filled(records, everything))
    assert compulsory_bytes(ops, buffers) <= everything


@settings(max_examples=30, deadline=None)
@given(networks(), st.integers(0, 4))
def test_the_solver_finds_the_least(records: Records, more: int) -> None:
    ops, buffers = records
    capacity = least_capacity(records) + 64 * more
    first = min(filled(records, capacity), key=lambda plan: plan.extra_bytes)
    plan = solve_scratchpad(ops, buffers, capacity, first)
    verify_scratchpad(plan, ops, buffers, capacity)
    assert played(plan, records, capacity)
    least, bound = least_extra(records, capacity), plan.certificate.bound
    assert bound is not None
    # Without addresses: a bound of every plan, whatever the parts are.
    assert bound <= least <= plan.extra_bytes <= first.extra_bytes
    if plan.certificate.proved:
        assert plan.extra_bytes == least
    if len(parts_of(Recorded(ops, buffers, capacity), tuple(range(len(ops))))) == 1:
        assert bound == pytest.approx(min(least, plan.extra_bytes))


def test_records_of_a_network() -> None:
    graph, _ = standard(resnet(ResnetSizes(layers=(1, 1), width=8, image=16, classes=10)))
    ops, buffers = scratchpad_records(graph)
    # Stem, pool, two residual blocks with an addition (one with a shortcut, too), mean, linear.
    assert len(ops) == 2 + 3 + 4 + 2
    assert [b.from_start for b in buffers].count(True) == 1
    assert [b.to_end for b in buffers].count(True) == 1
    assert compulsory_bytes(ops, buffers) == 4 * 3 * 16 * 16 + 64  # the image, and ten padded
    filled((ops, buffers), least_capacity((ops, buffers)))


def test_what_cannot_be_is_refused() -> None:
    ops = (MemoryOp((0,), (1,)), MemoryOp((1,), (2,)))
    buffers = (MemoryBuffer(64, from_start=True), MemoryBuffer(64), MemoryBuffer(64, to_end=True))
    with pytest.raises(PlanError, match="cut the task"):
        fill_scratchpad(ops, buffers, (0, 1), 64)
    with pytest.raises(PlanError, match="one writer"):
        fill_scratchpad((*ops, MemoryOp((0,), (1,))), buffers, (0, 1, 2), 256)
    with pytest.raises(PlanError, match="neither made nor given"):
        fill_scratchpad((MemoryOp((1,), (2,)),), buffers, (0,), 256)
    plan = fill_scratchpad(ops, buffers, (0, 1), 256)
    with pytest.raises(PlanError, match="outside the scratchpad"):
        verify_scratchpad(plan, ops, buffers, 64)
