"""Memory over time: what a program holds, and how much of its scratch is alive at each task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from netwright.cost.storage import BLOCKS, row_bytes
from netwright.graph.extent import resolve
from netwright.program.footprint import Call, arena_bytes, beside_bytes, expected_bytes
from netwright.program.program import ArenaKind, Entry, Operand, Program
from netwright.simulate.events import occupy
from netwright.timeline.timeline import MemorySample

# Operands that an opcode writes (they come first), where it is not one.
_WRITTEN: Mapping[str, int] = {"lstm": 3, "gru": 2, "top_k": 2, "stage_forward": 2}


@final
@dataclass(slots=True)
class _Value:
    """A stretch of an arena from the task that wrote it to the last that read it."""

    low: int
    high: int
    born: int
    last: int


def peak_bytes(program: Program, calls: Sequence[Call], runtime_bytes: int) -> int:
    """Bytes expected to be resident at most in these calls, all memories together.

    `runtime_bytes`: what the machine's runtime holds besides any program.
    """
    return expected_bytes(program, calls) + runtime_bytes


def held_bytes(program: Program, calls: Sequence[Call], runtime_bytes: int) -> dict[str, int]:
    """Bytes of each memory that are held whatever task is running: all but scratch.

    What the runtime needs beside the arenas counts where the scratch is.
    """
    held: dict[str, int] = {}
    beside = beside_bytes(program, calls) + runtime_bytes
    where = [a.memory for a in program.arenas if a.kind is ArenaKind.SCRATCH]
    where += [a.memory for a in program.arenas]
    for memory in where[:1]:
        held[memory] = beside
    for index, size in arena_bytes(program, calls).items():
        arena = program.arenas[index]
        if arena.kind is not ArenaKind.SCRATCH:
            held[arena.memory] = held.get(arena.memory, 0) + size
    return held


def extent_bytes(operand: Operand, symbols: Mapping[str, int]) -> tuple[int, int]:
    """The bytes `[low, high)` of its arena that an operand lies in.

    Raises:
        KeyError: a symbol has no value.
        UnsupportedError: its format is none that an operand may have.
    """
    low = resolve(operand.offset_bytes, symbols)
    shape = [resolve(e, symbols) for e in operand.shape]
    strides = [resolve(e, symbols) for e in operand.stride_bytes]
    if any(size == 0 for size in shape):
        return low, low
    if BLOCKS.get(operand.format, (1, 0))[0] > 1:
        inner = int(np.ceil(row_bytes(operand.format, shape[-1] if shape else 1)))
        shape, strides = shape[:-1], strides[:-1]
    else:
        inner = int(row_bytes(operand.format, 1))
    reach = sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    return low, low + reach + inner


def live_scratch(
    program: Program, entry: Entry, symbols: Mapping[str, int]
) -> list[tuple[str, NDArray[np.int64]]]:
    """For each memory with scratch: bytes alive while each task of the entry runs."""
    return [(m, found.alive(len(entry.tasks))) for m, found in _scratch(program, entry, symbols)]


@final
@dataclass(slots=True)
class _Scratch:
    """What is ever written into the scratch of one memory, and the most that is touched of it."""

    values: list[_Value]
    most_bytes: int

    def alive(self, num_tasks: int) -> NDArray[np.int64]:
        """Bytes alive while each task runs, if they run one after the other."""
        change = np.zeros(num_tasks + 1, np.int64)
        for value in self.values:
            change[value.born] += value.high - value.low
            change[value.last + 1] -= value.high - value.low
        # Parts of one tensor that interleave lie in one stretch: together no more than is touched.
        return np.minimum(np.cumsum(change[:-1]), self.most_bytes)


def _scratch(
    program: Program, entry: Entry, symbols: Mapping[str, int]
) -> list[tuple[str, _Scratch]]:
    touched = arena_bytes(program, [(entry.name, symbols)])
    users: dict[int, list[int]] = {}
    for index, task in enumerate(entry.tasks):
        for arena in {o.arena for o in task.operands if o is not None}:
            users.setdefault(arena, []).append(index)
    found: dict[str, _Scratch] = {}
    for index, arena in enumerate(program.arenas):
        if arena.kind is not ArenaKind.SCRATCH:
            continue
        here = found.setdefault(arena.memory, _Scratch([], 0))
        here.values += _values(entry, index, users.get(index, []), symbols)
        here.most_bytes += touched.get(index, 0)
    return list(found.items())


def samples(
    program: Program,
    entry: Entry,
    symbols: Mapping[str, int],
    times: tuple[NDArray[np.float64], NDArray[np.float64]],
    runtime_bytes: int,
) -> tuple[MemorySample, ...]:
    """Bytes in use over one call, task by task. `times`: start and end of each task."""
    held = held_bytes(program, [(entry.name, symbols)], runtime_bytes)
    starts, ends = times
    in_order = bool((starts[1:] >= ends[:-1]).all())
    result: list[MemorySample] = []
    for memory, found in _scratch(program, entry, symbols):
        base = held.pop(memory, 0)
        # Where tasks overlap, a value lives from its first task's start to its last one's end.
        born = np.array([value.born for value in found.values], np.int64)
        last = np.array([value.last for value in found.values], np.int64)
        size = np.array([value.high - value.low for value in found.values], np.int64)
        seconds = np.concatenate([starts[born], ends[last]])
        change = np.concatenate([size, -size])
        if in_order:
            seconds, change = starts, np.diff(found.alive(len(entry.tasks)), prepend=0)
        if not len(seconds):
            result.append(MemorySample(memory, 0.0, base))
            continue
        level = occupy(seconds, np.zeros(len(seconds), np.int32), change.astype(np.int64), 1)
        used = np.minimum(level.used_bytes, found.most_bytes)
        latest: dict[float, int] = dict(zip(level.seconds.tolist(), used.tolist(), strict=True))
        result += [MemorySample(memory, at, base + used) for at, used in latest.items()]
    result += [MemorySample(memory, 0.0, base) for memory, base in held.items()]
    return tuple(sorted(result, key=lambda s: s.start_seconds))


def _values(
    entry: Entry, arena: int, users: Sequence[int], symbols: Mapping[str, int]
) -> list[_Value]:
    """Everything that these tasks ever write into the arena, with its life in task indices."""
    live: list[_Value] = []
    gone: list[_Value] = []
    for index in users:
        task = entry.tasks[index]
        num_written = _WRITTEN.get(task.opcode, 1)
        spots = [
            (position < num_written, *extent_bytes(operand, symbols))
            for position, operand in enumerate(task.operands)
            if operand is not None and operand.arena == arena
        ]
        for written, low, high in spots:
            for value in live:
                if not written and value.low < high and low < value.high:
                    value.last = index
        for written, low, high in spots:
            if not written or low == high:
                continue
            kept: list[_Value] = []
            for value in live:
                if value.high <= low or high <= value.low:
                    kept.append(value)
                    continue
                # What is written over is dead, what sticks out lives on: else a reader of the new
                # value would keep the old one alive. In place: not alive twice in the same task.
                cut = _Value(max(low, value.low), min(high, value.high), value.born, value.last)
                cut.last = min(cut.last, max(index - 1, cut.born))
                gone.append(cut)
                sides = ((value.low, low), (high, value.high))
                kept += [_Value(a, b, value.born, value.last) for a, b in sides if a < b]
            live = [*kept, _Value(low, high, index, index)]
    return gone + live
