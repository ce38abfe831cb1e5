"""Bytes that calls of a program touch: what its memory will really hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from netwright.graph.extent import resolve
from netwright.program.encode import BLOCKS, PAGE_BYTES
from netwright.program.program import Operand, Program


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


def touched_bytes(program: Program, calls: Iterable[tuple[str, Mapping[str, int]]]) -> int:
    """Bytes of the pages that these calls (entry, symbols) read or write, in all arenas together.

    A page counts once however many operands lie on it; what no operand reaches is never resident.
    """
    entries = {entry.name: entry for entry in program.entries}
    pages: dict[int, list[tuple[int, int]]] = {}
    for name, symbols in calls:
        for task in entries[name].tasks:
            for operand in task.operands:
                if operand is None:
                    continue
                low, high = operand_interval(operand, symbols)
                if high > low:
                    first, last = low // PAGE_BYTES, -(-high // PAGE_BYTES)
                    pages.setdefault(operand.arena, []).append((first, last))
    return PAGE_BYTES * sum(_union(spans) for spans in pages.values())


def _union(spans: list[tuple[int, int]]) -> int:
    total, end = 0, -1
    for first, last in sorted(spans):
        total += max(0, last - max(first, end))
        end = max(end, last)
    return total
