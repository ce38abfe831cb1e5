"""Scratchpads: every plan is valid, the solver's optimum is that of a search over all states."""

from __future__ import annotations

import heapq
from itertools import chain, combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import PlanError
from netwright.graph.zoo.resnet import ResnetSizes, resnet
from netwright.plan.order import MemoryBuffer, MemoryOp, make_flow
from netwright.plan.scratchpad import ScratchpadPlan, compulsory_bytes, verify_scratchpad
from netwright.plan.scratchpad_graph import scratchpad_records
from netwright.plan.scratchpad_greedy import (
    best_fit,
    farthest,
    fill_scratchpad,
    first_fit,
    least_recent,
)
from netwright.plan.scratchpad_solve import solve_scratchpad
from netwright.transform.standard import standard

Records = tuple[tuple[MemoryOp, ...], tuple[MemoryBuffer, ...]]


@st.composite
def networks(draw: st.DrawFn, most: int = 6) -> Records:
    """Tasks with one result each that read an input or results before them."""
    count = draw(st.integers(2, most))
    sizes = [draw(st.integers(1, 4)) for _ in range(count + 1)]
    reads = [
        tuple(sorted(draw(st.sets(st.integers(0, t), min_size=1, max_size=2))))
        for t in range(count)
    ]
    read = set(chain.from_iterable(reads))
    buffers = tuple(
        MemoryBuffer(64 * size, from_start=i == 0, to_end=i > 0 and i not in read)
        for i, size in enumerate(sizes)
    )
    return tuple(MemoryOp(reads[t], (t + 1,)) for t in range(count)), buffers


def least_capacity(records: Records) -> int:
    ops, buffers = records
    return max(sum(buffers[b].padded_bytes for b in {*o.reads, *o.writes}) for o in ops)


def least_extra(records: Records, capacity: int) -> int:
    """Dijkstra over (tasks done, buffers on the chip, copies outside), without addresses."""
    ops, buffers = records
    before = make_flow(ops, buffers).before
    given_ = frozenset(i for i, b in enumerate(buffers) if b.from_start)
    outside_free = frozenset(i for i, b in enumerate(buffers) if b.from_start or b.to_end)
    start = (frozenset[int](), frozenset[int](), frozenset[int]())
    best, queue, tie = {start: 0}, [(0, 0, start)], 0
    while queue:
        cost, _, state = heapq.heappop(queue)
        done, here, once = state
        if len(done) == len(ops):
            return cost
        if cost > best[state]:
            continue
        for task, op in enumerate(ops):
            if task in done or not done.issuperset(before[task]):
                continue
            need = frozenset((*op.reads, *op.writes))
            others = here - need
            for kept in chain.from_iterable(
                combinations(sorted(others), n) for n in range(len(others) + 1)
            ):
                now = need | frozenset(kept)
                if sum(buffers[b].padded_bytes for b in now) > capacity:
                    continue
                # `once`: inputs loaded before, and results that were written out.
                paid, marks = cost, set(once)
                for b in sorted(set(op.reads) - here):
                    free = b in given_ and b not in once
                    paid += 0 if free else buffers[b].padded_bytes
                    if b not in outside_free and b not in once:
                        paid += buffers[b].padded_bytes
                    marks.add(b)
                after = (done | {task}, now, frozenset(marks))
                if paid < best.get(after, 1 << 60):
                    best[after] = paid
                    tie += 1
                    heapq.heappush(queue, (paid, tie, after))
    raise AssertionError("no order")


def filled(records: Records, capacity: int) -> list[ScratchpadPlan]:
    ops, buffers = records
    plans = [
        fill_scratchpad(ops, buffers, range(len(ops)), capacity, (victim, gap))
        for victim in (least_recent, farthest)
        for gap in (first_fit, best_fit)
    ]
    for plan in plans:
        verify_scratchpad(plan, ops, buffers, capacity)
    return plans


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


@settings(max_examples=25, deadline=None)
@given(networks(), st.integers(0, 4))
def test_the_solver_finds_the_least(records: Records, more: int) -> None:
    ops, buffers = records
    capacity = least_capacity(records) + 64 * more
    first = min(filled(records, capacity), key=lambda plan: plan.extra_bytes)
    plan = solve_scratchpad(ops, buffers, capacity, first, seconds=10.0)
    verify_scratchpad(plan, ops, buffers, capacity)
    least = least_extra(records, capacity)
    assert plan.certificate.bound is not None
    # Without addresses: a bound of every plan, met unless what is resident cannot be packed.
    assert plan.certificate.bound == pytest.approx(min(least, plan.extra_bytes))
    assert least <= plan.extra_bytes <= first.extra_bytes
    if plan.certificate.proved:
        assert plan.extra_bytes == least


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
