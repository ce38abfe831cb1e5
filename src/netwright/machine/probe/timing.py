"""Points → tables: each kernel timed one call at a time, as a program calls it, in passes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.machine.probe.door import TimedOperand, core
from netwright.machine.probe.points import CODES, KernelPoint, ProbeOperand
from netwright.machine.probe.sweep import Progress
from netwright.machine.table import Point, Regime, Table

FILL = 0x3C  # every format reads this byte as an ordinary number: never a NaN or a denormal
LEAST_COLD_BYTES = 2**26
MOST_COLD_BYTES = 2**28
POOL_BYTES = 2**25  # what is not cold lies here, one operand after the other
PASSES = 2  # far apart in time, so that a busy spell does not spoil a point
MOST_PASSES = 4  # for points that were never left alone
# Read between two calls where weights are not warm: it sends the inner caches' contents out.
BETWEEN_BYTES = 2**20

# A sample counts when the reference beside it took at most this many times its usual least.
ALONE = 1.1
FEWEST_SAMPLES = 4

Samples: TypeAlias = list[tuple[float, float]]  # (seconds of a call, of the reference beside it)


@final
class Timer:
    """Holds the bytes that operands lie in, so that they are filled once."""

    def __init__(self, cold_bytes: int, pool_bytes: int = POOL_BYTES) -> None:
        self._cold = _filled(cold_bytes)
        self._pool = _filled(pool_bytes)

    def time(self, point: KernelPoint, budget_seconds: float) -> Samples | None:
        """Samples of one point; None when the core has no such opcode or refuses the call."""
        written = WRITTEN.get(point.opcode, 1)
        cold = [o for o in point.operands if o and o.resident and point.regime is Regime.COLD]
        stride = max((_padded(o) for o in cold), default=0)
        segment = self._cold.size // max(len(cold), 1) // 64 * 64
        copies = max(1, segment // stride) if stride else 1
        operands: list[TimedOperand] = []
        free = taken = 0
        for index, operand in enumerate(point.operands):
            if operand is None:
                operands.append(None)
                continue
            if operand in cold and copies > 1:
                raw, step = self._cold[taken * segment : (taken + 1) * segment], stride
                taken += 1
            else:
                raw, step = self._slice(free, operand), 0
                free += _padded(operand)
            produced = index >= written and not operand.resident
            shape, strides = list(operand.shape), list(operand.stride_bytes)
            operands.append((raw, CODES[operand.format], shape, strides, step, produced))
        between = 0 if point.regime is Regime.WARM else BETWEEN_BYTES
        parameters, fast = list(point.parameters), core.has_avx2()
        try:
            return core.time_call(
                point.opcode, operands, parameters, copies, budget_seconds, between, fast
            )
        except ValueError:
            return None

    def _slice(self, start: int, operand: ProbeOperand) -> NDArray[np.uint8]:
        end = start + _padded(operand)
        return self._pool[start:end] if end <= self._pool.size else _filled(operand.size_bytes)


# Operands that an opcode writes, as the core has them.
WRITTEN = {name: written for _, name, written, _ in core.opcodes()}


def _padded(operand: ProbeOperand) -> int:
    return -(-operand.size_bytes // 64) * 64


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
    has some of everything, and all of them in passes: two, then more for those that never had the
    processor to themselves.
    """
    timer = Timer(min(max(3 * last_cache_bytes, LEAST_COLD_BYTES), MOST_COLD_BYTES))
    waiting = _in_rounds([p for p in points if p.opcode in WRITTEN])
    taken: dict[KernelPoint, Samples] = {}
    for index in range(MOST_PASSES):
        if index >= PASSES:
            usual = usual_reference(taken)
            waiting = [p for p in waiting if p in taken and _alone(taken[p], usual) is None]
        for place, point in enumerate(waiting):
            if time.monotonic() > deadline_seconds:
                return _tables(taken)
            share = min((index + place / len(waiting)) / PASSES, 1.0)
            progress(f"{point.opcode} {point.variant}", share)
            measured = timer.time(point, budget_seconds / PASSES)
            if measured is not None:
                taken.setdefault(point, []).extend(measured)
    return _tables(taken)


def usual_reference(taken: dict[KernelPoint, Samples]) -> float:
    """What the reference takes when the processor is left alone."""
    return float(np.quantile([r for samples in taken.values() for _, r in samples] or [0.0], 0.05))


def _alone(samples: Samples, usual: float) -> list[float] | None:
    kept = [seconds for seconds, reference in samples if reference <= ALONE * usual]
    return kept if len(kept) >= FEWEST_SAMPLES else None


def point_of(sizes: tuple[int, ...], samples: Samples, usual: float) -> Point:
    """Median and spread of the undisturbed samples; else of the third that was disturbed least."""
    kept = _alone(samples, usual)
    if kept is None:
        least = sorted(samples, key=lambda s: s[1])
        kept = [seconds for seconds, _ in least[: max(FEWEST_SAMPLES, len(least) // 3)]]
    low, middle, high = (float(q) for q in np.quantile(np.array(kept), (0.25, 0.5, 0.75)))
    return Point(sizes, middle, (high - low) / 2 / middle)


def _tables(taken: dict[KernelPoint, Samples]) -> tuple[Table, ...]:
    usual = usual_reference(taken)
    found: dict[tuple[str, str, Regime], list[Point]] = {}
    for point, samples in taken.items():
        key = (point.opcode, point.variant, point.regime)
        found.setdefault(key, []).append(point_of(point.sizes, samples, usual))
    return tuple(
        Table(opcode, variant, regime, tuple(sorted(points, key=lambda p: p.sizes)))
        for (opcode, variant, regime), points in found.items()
    )


def _in_rounds(points: Sequence[KernelPoint]) -> list[KernelPoint]:
    groups: dict[tuple[str, str, Regime], list[KernelPoint]] = {}
    for point in points:
        groups.setdefault((point.opcode, point.variant, point.regime), []).append(point)
    longest = max((len(g) for g in groups.values()), default=0)
    return [g[i] for i in range(longest) for g in groups.values() if i < len(g)]
