"""Division of scratchpad plans: nothing is lost or claimed that all states refute."""

from __future__ import annotations

from itertools import chain, combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.plan.scratchpads import Records, filled, least_capacity, least_extra, networks, played

from netwright.errors import PlanError
from netwright.plan.order import MemoryBuffer, MemoryOp, order_tasks
from netwright.plan.scratchpad import verify_scratchpad
from netwright.plan.scratchpad_chains import apart, joined
from netwright.plan.scratchpad_choice import (
    Choice,
    bare_choice,
    extra_of,
    fits,
    residence_of,
    residences,
)
from netwright.plan.scratchpad_choice import Records as Recorded
from netwright.plan.scratchpad_cuts import extra_in, given_in, parts_of, peak_bound
from netwright.plan.scratchpad_greedy import fill_scratchpad
from netwright.plan.scratchpad_keep import keep_best
from netwright.plan.scratchpad_moves import moved_order
from netwright.plan.scratchpad_program import solve_part
from netwright.plan.scratchpad_solve import solve_scratchpad
from netwright.plan.scratchpad_stream import streamed
from netwright.plan.scratchpad_windows import resolve, windows_in

EFFORT = 5.0


def worked(records: Records, more: int = 0) -> Recorded:
    return Recorded(*records, least_capacity(records) + 64 * more)


def natural(records: Recorded) -> tuple[int, ...]:
    return tuple(range(len(records.ops)))


@settings(max_examples=40, deadline=None)
@given(networks(most=7, back=3), st.integers(0, 3))
def test_bounds_of_parts_add_to_a_bound(drawn: Records, more: int) -> None:
    records = worked(drawn, more)
    least = least_extra(drawn, records.capacity_bytes)
    for most in (1, 3, 40):
        parts = parts_of(records, natural(records), most)
        assert tuple(chain.from_iterable(p.tasks for p in parts)) == natural(records)
        total = peaks = 0
        for part in parts:
            solved = solve_part(records, part, frozenset(), EFFORT)
            assert solved is not None
            total += solved.bound_bytes - given_in(records, part)
            peaks += peak_bound(records, part)
        assert peaks <= total <= least
        if len(parts) == 1:
            assert total == least
        choice = bare_choice(records, natural(records))
        assert sum(extra_in(records, p, choice) for p in parts) <= extra_of(records, choice.loads)


@settings(max_examples=40, deadline=None)
@given(networks(most=6), st.integers(0, 3))
def test_what_stays_is_settled_best_for_an_order(drawn: Records, more: int) -> None:
    records = worked(drawn, more)
    found = keep_best(records, natural(records), 0, EFFORT)
    assert found is not None
    assert fits(records, found)
    bare = bare_choice(records, natural(records)).loads
    sure = {(b, t) for b, t in bare if t == records.users[b][0]}
    extra = [
        extra_of(records, frozenset(sure | set(some)))
        for count in range(len(bare - sure) + 1)
        for some in combinations(sorted(bare - sure), count)
        if fits(records, Choice(natural(records), frozenset(sure | set(some))))
    ]
    assert extra_of(records, found.loads) == min(extra)


@settings(max_examples=30, deadline=None)
@given(networks(most=12, back=4), st.integers(0, 3), st.integers(2, 8))
def test_windows_and_moves_leave_a_plan_that_is_no_worse(
    drawn: Records, more: int, length: int
) -> None:
    records = worked(drawn, more)
    (part, *_) = parts_of(records, natural(records))
    moved = (*moved_order(records, part, 50), *natural(records)[len(part.tasks) :])
    choice = bare_choice(records, moved)
    for steps in list(windows_in(records, choice, range(len(moved)), length)):
        found, _ = resolve(records, choice, steps, EFFORT)
        assert fits(records, found)
        assert extra_of(records, found.loads) <= extra_of(records, choice.loads)
        assert residence_of(records, found)
        choice = found
    place = {task: step for step, task in enumerate(choice.order)}
    assert all(place[e] < place[t] for t, before in enumerate(records.before) for e in before)
    ends = {r.buffer for r in residences(records, choice)}
    assert ends == set(records.users)


@settings(max_examples=60, deadline=None)
@given(networks(most=7, largest=2, back=1), st.integers(0, 2))
def test_joined_tasks_lose_nothing(drawn: Records, more: int) -> None:
    ops, buffers = drawn
    chains = joined(ops, buffers)
    assert sorted(chain.from_iterable(chains.members)) == list(range(len(ops)))
    capacity = least_capacity(drawn) + 64 * more
    assert least_extra((chains.ops, buffers), capacity) == least_extra(drawn, capacity)
    fewer = Recorded(chains.ops, buffers, capacity)
    found = keep_best(fewer, natural(fewer), 0, EFFORT)
    assert found is not None
    again = apart(chains, found)
    whole = Recorded(ops, buffers, capacity)
    assert fits(whole, again)
    assert extra_of(whole, again.loads) == extra_of(fewer, found.loads)


def test_a_chain_of_one_size_is_one_task() -> None:
    ops = tuple(MemoryOp((i,), (i + 1,)) for i in range(5))
    buffers = tuple(MemoryBuffer(64, from_start=i == 0, to_end=i == 5) for i in range(6))
    # The first reads an input, which is no result that could wait in its place.
    assert joined(ops, buffers).members == ((0,), (1, 2, 3, 4))


def cells(count: int, width: int) -> Records:
    """Cells of ways of two tasks each, summed two and two; one buffer between cells."""
    ops: list[MemoryOp] = []
    buffers = [MemoryBuffer(64 * 4, from_start=True)]

    def task(*reads: int, size: int = 4) -> int:
        buffers.append(MemoryBuffer(64 * size, to_end=False))
        ops.append(MemoryOp(reads, (len(buffers) - 1,)))
        return len(buffers) - 1

    x = 0
    for _ in range(count):
        ways = [task(task(x, size=3 + way % 3)) for way in range(width)]
        x = ways[0]
        for y in ways[1:]:
            x = task(x, y)
    last = buffers[-1]
    buffers[-1] = MemoryBuffer(last.size_bytes, to_end=True)
    return tuple(ops), tuple(buffers)


def test_many_cells_are_solved_one_by_one_and_always_alike() -> None:
    drawn = cells(5, 4)
    ops, buffers = drawn
    capacity = least_capacity(drawn)
    first = min(filled(drawn, capacity), key=lambda plan: plan.extra_bytes)
    told: list[float] = []
    plans = [
        solve_scratchpad(ops, buffers, capacity, first, 1.0, lambda _, s: told.append(s))
        for _ in range(2)
    ]
    assert plans[0] == plans[1]
    assert told
    assert all(0 <= share <= 1 for share in told)
    verify_scratchpad(plans[0], ops, buffers, capacity)
    assert played(plans[0], drawn, capacity)
    assert plans[0].extra_bytes < first.extra_bytes
    bound = plans[0].certificate.bound
    assert bound is not None
    assert bound > 0


@settings(max_examples=40, deadline=None)
@given(networks(most=10), st.integers(1, 12))
def test_what_is_too_large_is_streamed(drawn: Records, units: int) -> None:
    ops, buffers = drawn
    capacity = 64 * units
    try:
        found = streamed(ops, buffers, capacity)
    except PlanError as error:
        assert "cut the task" in str(error)  # noqa: PT017
        return
    assert (found.streamed_bytes == 0) == (capacity >= least_capacity(drawn))
    out = {b for b in range(len(buffers)) if b not in found.names}
    expected = sum(
        buffers[b].padded_bytes for op in ops for b in {*op.reads, *op.writes} if b in out
    )
    assert found.streamed_bytes == expected
    order = order_tasks(found.ops, found.buffers).tasks
    plan = fill_scratchpad(found.ops, found.buffers, order, capacity)
    verify_scratchpad(plan, found.ops, found.buffers, capacity)
    # The order is one of the tasks of before, too.
    place = {task: step for step, task in enumerate(order)}
    before = Recorded(ops, buffers, 1 << 40).before
    assert all(place[e] < place[t] for t, earlier in enumerate(before) for e in earlier)


def test_a_scratchpad_smaller_than_a_task_is_refused() -> None:
    ops, buffers = cells(1, 2)
    first = fill_scratchpad(ops, buffers, range(len(ops)), 1 << 20)
    with pytest.raises(
        PlanError, match="touches 448 bytes and the scratchpad has 192; cut the task"
    ):
        solve_scratchpad(ops, buffers, 192, first)
    with pytest.raises(PlanError, match="not even tiles"):
        streamed(ops, buffers, 0)
