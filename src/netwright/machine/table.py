"""Table: what one opcode took on one unit, measured at several sizes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import final


@final
class Regime(Enum):
    """Where the weights (or the keys and values) lay when the point was taken."""

    COLD = "cold"  # streamed from the outermost memory
    CACHED = "cached"  # in the last cache, which the units share; the inner ones held other bytes
    WARM = "warm"  # in the innermost caches from the call before


@final
@dataclass(frozen=True, slots=True)
class Point:
    """One measurement: `sizes` as `Work.sizes` has them, seconds of one call on one unit.

    `spread` is the relative half width of the middle half of the repeats.
    """

    sizes: tuple[int, ...]
    seconds: float
    spread: float


@final
@dataclass(frozen=True, slots=True)
class Table:
    """Points of one opcode, one variant (operand formats) and one regime."""

    opcode: str
    variant: str
    regime: Regime
    points: tuple[Point, ...]
