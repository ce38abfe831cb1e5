"""Operands too large for a scratchpad: they stay outside, and tiles of them pass through it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

from netwright.errors import PlanError
from netwright.plan.order import MemoryBuffer, MemoryOp

TILES = 16  # a tile is this part of the scratchpad


@final
@dataclass(frozen=True, slots=True)
class Streamed:
    """Records in which every task fits. `names` are the buffers of before that are still planned;
    those behind them are tiles. `streamed_bytes` pass in and out whatever is planned then."""

    ops: tuple[MemoryOp, ...]
    buffers: tuple[MemoryBuffer, ...]
    names: tuple[int, ...]
    streamed_bytes: int


def streamed(
    ops: tuple[MemoryOp, ...], buffers: tuple[MemoryBuffer, ...], capacity_bytes: int
) -> Streamed:
    """While a task touches more than fits, the largest buffer that such a task touches stays out.

    A buffer outside is written once and read by each task that reads it, a tile at a time: a place
    of a sixteenth of the scratchpad for each such operand while the task runs. Which buffers stay
    out is a rule, no optimum: bounds of plans hold for the records that come out of it.

    Raises:
        PlanError: a task touches so much that not even tiles of it fit.
    """
    sizes = [b.padded_bytes for b in buffers]
    tile = max(64, capacity_bytes // TILES // 64 * 64)
    outside: set[int] = set()

    def needed(op: MemoryOp) -> int:
        return sum(
            min(sizes[b], tile) if b in outside else sizes[b] for b in {*op.reads, *op.writes}
        )

    for task, op in enumerate(ops):
        while needed(op) > capacity_bytes:
            inside = [b for b in {*op.reads, *op.writes} - outside if sizes[b] > tile]
            if not inside:
                raise PlanError(
                    f"task {task} touches {len({*op.reads, *op.writes})} buffers, and not even"
                    f" tiles of {tile} bytes of them fit in {capacity_bytes}; cut the task, or take"
                    " a larger scratchpad"
                )
            outside.add(max(inside, key=lambda b: (sizes[b], -b)))
    if not outside:
        return Streamed(ops, buffers, tuple(range(len(buffers))), 0)
    names = tuple(b for b in range(len(buffers)) if b not in outside)
    index = {b: i for i, b in enumerate(names)}
    kept = [buffers[b] for b in names]
    maker = {b: task for task, op in enumerate(ops) for b in op.writes}
    found: list[MemoryOp] = []
    moved = 0
    for op in ops:
        tiles = [b for b in dict.fromkeys((*op.reads, *op.writes)) if b in outside]
        moved += sum(sizes[b] for b in tiles)
        places = range(len(kept), len(kept) + len(tiles))
        kept += [MemoryBuffer(min(sizes[b], tile), buffers[b].alignment_bytes) for b in tiles]
        # What the buffer said about the order of tasks must still be said.
        after = {maker[b] for b in op.reads if b in outside and b in maker}
        found.append(
            replace(
                op,
                reads=tuple(index[b] for b in op.reads if b in index),
                writes=(*(index[b] for b in op.writes if b in index), *places),
                in_place=(),
                after=tuple(sorted({*op.after, *after})),
            )
        )
    return Streamed(tuple(found), tuple(kept), names, moved)
