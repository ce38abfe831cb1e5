"""Order: tasks and the buffers that they touch to the order with the fewest bytes alive at once.

The records are plain numbers: lowering makes them from a graph, and nothing here knows one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from netwright.errors import PlanError
from netwright.native import core
from netwright.plan.certificate import Certificate

# Of all buffers together: what the search adds up stays exact in 64 bits.
MOST_BYTES = 1 << 52

DEFAULT_STATES = 50_000  # a fraction of a second


@final
@dataclass(frozen=True, slots=True)
class MemoryBuffer:
    """Bytes that tasks read and write, alive from the first task that touches them to the last.

    `from_start`: filled before the first task (an input). `to_end`: read after the last (an
    output). `offset_bytes`: pre-placed there. `alias_of`: a view of that buffer (which is no view
    itself), `alias_offset_bytes` into it, with no bytes of its own.
    """

    size_bytes: int
    alignment_bytes: int = 64
    from_start: bool = False
    to_end: bool = False
    offset_bytes: int | None = None
    alias_of: int | None = None
    alias_offset_bytes: int = 0

    @property
    def padded_bytes(self) -> int:
        """The size rounded up to the alignment."""
        return -(-self.size_bytes // self.alignment_bytes) * self.alignment_bytes


@final
@dataclass(frozen=True, slots=True)
class MemoryOp:
    """A task by what it touches. Tasks are listed in one order that is valid.

    `in_place` holds (read buffer, written buffer) pairs that may share their bytes. `after` names
    earlier tasks that it must follow for another reason than the buffers.
    """

    reads: tuple[int, ...]
    writes: tuple[int, ...]
    in_place: tuple[tuple[int, int], ...] = ()
    after: tuple[int, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class Order:
    """A permutation of the tasks, and the most padded bytes alive at once under it."""

    tasks: tuple[int, ...]
    peak_bytes: int
    certificate: Certificate


@final
@dataclass(frozen=True, slots=True)
class Flow:
    """What an order must respect: one entry a task, views replaced by what they look at."""

    before: tuple[tuple[int, ...], ...]  # task -> earlier tasks
    touched: tuple[tuple[int, ...], ...]  # task -> root buffers
    in_place: tuple[tuple[tuple[int, int], ...], ...]  # task -> (source, target) root buffers


def order_tasks(
    ops: tuple[MemoryOp, ...], buffers: tuple[MemoryBuffer, ...], states: int = DEFAULT_STATES
) -> Order:
    """The order of least peak: exact within a budget of states, else a beam search with its bound.

    Method: bottleneck shortest path over sets of finished tasks, with moves that cannot hurt made
    at once, in the manner of SERENITY (Ahn et al., "Ordering Chaos", MLSys 2020, arXiv:2003.02369).

    Raises:
        PlanError: a task or buffer names something that does not exist or makes no sense.
    """
    flow = make_flow(ops, buffers)
    tasks, peak, bound, proved, used = core.best_order(
        [list(b) for b in flow.before],
        [list(t) for t in flow.touched],
        [0 if b.alias_of is not None else b.padded_bytes for b in buffers],
        [b.from_start for b in buffers],
        [b.to_end for b in buffers],
        [list(p) for p in flow.in_place],
        states,
    )
    method = f"exact order search, {used} states" if used else "order meets its bound"
    if not proved:
        method = f"beam search; exact order search stopped at {states} states"
    return Order(tuple(tasks), peak, Certificate("peak_bytes", peak, bound, method, proved))


def make_flow(ops: tuple[MemoryOp, ...], buffers: tuple[MemoryBuffer, ...]) -> Flow:
    """Dependencies by bytes: a read follows the writes, a write the reads and writes before it.

    Raises:
        PlanError: a task or buffer names something that does not exist or makes no sense.
    """
    _check_buffers(buffers)
    for index, op in enumerate(ops):
        _check_op(index, op, len(buffers))
    roots = [index if b.alias_of is None else b.alias_of for index, b in enumerate(buffers)]
    touched = tuple(tuple(sorted({roots[b] for b in op.reads + op.writes})) for op in ops)
    seen: dict[int, list[tuple[int, int, bool]]] = {}  # root -> (task, buffer, written)
    before: list[tuple[int, ...]] = []
    for task, op in enumerate(ops):
        found = set(op.after)
        accesses = [(b, False) for b in op.reads] + [(b, True) for b in op.writes]
        for buffer, written in accesses:
            for other_task, other, other_written in seen.get(roots[buffer], []):
                if (written or other_written) and _share_bytes(buffers, buffer, other):
                    found.add(other_task)
        for buffer, written in accesses:
            seen.setdefault(roots[buffer], []).append((task, buffer, written))
        before.append(tuple(sorted(found - {task})))
    in_place = tuple(_usable_pairs(op, buffers, roots) for op in ops)
    return Flow(tuple(before), touched, in_place)


def _share_bytes(buffers: tuple[MemoryBuffer, ...], a: int, b: int) -> bool:
    """Whether two buffers of one root overlap in it. A buffer without bytes orders tasks too."""
    if a == b or buffers[a].alias_of is None or buffers[b].alias_of is None:
        return True
    first, second = buffers[a], buffers[b]
    return (
        first.alias_offset_bytes < second.alias_offset_bytes + second.size_bytes
        and second.alias_offset_bytes < first.alias_offset_bytes + first.size_bytes
    )


def _usable_pairs(
    op: MemoryOp, buffers: tuple[MemoryBuffer, ...], roots: list[int]
) -> tuple[tuple[int, int], ...]:
    """Pairs of whole, unplaced buffers of one padded size; two targets never share a source."""
    kept: list[tuple[int, int]] = []
    for source, target in op.in_place:
        a, b = buffers[source], buffers[target]
        whole = roots[source] == source and roots[target] == target and source != target
        free = a.offset_bytes is None and b.offset_bytes is None and not b.from_start
        claimed = any(s == source for s, _ in kept)
        alike = a.padded_bytes == b.padded_bytes and a.alignment_bytes % b.alignment_bytes == 0
        if whole and free and alike and not claimed:
            kept.append((source, target))
    return tuple(sorted(kept, key=lambda pair: pair[1]))


def _check_buffers(buffers: tuple[MemoryBuffer, ...]) -> None:
    most = MOST_BYTES // max(1, len(buffers))
    for index, b in enumerate(buffers):
        where = f"buffer {index} of {len(buffers)}"
        if b.size_bytes < 0 or b.alignment_bytes < 1:
            raise PlanError(
                f"{where}: size {b.size_bytes} and alignment {b.alignment_bytes};"
                " expected size >= 0 and alignment >= 1"
            )
        if b.size_bytes > most:
            raise PlanError(
                f"{where}: {b.size_bytes} bytes; memory is planned up to {most} bytes a buffer"
            )
        if b.alias_of is None:
            continue
        if not 0 <= b.alias_of < len(buffers) or buffers[b.alias_of].alias_of is not None:
            raise PlanError(f"{where}: a view of {b.alias_of}, which is no buffer of its own")
        root = buffers[b.alias_of]
        if b.alias_offset_bytes < 0 or b.alias_offset_bytes + b.size_bytes > root.size_bytes:
            raise PlanError(
                f"{where}: bytes {b.alias_offset_bytes} to {b.alias_offset_bytes + b.size_bytes}"
                f" of buffer {b.alias_of}, which has {root.size_bytes}"
            )
        if b.from_start or b.to_end or b.offset_bytes is not None:
            raise PlanError(f"{where}: a view; lifetime and place belong on buffer {b.alias_of}")


def _check_op(index: int, op: MemoryOp, num_buffers: int) -> None:
    named = op.reads + op.writes + tuple(b for pair in op.in_place for b in pair)
    for b in named:
        if not 0 <= b < num_buffers:
            raise PlanError(f"task {index}: buffer {b} does not exist; there are {num_buffers}")
    for source, target in op.in_place:
        if source not in op.reads or target not in op.writes:
            raise PlanError(
                f"task {index}: in place ({source}, {target}); expected a buffer that it reads and"
                " one that it writes"
            )
    for earlier in op.after:
        if not 0 <= earlier < index:
            raise PlanError(f"task {index}: after {earlier}; tasks must be listed in a valid order")
