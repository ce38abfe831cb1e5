"""Points → samples: each kernel timed one call at a time, as a program calls it, in rounds."""

from __future__ import annotations

import mmap
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import final

import numpy as np
from numpy.typing import NDArray

from netwright.machine.probe.door import TimedOperand, core
from netwright.machine.probe.points import CODES, KernelPoint, ProbeOperand
from netwright.machine.probe.sweep import Progress
from netwright.machine.probe.undisturbed import WANTED, Samples, usual_of
from netwright.machine.table import Regime

FILL = 0x3C  # every format reads this byte as an ordinary number: never a NaN or a denormal
LEAST_COLD_BYTES = 2**26
MOST_COLD_BYTES = 2**28
POOL_BYTES = 2**25  # what is not cold lies here, one operand after the other
# Read between two calls where weights are not warm: it sends the inner caches' contents out.
BETWEEN_BYTES = 2**20

FIRST_ROUNDS = 3  # over all points; later rounds are for those that were left alone too seldom


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
        turns = max((o.turns for o in point.operands if o), default=0)
        copies = turns or (max(1, segment // stride) if stride else 1)
        operands: list[TimedOperand] = []
        free = taken = 0
        for index, operand in enumerate(point.operands):
            if operand is None:
                operands.append(None)
                continue
            if operand.is_told:
                raw, step = _told(operand), 8 if operand.turns else 0
            elif operand in cold and stride <= segment and copies > 1:
                # With turns, other rows of it are read at every call.
                raw = self._cold[taken * segment : (taken + 1) * segment]
                step = 0 if turns else stride
                taken += 1
            else:
                raw, step = self._slice(free, operand), 0
                free += _padded(operand)
            produced = index >= written and not operand.resident
            shape, strides = list(operand.shape), list(operand.stride_bytes)
            operands.append((raw, CODES[operand.format], shape, strides, step, produced))
        between = point.between_bytes
        if between is None:
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


@lru_cache(maxsize=128)
def _told(operand: ProbeOperand) -> NDArray[np.uint8]:
    """The bytes of an operand whose contents matter: its own, row after row."""
    draw = np.random.default_rng(operand.size_bytes)
    if operand.normal:
        return _encoded(draw, operand)
    dtype = np.dtype(DTYPES.get(operand.format, operand.format))
    count = operand.size_bytes // dtype.itemsize
    if operand.turns:
        return np.arange(operand.turns, dtype=np.int64).view(np.uint8)
    if operand.bits:
        few, many = operand.bits
        rows, width = operand.shape[0], 8 * operand.shape[1]
        return np.packbits(_chosen(draw, rows, few, many, width), bitorder="little")
    if operand.ones:
        few, many = operand.ones
        return _chosen(draw, count // many, few, many, many).astype(dtype).view(np.uint8).ravel()
    if operand.below:
        return draw.integers(0, operand.below, count, dtype=dtype).view(np.uint8)
    return (operand.ramp * np.arange(count)).astype(dtype).view(np.uint8)


def _encoded(draw: np.random.Generator, operand: ProbeOperand) -> NDArray[np.uint8]:
    """By the kernel that does so."""
    x = draw.standard_normal(operand.shape, np.float32)
    raw = np.zeros((operand.shape[0], operand.stride_bytes[0]), np.uint8)
    shape, strides = list(operand.shape), list(operand.stride_bytes)
    given = [(raw, CODES[operand.format], shape, strides), (x, 0, shape, list(x.strides))]
    core.call("quantize_rows", given, [], avx2=core.has_avx2())
    return raw.reshape(-1)


def _chosen(
    draw: np.random.Generator, rows: int, few: int, many: int, width: int
) -> NDArray[np.bool_]:
    """[rows, width] of which `few` of the first `many` of each row are set."""
    found = np.zeros((rows, width), np.bool_)
    for row in found:
        row[draw.choice(many, few, replace=False)] = True
    return found


DTYPES = {"fp32": "float32"}

# Operands that an opcode writes, as the core has them.
WRITTEN = {name: written for _, name, written, _ in core.opcodes()}


def _padded(operand: ProbeOperand) -> int:
    return -(-operand.size_bytes // 64) * 64


def _filled(size_bytes: int) -> NDArray[np.uint8]:
    """Pages as the runtime maps them: numpy would ask for huge ones, which arenas do not have."""
    raw = np.frombuffer(mmap.mmap(-1, max(size_bytes, 1)), np.uint8)
    raw[:] = FILL
    return raw


def rounds(
    points: Sequence[KernelPoint],
    last_cache_bytes: int,
    budget_seconds: float,
    deadline_seconds: float,
    progress: Progress,
) -> Iterator[Mapping[KernelPoint, Samples]]:
    """After each round all samples so far of the points that this core can run.

    All points are visited in every round, so that each has samples of moments that lie far apart;
    from the fourth round on, those that have been left alone too seldom. Within a round the opcodes
    take turns, so that a slow machine, stopped early, still has some of everything. It ends at the
    deadline (of time.monotonic), or when all were left alone often enough.
    """
    timer = Timer(min(max(3 * last_cache_bytes, LEAST_COLD_BYTES), MOST_COLD_BYTES))
    waiting = _in_turns([p for p in points if p.opcode in WRITTEN])
    taken: dict[KernelPoint, Samples] = {}
    begun, index = time.monotonic(), 0
    while waiting:
        for point in waiting:
            now = time.monotonic()
            if now > deadline_seconds:
                yield taken
                return
            progress(f"{point.opcode} {point.variant}", (now - begun) / (deadline_seconds - begun))
            measured = timer.time(point, budget_seconds)
            if measured is not None:
                taken.setdefault(point, []).extend(measured)
        yield taken
        index += 1
        if index >= FIRST_ROUNDS:
            usual = usual_of(taken)
            waiting = [p for p in taken if usual.num_alone(taken[p]) < WANTED]


def _in_turns(points: Sequence[KernelPoint]) -> list[KernelPoint]:
    groups: dict[tuple[str, str, Regime], list[KernelPoint]] = {}
    for point in points:
        groups.setdefault((point.opcode, point.variant, point.regime), []).append(point)
    longest = max((len(g) for g in groups.values()), default=0)
    return [g[i] for i in range(longest) for g in groups.values() if i < len(g)]
