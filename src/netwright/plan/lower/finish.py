"""Steps and buffers → a Program: arenas, addresses, and what must wait for what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from netwright.plan.lower.emitter import Store
from netwright.plan.lower.lower import Lowered
from netwright.plan.lower.step import ALIGNMENT_BYTES, BufferId, Step, View
from netwright.program.file import file_reference
from netwright.program.program import Arena, ArenaKind, Entry, Operand, Program, Task

MEMORY = "memory"
_READ_ONLY = (ArenaKind.FILE, ArenaKind.CONSTANT)


def aligned(size_bytes: int) -> int:
    """The next multiple of the alignment of buffers."""
    return size_bytes + -size_bytes % ALIGNMENT_BYTES


def program_of(
    name: str,
    store: Store,
    entries: Sequence[Lowered],
    offsets: Mapping[BufferId, int],
    scratch_bytes: int,
    on: tuple[str, Mapping[str, int]],
) -> Program:
    """The flat program, on a machine with a number of threads for each entry.

    `offsets` gives each scratch buffer its address in the scratch arena.
    """
    arenas, place = _arenas(store, offsets, scratch_bytes)
    return Program(
        name,
        tuple(arenas),
        tuple(
            replace(_entry(lowered, store, place), threads=on[1].get(lowered.name, 1))
            for lowered in entries
        ),
        machine=on[0],
        threads=max(on[1].values()),
    )


def _arenas(
    store: Store, offsets: Mapping[BufferId, int], scratch_bytes: int
) -> tuple[list[Arena], dict[BufferId, tuple[int, int]]]:
    files = sorted({b.file for b in store.buffers if b.file is not None})
    arenas = [_file_arena(path) for path in files]
    constants = np.concatenate([*store.constants, np.zeros(0, np.uint8)])
    arenas.append(Arena("constants", ArenaKind.CONSTANT, constants.size, MEMORY, raw=constants))
    scratch = len(arenas)
    arenas.append(Arena("scratch", ArenaKind.SCRATCH, scratch_bytes, MEMORY))
    place: dict[BufferId, tuple[int, int]] = {}
    ends = {ArenaKind.STATE: 0, ArenaKind.INPUT_OUTPUT: 0}
    index_of = {ArenaKind.STATE: scratch + 1, ArenaKind.INPUT_OUTPUT: scratch + 2}
    for index, buffer in enumerate(store.buffers):
        key = BufferId(index)
        if buffer.kind is ArenaKind.FILE:
            assert buffer.file is not None
            place[key] = (files.index(buffer.file), buffer.offset_bytes)
        elif buffer.kind is ArenaKind.CONSTANT:
            place[key] = (scratch - 1, buffer.offset_bytes)
        elif buffer.kind is ArenaKind.SCRATCH:
            if key in offsets:
                place[key] = (scratch, offsets[key])
        else:
            place[key] = (index_of[buffer.kind], ends[buffer.kind])
            ends[buffer.kind] += aligned(buffer.size_bytes)
    for kind, label in ((ArenaKind.STATE, "state"), (ArenaKind.INPUT_OUTPUT, "ports")):
        arenas.append(Arena(label, kind, ends[kind], MEMORY))
    return arenas, place


def _file_arena(path: Path) -> Arena:
    reference = file_reference(path)
    return Arena(path.name, ArenaKind.FILE, reference.size_bytes, MEMORY, reference)


def _entry(lowered: Lowered, store: Store, place: Mapping[BufferId, tuple[int, int]]) -> Entry:
    def operand(view: View) -> Operand:
        arena, offset = place[view.buffer]
        return Operand(
            arena, view.offset_bytes + offset, view.format, view.shape, view.stride_bytes
        )

    waits = _waits(lowered.steps, store, place)
    tasks = tuple(
        Task(
            step.opcode,
            tuple(None if v is None else operand(v) for v in step.operands),
            step.parameters,
            waits[index],
            step.parts,
            step.source,
        )
        for index, step in enumerate(lowered.steps)
    )
    return Entry(
        lowered.name,
        tasks,
        lowered.bounds,
        lowered.limit,
        tuple((name, operand(view)) for name, view in lowered.inputs),
        tuple((name, operand(view)) for name, view in lowered.outputs),
        repeats=lowered.repeats,
    )


@dataclass(slots=True)
class _Touched:
    """A stretch of an arena, the last step that wrote it and those that read it since."""

    low: int
    high: int
    writer: int | None
    readers: list[int]


def _waits(
    steps: Sequence[Step],
    store: Store,
    place: Mapping[BufferId, tuple[int, int]],
) -> list[tuple[int, ...]]:
    """Which earlier steps each one waits for: those whose bytes it conflicts with.

    By address, so that a buffer which takes over another's place waits for its last reader.
    """
    touched: dict[int, list[_Touched]] = {}
    result: list[tuple[int, ...]] = []
    for index, step in enumerate(steps):
        needed: set[int] = set()
        for position, view in enumerate(step.operands):
            if view is None or store.buffers[view.buffer].kind in _READ_ONLY:
                continue
            arena, low = place[view.buffer]
            high = low + store.buffers[view.buffer].size_bytes
            writes = position < step.num_written
            kept: list[_Touched] = []
            for other in touched.get(arena, []):
                overlaps = other.low < high and low < other.high
                if overlaps:
                    if other.writer is not None:
                        needed.add(other.writer)
                    if writes:
                        needed.update(other.readers)
                covered = low <= other.low and other.high <= high
                if not (overlaps and writes and covered):
                    kept.append(other)
            kept.append(_Touched(low, high, index if writes else None, [] if writes else [index]))
            touched[arena] = kept
        needed.discard(index)
        result.append(tuple(sorted(needed)))
    return _direct(result)


def _direct(waits: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Without the waits that others already imply (one level deep is enough in practice)."""
    return [
        tuple(w for w in needed if not any(w in waits[other] for other in needed))
        for needed in waits
    ]
