"""Cycles of a cascade of einsums on several arrays that work side by side, stage by stage.

FuseMax (Nayak et al., arXiv 2406.10491) computes attention on a plane of processing elements and a
line of them: einsums over rows and the keys of a block run on the plane, those with one value a row
and block on the line. A stage is what both do at once (for different blocks, so that neither waits
for the other); its cycles are those of the busier array. Fill and drain are not counted, nor
turns that leave members idle: sizes are taken to be multiples of the arrays'.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from netwright.graph.extent import resolve
from netwright.graph.op import Einsum


@final
@dataclass(frozen=True, slots=True)
class Elements:
    """How many processing elements an array has, and cycles that one takes for a map function.

    A function that `cycles` does not name takes one; a sum or maximum on its way is part of it
    (a multiply-accumulate is one cycle), and alone takes one.
    """

    count: int
    cycles: Mapping[str, float]

    def of(self, einsum: Einsum) -> float:
        """Cycles of the whole array for an einsum."""
        points = math.prod(resolve(size, {}) for _, size in einsum.loops)
        return points * self.cycles.get(einsum.map, 1.0) / self.count


Stage = Mapping[str, Sequence[Einsum]]  # array → what it does in the stage


def staged_cycles(arrays: Mapping[str, Elements], stages: Sequence[Stage]) -> float:
    """The sum over stages of the busiest array's cycles."""
    return sum(
        max(sum(arrays[name].of(e) for e in einsums) for name, einsums in stage.items())
        for stage in stages
    )


def busy_cycles(arrays: Mapping[str, Elements], stages: Sequence[Stage]) -> dict[str, float]:
    """Cycles of work of every array; the largest is what no order of the stages is below."""
    total = dict.fromkeys(arrays, 0.0)
    for stage in stages:
        for name, einsums in stage.items():
            total[name] += sum(arrays[name].of(e) for e in einsums)
    return total
