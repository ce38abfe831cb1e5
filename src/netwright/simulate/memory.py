"""Memory over time: what a program holds, and how much of its scratch is alive at each task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from netwright.cost.storage import BLOCKS, row_bytes
from netwright.graph.extent import resolve
from netwright.program.program import ArenaKind, Entry, Operand, Program
from netwright.simulate.events import occupy
from netwright.timeline.timeline import MemorySample

# Operands that an opcode writes (they come first), where it is not one.
_WRITTEN: Mapping[str, int] = {"lstm": 3, "gru": 2, "top_k": 2}


@final
@dataclass(slots=True)
class _Value:
    """A stretch of an arena from the task that wrote it to the last that read it."""

    low: int
    high: int
    born: int
    last: int


def held_bytes(program: Program) -> dict[str, int]:
    """Bytes of each memory that the program holds, whatever it is doing: scratch excluded.

    Of a mapped file only what some task touches counts: the rest is never read.
    """
    held: dict[str, int] = {}
    for index, arena in enumerate(program.arenas):
        if arena.kind is ArenaKind.SCRATCH:
            continue
        size = arena.size_bytes
        if arena.kind is ArenaKind.FILE:
            size = min(size, _touched_bytes(program, index))
        held[arena.memory] = held.get(arena.memory, 0) + size
    return held


def peak_bytes(program: Program) -> int:
    """Bytes that the program holds at its worst, scratch included, all memories together."""
    scratch = (a.size_bytes for a in program.arenas if a.kind is ArenaKind.SCRATCH)
    return sum(held_bytes(program).values()) + sum(scratch)


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
    num_tasks = len(entry.tasks)
    found: dict[str, NDArray[np.int64]] = {}
    for index, arena in enumerate(program.arenas):
        if arena.kind is not ArenaKind.SCRATCH:
            continue
        change = np.zeros(num_tasks + 1, np.int64)
        for value in _values(entry, index, symbols):
            change[value.born] += value.high - value.low
            change[value.last + 1] -= value.high - value.low
        alive = np.cumsum(change[:-1])
        found[arena.memory] = found.get(arena.memory, np.zeros(num_tasks, np.int64)) + alive
    return list(found.items())


def samples(
    program: Program,
    entry: Entry,
    symbols: Mapping[str, int],
    times: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> tuple[MemorySample, ...]:
    """Bytes in use over one call, task by task. `times`: start and end of each task."""
    held = held_bytes(program)
    result: list[MemorySample] = []
    for memory, alive in live_scratch(program, entry, symbols):
        base = held.pop(memory, 0)
        if not len(alive):
            result.append(MemorySample(memory, 0.0, base))
            continue
        # Each task takes its bytes at its start and gives them back at its end.
        seconds = np.concatenate(times)
        change = np.concatenate([alive, -alive])
        in_order = bool((times[0][1:] >= times[1][:-1]).all())
        if in_order:
            seconds, change = times[0], np.diff(alive, prepend=0)
        level = occupy(seconds, np.zeros(len(seconds), np.int32), change.astype(np.int64), 1)
        last: dict[float, int] = dict(
            zip(level.seconds.tolist(), level.used_bytes.tolist(), strict=True)
        )
        result += [MemorySample(memory, at, base + used) for at, used in last.items()]
    result += [MemorySample(memory, 0.0, base) for memory, base in held.items()]
    return tuple(sorted(result, key=lambda s: s.start_seconds))


def _values(entry: Entry, arena: int, symbols: Mapping[str, int]) -> list[_Value]:
    """Everything ever written into the arena, with its life in task indices."""
    live: list[_Value] = []
    gone: list[_Value] = []
    for index, task in enumerate(entry.tasks):
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
            inside = [v for v in live if low <= v.low and v.high <= high]
            gone += inside
            live = [v for v in live if v not in inside]
            # In place: the bytes are not alive twice in the same task.
            for value in inside:
                value.last = min(value.last, max(index - 1, value.born))
            live.append(_Value(low, high, index, index))
    return gone + live


def _touched_bytes(program: Program, arena: int) -> int:
    spans: list[tuple[int, int]] = []
    for entry in program.entries:
        high = {name: most for name, _, most in entry.bounds}
        for task in entry.tasks:
            for operand in task.operands:
                if operand is not None and operand.arena == arena:
                    spans.append(extent_bytes(operand, high))
    total, end = 0, 0
    for low, high_end in sorted(spans):
        total += max(0, high_end - max(low, end))
        end = max(end, high_end)
    return total
