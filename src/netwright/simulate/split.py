"""One parallel region on unequal units: cut before it starts, or in parts that free units claim.

Units have speeds of their own and may share a capacity (of a memory, say) max-min fairly. Shares by
ratio, and how ratios follow from what was seen, are those of Luo et al., "A dynamic parallel method
for performance optimization on hybrid CPUs", 2024, arXiv 2411.19542: s_i = s r_i / sum r, and
r_i' = (r_i / t_i) / sum (r_j / t_j) after a region in which unit i took t_i. Claims are list
scheduling (Graham, SIAM J. Appl. Math. 1969), as the native virtual machine does it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import final

from netwright.errors import ProgramError

DONE = 1e-12  # of a part: what is left by rounding alone


@final
@dataclass(frozen=True, slots=True)
class Ratios:
    """Relative speeds of units as they are believed to be; they add up to 1."""

    values: tuple[float, ...]

    @classmethod
    def even(cls, units: int) -> Ratios:
        """Nothing is known yet: all alike."""
        return cls((1.0 / units,) * units)

    def shares(self, work: float, grain: float = 0.0) -> tuple[float, ...]:
        """The work of each unit; whole grains (the last unit takes what is left) unless it is 0."""
        total = sum(self.values)
        if not grain:
            return tuple(work * r / total for r in self.values)
        ends = [
            round(work / grain * sum(self.values[: i + 1]) / total) for i in range(len(self.values))
        ]
        ends[-1] = math.ceil(work / grain)
        cuts = [min(grain * end, work) for end in (0, *ends)]
        return tuple(b - a for a, b in pairwise(cuts))

    def after(self, seconds: Sequence[float], kept: float = 0.0) -> Ratios:
        """What is believed after a region by these ratios in which each unit took so long.

        `kept`: the weight of the old ratios (smoothing). A unit that had nothing to do keeps its.
        """
        seen = [r / t if t > 0 else 0.0 for r, t in zip(self.values, seconds, strict=True)]
        idle = sum(r for r, t in zip(self.values, seconds, strict=True) if t <= 0)
        total = sum(seen) or 1.0
        fresh = [
            s / total * (1.0 - idle) if t > 0 else r
            for r, s, t in zip(self.values, seen, seconds, strict=True)
        ]
        return Ratios(
            tuple(kept * r + (1.0 - kept) * f for r, f in zip(self.values, fresh, strict=True))
        )


@final
@dataclass(frozen=True, slots=True)
class Ended:
    """When each unit had no work left, and how much it did."""

    seconds: tuple[float, ...]
    work: tuple[float, ...]

    @property
    def span_seconds(self) -> float:
        """The end of the region."""
        return max(self.seconds, default=0.0)


def ideal_seconds(work: float, speeds: Sequence[float], capacity: float = math.inf) -> float:
    """All units at work until the end: no split takes less."""
    return work / min(sum(speeds), capacity)


def cut(shares: Sequence[float], speeds: Sequence[float], capacity: float = math.inf) -> Ended:
    """A region that is split before it starts: unit i does `shares[i]`.

    Raises:
        ProgramError: a speed or the capacity is not positive, or the numbers of units differ.
    """
    queues = [[share] if share > 0 else [] for share in shares]
    return _play(queues, [], speeds, capacity)


def claimed(work: float, parts: int, speeds: Sequence[float], capacity: float = math.inf) -> Ended:
    """A region in equal parts, each claimed by the unit that is free first (the lower of two).

    Raises:
        ProgramError: as `cut`, or there are no parts.
    """
    if parts < 1:
        raise ProgramError(f"a region in {parts} parts: expected at least 1")
    return _play([[] for _ in speeds], [work / parts] * parts, speeds, capacity)


def _play(
    own: list[list[float]], common: list[float], speeds: Sequence[float], capacity: float
) -> Ended:
    """Each unit takes its own parts, then common ones; rates change when a unit ends a part."""
    if len(own) != len(speeds) or min(speeds, default=1.0) <= 0 or capacity <= 0:
        raise ProgramError(f"{len(own)} queues, speeds {tuple(speeds)}, capacity {capacity}")
    left, size = [0.0] * len(own), [0.0] * len(own)
    done, ends = [0.0] * len(own), [0.0] * len(own)
    now, next_common = 0.0, 0
    while True:
        for unit, queue in enumerate(own):
            if left[unit] > 0:
                continue
            if queue:
                left[unit] = size[unit] = queue.pop()
            elif next_common < len(common):
                left[unit] = size[unit] = common[next_common]
                next_common += 1
        active = [u for u, rest in enumerate(left) if rest > 0]
        if not active:
            return Ended(tuple(ends), tuple(done))
        rates = dict(zip(active, fair([speeds[u] for u in active], capacity), strict=True))
        step = min(left[u] / rates[u] for u in active)
        now += step
        for unit, rate in rates.items():
            left[unit] -= rate * step
            if left[unit] <= DONE * size[unit]:
                left[unit] = 0.0
                done[unit] += size[unit]
                ends[unit] = now


def fair(limits: Sequence[float], capacity: float) -> list[float]:
    """Max-min fair rates: nobody above its limit, all together at most the capacity."""
    rates, rest = [0.0] * len(limits), capacity
    order = sorted(range(len(limits)), key=lambda i: limits[i])
    for position, index in enumerate(order):
        rates[index] = min(limits[index], rest / (len(order) - position))
        rest -= rates[index]
    return rates
