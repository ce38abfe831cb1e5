"""Infeasible: why there is no plan, and what would make one, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class Term:
    """One additive part of a demand."""

    name: str
    value: float


@final
@dataclass(frozen=True, slots=True)
class Lever:
    """Something that would bring the demand under the limit, and to what."""

    name: str
    demand: float


@final
@dataclass(frozen=True, slots=True)
class Infeasible:
    """`demand` of `resource` exceeds `limit`, both in `unit`; `terms` add up to the demand."""

    resource: str
    demand: float
    limit: float
    unit: str
    terms: tuple[Term, ...]
    levers: tuple[Lever, ...]

    @property
    def gap(self) -> float:
        """How much too much."""
        return self.demand - self.limit
