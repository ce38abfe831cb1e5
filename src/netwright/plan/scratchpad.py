"""A scratchpad too small for all that is alive: what lies in it when, and what moves in and out.

The records are those of `order`: tasks by the buffers that they touch. A buffer `from_start` lies
off the chip at first, one `to_end` must lie there at last; each moves once whatever the plan, and
only what moves besides is counted. What a task touches is on the chip while it runs. A result that
leaves before its last use is written out once, and its copy stays good: buffers are written by one
task only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from netwright.errors import PlanError
from netwright.plan.allocate import Block, find_overlap
from netwright.plan.certificate import Certificate
from netwright.plan.order import MemoryBuffer, MemoryOp, make_flow


@final
@dataclass(frozen=True, slots=True)
class Residence:
    """A buffer on the chip from step `first` up to `end` (not in it), loaded or made there."""

    buffer: int
    first: int
    end: int
    offset_bytes: int
    loaded: bool


@final
@dataclass(frozen=True, slots=True)
class ScratchpadPlan:
    """`order` has the task of every step; `extra_bytes` move beyond what every plan moves."""

    order: tuple[int, ...]
    residences: tuple[Residence, ...]
    extra_bytes: int
    certificate: Certificate


def check_records(ops: Sequence[MemoryOp], buffers: Sequence[MemoryBuffer]) -> dict[int, int]:
    """Buffer → the task that makes it.

    Raises:
        PlanError: a buffer is a view, is made twice, or is read but neither made nor given.
    """
    maker: dict[int, int] = {}
    for index, b in enumerate(buffers):
        if b.alias_of is not None or b.offset_bytes is not None:
            raise PlanError(f"buffer {index}: views and places are not planned on a scratchpad")
    for task, op in enumerate(ops):
        for b in op.writes:
            if b in maker or buffers[b].from_start:
                raise PlanError(f"buffer {b} is written again by task {task}; expected one writer")
            maker[b] = task
    for task, op in enumerate(ops):
        for b in op.reads:
            if b not in maker and not buffers[b].from_start:
                raise PlanError(f"buffer {b}, which task {task} reads, is neither made nor given")
    return maker


def compulsory_bytes(ops: Sequence[MemoryOp], buffers: Sequence[MemoryBuffer]) -> int:
    """What every plan moves: inputs that are read, once, and outputs, once."""
    read = {b for op in ops for b in op.reads}
    given = sum(b.padded_bytes for i, b in enumerate(buffers) if b.from_start and i in read)
    return given + sum(b.padded_bytes for b in buffers if b.to_end)


def extra_bytes(buffers: Sequence[MemoryBuffer], residences: Sequence[Residence]) -> int:
    """Loads but the first of each input, and one store of each result that is loaded."""
    loads: dict[int, int] = {}
    for each in residences:
        if each.loaded:
            loads[each.buffer] = loads.get(each.buffer, 0) + 1
    total = 0
    for index, times in loads.items():
        b = buffers[index]
        stores = not b.from_start and not b.to_end
        total += (times - b.from_start + stores) * b.padded_bytes
    return total


def residences_of(
    resident: Sequence[frozenset[int]],
    loaded: Sequence[frozenset[int]],
    offsets: Mapping[tuple[int, int], int],
) -> tuple[Residence, ...]:
    """What is on the chip at every step, and what is loaded for it, as stretches of time.

    `offsets`: (buffer, first step) to its address; 0 where there is none yet.
    """
    found: list[Residence] = []
    open_: dict[int, tuple[int, bool]] = {}
    for step in range(len(resident) + 1):
        now = resident[step] if step < len(resident) else frozenset[int]()
        fresh = loaded[step] if step < len(loaded) else frozenset[int]()
        for b in sorted(open_):
            if b not in now or b in fresh:
                first, was = open_.pop(b)
                found.append(Residence(b, first, step, offsets.get((b, first), 0), was))
        for b in sorted(now - open_.keys()):
            open_[b] = (step, b in fresh)
    return tuple(found)


def blocks_of(
    buffers: Sequence[MemoryBuffer], residences: Sequence[Residence]
) -> tuple[Block, ...]:
    """Residences as blocks of the allocator; alignment is in the padded sizes."""
    return tuple(
        Block(buffers[r.buffer].padded_bytes, r.first, r.end, buffers[r.buffer].alignment_bytes)
        for r in residences
    )


def verify_scratchpad(
    plan: ScratchpadPlan,
    ops: tuple[MemoryOp, ...],
    buffers: tuple[MemoryBuffer, ...],
    capacity_bytes: int,
) -> None:
    """Plays the plan.

    Raises:
        PlanError: a task runs too early or without its operands, a load has nothing to read, two
            residences share bytes, something lies beyond the capacity, or the count is wrong.
    """
    maker, flow = check_records(ops, buffers), make_flow(ops, buffers)
    step_of = {task: step for step, task in enumerate(plan.order)}
    if sorted(plan.order) != list(range(len(ops))):
        raise PlanError("the order is no permutation of the tasks")
    for task, earlier in enumerate(flow.before):
        if any(step_of[other] >= step_of[task] for other in earlier):
            raise PlanError(f"task {task} runs before one that it follows")
    for r in plan.residences:
        made = step_of[maker[r.buffer]] if r.buffer in maker else -1
        if not r.loaded and r.first != made:
            raise PlanError(f"buffer {r.buffer} appears at step {r.first} from nowhere")
        if r.loaded and made >= r.first:
            raise PlanError(f"buffer {r.buffer} is loaded at step {r.first}, before it is made")
        if r.offset_bytes < 0 or r.offset_bytes + buffers[r.buffer].padded_bytes > capacity_bytes:
            raise PlanError(f"buffer {r.buffer} lies outside the scratchpad's {capacity_bytes}")
    for task, op in enumerate(ops):
        step = step_of[task]
        for b in {*op.reads, *op.writes}:
            if not any(r.buffer == b and r.first <= step < r.end for r in plan.residences):
                raise PlanError(f"task {task} at step {step} lacks buffer {b}")
    blocks = blocks_of(buffers, plan.residences)
    if clash := find_overlap(blocks, tuple(r.offset_bytes for r in plan.residences)):
        raise PlanError(f"residences {clash} share bytes")
    if extra_bytes(buffers, plan.residences) != plan.extra_bytes:
        raise PlanError(f"{plan.extra_bytes} extra bytes are claimed, which is not what moves")
