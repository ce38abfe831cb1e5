"""Networks for scratchpads, what is true of them by a search over all states, plans played."""

from __future__ import annotations

import heapq
from itertools import chain, combinations, product

import numpy as np
from hypothesis import strategies as st

from netwright.plan.order import MemoryBuffer, MemoryOp, make_flow
from netwright.plan.scratchpad import ScratchpadPlan, verify_scratchpad
from netwright.plan.scratchpad_greedy import ADDRESSES, VICTIMS, fill_scratchpad

Records = tuple[tuple[MemoryOp, ...], tuple[MemoryBuffer, ...]]


@st.composite
def networks(draw: st.DrawFn, most: int = 6, largest: int = 4, back: int = 9) -> Records:
    """Tasks with one result each that read an input or results at most `back` before them."""
    count = draw(st.integers(2, most))
    sizes = [draw(st.integers(1, largest)) for _ in range(count + 1)]
    reads = [
        tuple(sorted(draw(st.sets(st.integers(max(0, t - back), t), min_size=1, max_size=2))))
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
        fill_scratchpad(ops, buffers, range(len(ops)), capacity, way)
        for way in product(VICTIMS, ADDRESSES)
    ]
    for plan in plans:
        verify_scratchpad(plan, ops, buffers, capacity)
    return plans


def played(plan: ScratchpadPlan, records: Records, capacity: int) -> bool:
    """Whether outputs come out right where every byte that no residence holds is poisoned."""
    ops, buffers = records
    pad = np.full(capacity, 0xEE, np.uint8)
    outside = {
        i: np.arange(b.padded_bytes, dtype=np.uint8) for i, b in enumerate(buffers) if b.from_start
    }
    right = dict(outside)
    for task, op in enumerate(ops):
        for b in op.writes:
            right[b] = _result(task, b, [right[r] for r in op.reads], records)
    for step, task in enumerate(plan.order):
        here: dict[int, slice] = {}
        for r in plan.residences:
            where = slice(r.offset_bytes, r.offset_bytes + buffers[r.buffer].padded_bytes)
            if r.first == step and r.loaded:
                pad[where] = outside[r.buffer]
            if r.first <= step < r.end:
                here[r.buffer] = where
        values = [pad[here[b]].copy() for b in ops[task].reads]
        for b in ops[task].writes:
            pad[here[b]] = _result(task, b, values, records)
        for r in plan.residences:
            if r.end == step + 1:
                outside.setdefault(r.buffer, pad[here[r.buffer]].copy())
                pad[here[r.buffer]] = 0xEE
    ends = [i for i, b in enumerate(buffers) if b.to_end]
    return all(np.array_equal(outside[i], right[i]) for i in ends)


def _result(task: int, b: int, values: list[np.ndarray], records: Records) -> np.ndarray:
    size = records[1][b].padded_bytes
    total = np.full(size, (7 * task + b + 1) % 256, np.uint8)
    for place, value in enumerate(values):
        total += (3 * place + 5) * np.resize(value, size).astype(np.uint8)
    return total
