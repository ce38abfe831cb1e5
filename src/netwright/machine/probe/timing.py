"""Points → tables: each kernel timed alone, by thread CPU time, cold or warm."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

from netwright.machine.probe.door import TimedOperand, core
from netwright.machine.probe.points import CODES, KernelPoint, ProbeOperand
from netwright.machine.probe.sweep import Progress
from netwright.machine.table import Point, Regime, Table

FILL = 0x3C  # every format reads this byte as an ordinary number: never a NaN or a denormal
LEAST_COLD_BYTES = 2**26
PASSES = 2  # far apart in time, so that a busy spell does not spoil a point
MOST_COLD_BYTES = 2**28


@final
class Timer:
    """Holds the bytes that rotated operands lie in, so that they are filled once."""

    def __init__(self, last_cache_bytes: int) -> None:
        size = min(max(3 * last_cache_bytes, LEAST_COLD_BYTES), MOST_COLD_BYTES)
        self._cold = _filled(size)

    def time(self, point: KernelPoint, budget_seconds: float) -> Point | None:
        """One measurement; None when the core has no such opcode or refuses the call."""
        sizes = [o.size_bytes for o in point.operands if o is not None and o.rotated]
        stride = -(-max(sizes, default=64) // 64) * 64
        copies = max(1, self._cold.size // stride) if sizes else 1
        operands = [self._operand(o, stride if copies > 1 else 0) for o in point.operands]
        try:
            samples = core.time_call(
                point.opcode,
                operands,
                list(point.parameters),
                copies,
                budget_seconds,
                core.has_avx2(),
            )
        except ValueError:
            return None
        low, middle, high = (float(q) for q in np.quantile(np.array(samples), (0.25, 0.5, 0.75)))
        return Point(point.sizes, low, (high - low) / 2 / middle)

    def _operand(self, operand: ProbeOperand | None, stride: int) -> TimedOperand:
        if operand is None:
            return None
        fits = operand.rotated and operand.size_bytes <= self._cold.size
        raw = self._cold if fits else _filled(operand.size_bytes)
        shape, strides = list(operand.shape), list(operand.stride_bytes)
        return raw, CODES[operand.format], shape, strides, stride if fits else 0


def _filled(size_bytes: int) -> NDArray[np.uint8]:
    """Bytes at an address that is a multiple of 64, as arenas have it."""
    raw = np.full(size_bytes + 64, FILL, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size_bytes]


def tables(
    points: Sequence[KernelPoint],
    last_cache_bytes: int,
    budget_seconds: float,
    deadline_seconds: float,
    progress: Progress,
) -> tuple[Table, ...]:
    """Every point that this core can run, until the deadline (of time.monotonic).

    The points are taken in rounds over the opcodes, so that a slow machine, stopped early, still
    has some of everything, and all of them in two passes.
    """
    timer = Timer(last_cache_bytes)
    known = {name for _, name, _, _ in core.opcodes()}
    waiting = _in_rounds([p for p in points if p.opcode in known])
    best: dict[KernelPoint, Point] = {}
    for index in range(PASSES * len(waiting)):
        if time.monotonic() > deadline_seconds:
            break
        point = waiting[index % len(waiting)]
        progress(f"{point.opcode} {point.variant}", index / (PASSES * len(waiting)))
        measured = timer.time(point, budget_seconds / PASSES)
        if measured is not None:
            best[point] = _better(best.get(point), measured)
    found: dict[tuple[str, str, Regime], list[Point]] = {}
    for point, measured in best.items():
        found.setdefault((point.opcode, point.variant, point.regime), []).append(measured)
    return tuple(
        Table(opcode, variant, regime, tuple(sorted(taken, key=lambda p: p.sizes)))
        for (opcode, variant, regime), taken in found.items()
    )


def _better(before: Point | None, now: Point) -> Point:
    """The shorter time of two passes: others on the machine only ever add to it."""
    return now if before is None or now.seconds < before.seconds else before


def _in_rounds(points: Sequence[KernelPoint]) -> list[KernelPoint]:
    groups: dict[tuple[str, str, Regime], list[KernelPoint]] = {}
    for point in points:
        groups.setdefault((point.opcode, point.variant, point.regime), []).append(point)
    longest = max((len(g) for g in groups.values()), default=0)
    return [g[i] for i in range(longest) for g in groups.values() if i < len(g)]
