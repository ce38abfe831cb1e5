"""Order and memory against brute force, against CP-SAT, and against their laws."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import PlanError
from netwright.plan.allocate import Outcome
from netwright.plan.memory import MemoryLimit, MemoryPlan, plan_memory
from netwright.plan.order import MemoryBuffer, MemoryOp, make_flow, order_tasks
from netwright.plan.solve import plan_memory_by_cp_sat

Case = tuple[tuple[MemoryOp, ...], tuple[MemoryBuffer, ...]]


@st.composite
def networks(draw: st.DrawFn, most_tasks: int = 7) -> Case:
    """A random directed acyclic network: one buffer a task, in-place pairs, views, an input."""
    sizes = st.integers(1, 4).map(lambda k: 4 * k)
    buffers = [MemoryBuffer(draw(sizes), 4, from_start=True, to_end=draw(st.booleans()))]
    ops: list[MemoryOp] = []
    roots = [0]
    for _ in range(draw(st.integers(0, most_tasks))):
        reads = tuple(draw(st.sets(st.sampled_from(roots), max_size=3)))
        target = len(buffers)
        buffers.append(MemoryBuffer(draw(sizes), 4, to_end=draw(st.integers(0, 5)) == 0))
        pairs = tuple((r, target) for r in reads if draw(st.booleans()))
        seen = list(reads)
        if reads and draw(st.integers(0, 3)) == 0:
            view = MemoryBuffer(4, 4, alias_of=reads[0])
            seen.append(len(buffers))
            buffers.append(view)
        ops.append(MemoryOp(tuple(seen), (target,), pairs))
        roots.append(target)
    return tuple(ops), tuple(buffers)


def valid_orders(case: Case) -> list[tuple[int, ...]]:
    flow = make_flow(*case)
    return [
        order
        for order in itertools.permutations(range(len(case[0])))
        if all(order.index(p) < order.index(t) for t in order for p in flow.before[t])
    ]


def reference_peak(case: Case, order: tuple[int, ...]) -> int:
    """Padded bytes alive, task by task, with in-place pairs: the definition, in plain Python."""
    ops, buffers = case
    flow = make_flow(ops, buffers)
    touched = [{b for t in order[k:] for b in flow.touched[t]} for k in range(len(order) + 1)]
    alive = {i for i, b in enumerate(buffers) if b.from_start}
    peak = sum(buffers[b].padded_bytes for b in alive)
    for k, task in enumerate(order):
        # A buffer with no tasks left that is not to be kept has gone, or never was.
        alive = {b for b in alive if b in touched[k] or buffers[b].to_end or _untouched(case, b)}
        before = set(alive)
        alive |= set(flow.touched[task])
        saved = 0
        for _, pairs in itertools.groupby(flow.in_place[task], key=lambda pair: pair[1]):
            for source, target in pairs:
                dies = source not in touched[k + 1] and not buffers[source].to_end
                if source in before and dies and target not in before:
                    saved += buffers[target].padded_bytes
                    break
        peak = max(peak, sum(buffers[b].padded_bytes for b in alive) - saved)
    return peak


def _untouched(case: Case, buffer: int) -> bool:
    return buffer == 0 and all(0 not in t for t in make_flow(*case).touched)


def assert_sound(case: Case, plan: MemoryPlan) -> None:
    """Writes and reads marked bytes in the planned order: nobody's bytes change too soon."""
    ops, buffers = case
    assert sorted(plan.order) == list(range(len(ops)))
    memory: list[object] = [None] * plan.peak_bytes
    for index, b in enumerate(buffers):
        assert plan.offsets[index] % b.alignment_bytes == 0 or b.alias_of is not None
        if b.from_start:
            _mark(memory, plan.offsets[index], b.size_bytes, index)
    for task in plan.order:
        for r in ops[task].reads:
            root = r if buffers[r].alias_of is None else buffers[r].alias_of
            assert root is not None
            at = plan.offsets[r]
            assert memory[at : at + buffers[r].size_bytes] == [root] * buffers[r].size_bytes
        for w in ops[task].writes:
            _mark(memory, plan.offsets[w], buffers[w].size_bytes, w)
        allowed = set(plan.in_place)
        for w, r in itertools.product(ops[task].writes, ops[task].reads):
            a, b = plan.offsets[w], plan.offsets[r]
            apart = a + buffers[w].size_bytes <= b or b + buffers[r].size_bytes <= a
            root = r if buffers[r].alias_of is None else buffers[r].alias_of
            assert apart or (root, w) in allowed
    for index, b in enumerate(buffers):
        if b.to_end:
            at = plan.offsets[index]
            assert memory[at : at + b.size_bytes] == [index] * b.size_bytes


def _mark(memory: list[object], offset: int, size: int, mark: int) -> None:
    memory[offset : offset + size] = [mark] * size


@settings(max_examples=120, deadline=None)
@given(networks())
def test_order_equals_brute_force(case: Case) -> None:
    expected = min(reference_peak(case, order) for order in valid_orders(case))
    found = order_tasks(*case)
    assert found.tasks in valid_orders(case)
    assert found.certificate.proved
    assert found.peak_bytes == expected == reference_peak(case, found.tasks)


@settings(max_examples=60, deadline=None)
@given(networks(most_tasks=14), st.integers(0, 60))
def test_plan_is_sound_at_any_budget(case: Case, states: int) -> None:
    plan = plan_memory(*case, MemoryLimit(states, 2000))
    assert_sound(case, plan)
    full = plan_memory(*case)
    assert plan.certificate.bound is not None
    assert plan.certificate.bound <= full.peak_bytes <= plan.peak_bytes


@settings(max_examples=12, deadline=None)
@given(networks(most_tasks=5))
def test_plan_agrees_with_cp_sat(case: Case) -> None:
    ours, theirs = plan_memory(*case), plan_memory_by_cp_sat(*case)
    assert theirs.certificate.proved
    assert_sound(case, theirs)
    assert ours.certificate.bound is not None
    assert ours.certificate.bound <= theirs.peak_bytes <= ours.peak_bytes
    if ours.certificate.proved:
        assert ours.peak_bytes == theirs.peak_bytes


def test_chain_in_place_needs_one_buffer() -> None:
    buffers = (MemoryBuffer(1000, from_start=True), *[MemoryBuffer(1000)] * 9)
    ops = tuple(MemoryOp((i,), (i + 1,), ((i, i + 1),)) for i in range(9))
    plan = plan_memory(ops, buffers)
    assert plan.peak_bytes == 1024
    assert plan.certificate.text == "optimal"
    assert set(plan.offsets) == {0}


def test_order_takes_the_shrinking_branch_first() -> None:
    # input 1 -> wide 8 -> narrow 1, twice: one branch at a time needs 1 + 8 + 1 at its worst.
    sizes = (1, 8, 8, 1, 1, 1)
    buffers = tuple(MemoryBuffer(64 * s, from_start=i == 0) for i, s in enumerate(sizes))
    ops = (
        MemoryOp((0,), (1,)),
        MemoryOp((0,), (2,)),
        MemoryOp((1,), (3,)),
        MemoryOp((2,), (4,)),
        MemoryOp((3, 4), (5,)),
    )
    plan = plan_memory(ops, buffers)
    assert plan.peak_bytes == 64 * 10
    assert plan.certificate.proved
    assert plan.verdict(64 * 10) is Outcome.FOUND
    assert plan.verdict(64 * 10 - 1) is Outcome.IMPOSSIBLE


def test_preplaced_buffer_stays() -> None:
    buffers = (MemoryBuffer(64, from_start=True, offset_bytes=256), MemoryBuffer(64, to_end=True))
    plan = plan_memory((MemoryOp((0,), (1,)),), buffers)
    assert plan.offsets[0] == 256
    assert plan.peak_bytes == 320
    assert plan.certificate.proved


def test_pieces_of_one_buffer_may_come_in_any_order() -> None:
    buffers = (
        MemoryBuffer(128, to_end=True),
        MemoryBuffer(64, alias_of=0),
        MemoryBuffer(64, alias_of=0, alias_offset_bytes=64),
    )
    flow = make_flow((MemoryOp((), (1,)), MemoryOp((), (2,)), MemoryOp((0,), ())), buffers)
    assert flow.before == ((), (), (0, 1))


def test_buffer_without_bytes_still_orders_tasks() -> None:
    buffers = (MemoryBuffer(0), MemoryBuffer(64, to_end=True))
    ops = (MemoryOp((), (0,)), MemoryOp((0,), (1,)), MemoryOp((), (0,)))
    assert make_flow(ops, buffers).before == ((), (0,), (0, 1))
    assert plan_memory(ops, buffers).order == (0, 1, 2)


def test_long_network_is_planned_at_once() -> None:
    # 400 residual blocks: 2 tasks each, the second adds to the block's input in place.
    buffers = [MemoryBuffer(4096, from_start=True)]
    ops: list[MemoryOp] = []
    for _ in range(400):
        trunk = len(buffers) - 1
        buffers += [MemoryBuffer(8192), MemoryBuffer(4096)]
        ops.append(MemoryOp((trunk,), (trunk + 1,)))
        ops.append(MemoryOp((trunk, trunk + 1), (trunk + 2,), ((trunk, trunk + 2),)))
    plan = plan_memory(tuple(ops), tuple(buffers))
    assert plan.peak_bytes == 4096 + 8192
    assert plan.certificate.proved


@pytest.mark.parametrize(
    ("ops", "buffers", "words"),
    [
        ((MemoryOp((3,), ()),), (MemoryBuffer(4),), "buffer 3 does not exist"),
        ((MemoryOp((), (), after=(0,)),), (), "valid order"),
        ((MemoryOp((0,), (1,), ((1, 0),)),), (MemoryBuffer(4), MemoryBuffer(4)), "in place"),
        ((), (MemoryBuffer(-1),), "size -1"),
        ((), (MemoryBuffer(4), MemoryBuffer(4, alias_of=0, alias_offset_bytes=1)), "bytes 1 to 5"),
    ],
)
def test_nonsense_is_named(
    ops: tuple[MemoryOp, ...], buffers: tuple[MemoryBuffer, ...], words: str
) -> None:
    with pytest.raises(PlanError, match=words):
        plan_memory(ops, buffers)
