"""Certificate: how far a decision is at most from the best possible one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from netwright.errors import PlanError


@final
@dataclass(frozen=True, slots=True)
class Certificate:
    """A value that is to be small, and a bound below which no other answer can be.

    `objective` names the quantity with its unit ("peak_bytes", "seconds"); `bound` is None when
    nothing is known; `proved` says that the value cannot be improved.

    Raises:
        PlanError: the bound lies above the value, or a gap is called proved.
    """

    objective: str
    value: float
    bound: float | None
    method: str
    proved: bool

    def __post_init__(self) -> None:
        slack = 1e-9 * abs(self.value)  # bounds from floating-point solvers
        if self.bound is not None and self.bound > self.value + slack:
            raise PlanError(
                f"certificate of {self.objective}: bound {self.bound} is above value {self.value};"
                " a lower bound was expected: the method that gave it is wrong"
            )
        if self.proved and (self.bound is None or self.bound < self.value - slack):
            raise PlanError(
                f"certificate of {self.objective}: proved, with value {self.value} and bound"
                f" {self.bound}; a proof needs the two to be equal"
            )

    @property
    def gap(self) -> float | None:
        """`(value - bound) / bound`: 0 when optimal, None when no bound is known."""
        if self.bound is None:
            return None
        if self.value <= self.bound:
            return 0.0
        return (self.value - self.bound) / self.bound if self.bound > 0 else math.inf

    @property
    def text(self) -> str:
        """In words: "optimal", "within 3.1 %", "2.4 times the bound" or "no bound known"."""
        if self.proved:
            return "optimal"
        gap = self.gap
        if gap is None or math.isinf(gap):
            return "no bound known"
        return f"within {100 * gap:.1f} %" if gap < 1 else f"{1 + gap:.3g} times the bound"

    def __str__(self) -> str:
        return f"{self.objective} {self.value:g}: {self.text} ({self.method})"
