"""Bytes that calls of a program touch: what its memory will really hold.

`touched_bytes` is the most that can be resident of the arenas, what a plan must have room for.
`expected_bytes` is what is expected: of a table that is gathered from, the rows that a text touches
rather than all of it, and what the runtime needs beside the arenas.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from netwright.errors import ProgramError
from netwright.graph.extent import Affine, resolve
from netwright.native import core
from netwright.program.drawn import drawn_bytes
from netwright.program.encode import BLOCKS, FORMAT_CODES, PAGE_BYTES
from netwright.program.opcodes import ARRAY_OPCODES, STAGE_OPCODES
from netwright.program.program import ArenaKind, Operand, Program, Task

Call: TypeAlias = tuple[str, Mapping[str, int]]
_Spans: TypeAlias = list[tuple[int, int]]

# Linux maps up to this much around a page of a file that is read for the first time
# (mm/memory.c, fault_around_bytes).
FAULT_AROUND_BYTES = 65536
# Of each task and operand, what the core keeps once loaded (native/vm/executable.hpp).
_TASK_BYTES, _OPERAND_BYTES = 64, 128
_RECORD_BYTES = 64  # a task in the program's file


def operand_interval(operand: Operand, symbols: Mapping[str, int]) -> tuple[int, int]:
    """First byte and end of an operand inside its arena; equal when it is empty."""
    low = high = resolve(operand.offset_bytes, symbols)
    elements, block_bytes = BLOCKS[operand.format]
    shape = [resolve(e, symbols) for e in operand.shape]
    if 0 in shape:
        return low, low
    for d, (size, stride) in enumerate(zip(shape, operand.stride_bytes, strict=True)):
        if elements > 1 and d == len(shape) - 1:
            high += (size // elements - 1) * block_bytes
            continue
        reach = resolve(stride, symbols) * (size - 1)
        low, high = (low + reach, high) if reach < 0 else (low, high + reach)
    return low, high + block_bytes


def touched_bytes(program: Program, calls: Iterable[Call]) -> int:
    """Bytes of the pages that these calls (entry, symbols) may read or write, in all arenas.

    A page counts once however many operands lie on it; what no operand reaches is never resident.
    """
    found, gathered = _pages(program, calls)
    for arena, low, high, _ in gathered:
        found.setdefault(arena, []).append((low // PAGE_BYTES, -(-high // PAGE_BYTES)))
    return PAGE_BYTES * sum(_union(spans) for spans in found.values())


def _on_array(program: Program) -> bool:
    """Whether a spatial array runs it: its memories have no pages, and no runtime is beside."""
    return any(task.opcode in ARRAY_OPCODES for e in program.entries for task in e.tasks)


def arena_bytes(program: Program, calls: Iterable[Call]) -> dict[int, int]:
    """Arena → bytes expected to be resident: gathered tables by rows drawn at random.

    A spatial array holds its arenas whole.
    """
    if _on_array(program):
        return {index: arena.size_bytes for index, arena in enumerate(program.arenas)}
    found, gathered = _pages(program, calls)
    held = {arena: _resident(program, arena, spans) for arena, spans in found.items()}
    rows: dict[tuple[int, int, int], tuple[int, int]] = {}
    for arena, low, high, (drawn, count) in gathered:
        before = rows.get((arena, low, high), (0, count))[0]
        rows[arena, low, high] = (before + drawn, count)
    for (arena, low, high), (drawn, count) in rows.items():
        span = (low // PAGE_BYTES, -(-high // PAGE_BYTES))
        known = found.get(arena, [])
        alone = _union([*known, span]) - _union(known)
        file = program.arenas[arena].file
        seen = None if file is None else drawn_bytes(file.path, low, high, drawn, count)
        if seen is not None:
            held[arena] = held.get(arena, 0) + min(seen, PAGE_BYTES * alone)
            continue
        around = program.arenas[arena].kind in (ArenaKind.FILE, ArenaKind.CONSTANT)
        share = _drawn_share(high - low, drawn, count, FAULT_AROUND_BYTES if around else PAGE_BYTES)
        held[arena] = held.get(arena, 0) + round(PAGE_BYTES * alone * share)
    return held


def _resident(program: Program, arena: int, pages: _Spans) -> int:
    """Bytes of these pages; of a file whole windows come, as far as it reaches."""
    if program.arenas[arena].kind is not ArenaKind.FILE:
        return PAGE_BYTES * _union(pages)
    each = FAULT_AROUND_BYTES // PAGE_BYTES
    windows = [(first // each, -(-last // each)) for first, last in pages]
    whole = -(-program.arenas[arena].size_bytes // PAGE_BYTES) * PAGE_BYTES
    return min(FAULT_AROUND_BYTES * _union(windows), whole)


def _drawn_share(table_bytes: int, drawn: int, rows: int, window_bytes: int) -> float:
    """The share of a table's windows that this many rows, drawn evenly, lie on."""
    windows = max(table_bytes / window_bytes, 1.0)
    hit = min(1.0, (1.0 + table_bytes / max(rows, 1) / window_bytes) / windows)
    return 1.0 - (1.0 - hit) ** drawn


def beside_bytes(program: Program, calls: Iterable[Call]) -> int:
    """What the runtime holds beside the arenas: workspaces, records, copies of the outputs.

    Raises:
        ProgramError: a task's operands are refused by its opcode.
    """
    if _on_array(program):
        return 0
    entries = {entry.name: entry for entry in program.entries}
    tasks = [task for entry in program.entries for task in entry.tasks]
    operands = sum(len(task.operands) for task in tasks)
    records = len(tasks) * (_TASK_BYTES + _RECORD_BYTES) + operands * _OPERAND_BYTES
    workspace = copies = 0
    seen: set[object] = set()
    for name, symbols in calls:
        entry = entries[name]
        if entry.repeats == 1:  # what many steps record is looked at where it lies
            copies = max(copies, sum(_size(operand, symbols) for _, operand in entry.outputs))
        key = (name, tuple(sorted(symbols.items())))
        if key not in seen:
            seen.add(key)
            workspace = max([workspace, *(_workspace(task, symbols) for task in entry.tasks)])
    return records + copies + workspace * max(program.threads, 1)


def expected_bytes(program: Program, calls: Iterable[Call]) -> int:
    """Bytes expected to be resident once these calls were made: arenas and what is beside them."""
    made = list(calls)
    return sum(arena_bytes(program, made).values()) + beside_bytes(program, made)


def _size(operand: Operand, symbols: Mapping[str, int]) -> int:
    low, high = operand_interval(operand, symbols)
    return high - low


def _workspace(task: Task, symbols: Mapping[str, int]) -> int:
    if task.opcode in STAGE_OPCODES | ARRAY_OPCODES:
        return 0
    operands = [
        o
        and (
            FORMAT_CODES[o.format],
            [resolve(e, symbols) for e in o.shape],
            [resolve(e, symbols) for e in o.stride_bytes],
        )
        for o in task.operands
    ]
    values = [resolve(p, symbols) if isinstance(p, int | Affine) else p for p in task.parameters]
    try:
        return int(core.workspace_of(task.opcode, operands, values))
    except ValueError as error:
        raise ProgramError(f"{task.source} ({task.opcode}): {error}") from error


def _pages(
    program: Program, calls: Iterable[Call]
) -> tuple[dict[int, _Spans], list[tuple[int, int, int, tuple[int, int]]]]:
    """Pages by arena; and apart (arena, low, high, (rows drawn, rows)) of tables gathered from."""
    entries = {entry.name: entry for entry in program.entries}
    pages: dict[int, _Spans] = {}
    gathered: list[tuple[int, int, int, tuple[int, int]]] = []
    for name, symbols in calls:
        for task in entries[name].tasks:
            table = _TABLE.get(task.opcode)
            for index, operand in enumerate(task.operands):
                if operand is None:
                    continue
                low, high = operand_interval(operand, symbols)
                if high <= low:
                    continue
                if index == table:
                    gathered.append((operand.arena, low, high, _drawn(task, symbols)))
                    continue
                first, last = low // PAGE_BYTES, -(-high // PAGE_BYTES)
                pages.setdefault(operand.arena, []).append((first, last))
    return pages, gathered


# Opcode → its operand of which only some rows are read (native/vm/opcodes.md).
_TABLE: Mapping[str, int] = {"gather_rows": 1, "gather": 1}


def _drawn(task: Task, symbols: Mapping[str, int]) -> tuple[int, int]:
    """Rows that a gather reads, and rows that there are."""
    table, ids = task.operands[1], task.operands[2]
    assert table is not None and ids is not None
    drawn = 1
    for extent in ids.shape:
        drawn *= resolve(extent, symbols)
    rows = [resolve(e, symbols) for e in table.shape]
    if task.opcode == "gather":  # [outer, rows, inner]
        return drawn * rows[0], rows[0] * rows[1]
    return drawn, rows[0]


def _union(spans: list[tuple[int, int]]) -> int:
    total, end = 0, -1
    for first, last in sorted(spans):
        total += max(0, last - max(first, end))
        end = max(end, last)
    return total
