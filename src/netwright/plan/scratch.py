"""Order of steps and addresses of scratch buffers, entry by entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netwright.plan.certificate import Certificate
from netwright.plan.lower.emitter import Store
from netwright.plan.lower.in_place import in_place_pairs
from netwright.plan.lower.lower import Lowered
from netwright.plan.lower.step import ALIGNMENT_BYTES, BufferId
from netwright.plan.memory import MemoryBuffer, MemoryOp, MemoryPlan, plan_memory
from netwright.program.program import ArenaKind


def plan_scratch(
    entries: Sequence[Lowered], store: Store
) -> tuple[list[Lowered], dict[BufferId, int], Certificate]:
    """Entries in their best order, an offset for each scratch buffer, and the certificate of the
    entry that needs most: they share one arena, since only one runs at a time."""
    ordered: list[Lowered] = []
    offsets: dict[BufferId, int] = {}
    worst: MemoryPlan | None = None
    for lowered in entries:
        plan, found = _plan_entry(lowered, store)
        offsets.update(found)
        ordered.append(replace(lowered, steps=tuple(lowered.steps[i] for i in plan.order)))
        if worst is None or plan.peak_bytes > worst.peak_bytes:
            worst = plan
    assert worst is not None
    return ordered, offsets, worst.certificate


def _plan_entry(lowered: Lowered, store: Store) -> tuple[MemoryPlan, dict[BufferId, int]]:
    """Buffers outside the scratch arena take part as nothing but dependencies."""
    index: dict[BufferId, int] = {}
    buffers: list[MemoryBuffer] = []

    def local(buffer: BufferId) -> int:
        if buffer not in index:
            index[buffer] = len(buffers)
            scratch = store.buffers[buffer].kind is ArenaKind.SCRATCH
            size = store.buffers[buffer].size_bytes if scratch else 0
            buffers.append(MemoryBuffer(size, ALIGNMENT_BYTES))
        return index[buffer]

    ops: list[MemoryOp] = []
    for step in lowered.steps:
        moving = [
            (position, view.buffer)
            for position, view in enumerate(step.operands)
            if view is not None
            and store.buffers[view.buffer].kind not in (ArenaKind.FILE, ArenaKind.CONSTANT)
        ]
        writes = tuple(local(b) for position, b in moving if position < step.num_written)
        reads = tuple(local(b) for position, b in moving if position >= step.num_written)
        pairs = tuple(
            (index[BufferId(a)], index[BufferId(b)])
            for a, b in in_place_pairs(step)
            if BufferId(a) in index
            and store.buffers[a].kind is store.buffers[b].kind is ArenaKind.SCRATCH
        )
        ops.append(MemoryOp(reads, writes, pairs))
    plan = plan_memory(tuple(ops), tuple(buffers))
    return plan, {b: plan.offsets[i] for b, i in index.items()}
