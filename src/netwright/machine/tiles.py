"""MatrixTiles: what a unit of many cores needs to cut a matrix product into tiles.

Sources of this description: NVIDIA, "Matrix Multiplication Background User's Guide" (tiles, waves
over cores and their quantisation); Zhang et al., LLMCompass, ISCA 2024 (cores, local memories, a
shared cache).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from netwright.machine.machine import Source


@final
@dataclass(frozen=True, slots=True)
class MatrixTiles:
    """The cores of a unit, whose rates are those of all of them together.

    A core has `lanes` matrix units side by side, a local memory that holds the factors of a tile
    (`local_bytes`, read and written at `local_bytes_per_cycle`) and registers for its sums
    (`sum_bytes`). `step` is the product of one matrix instruction (rows, columns, summed).
    `sustained` is the share of the unit's rate that whole products were measured to hold,
    `memory_share` that of the outermost memory's bandwidth; `spread`: measured seconds lie between
    1/spread and spread times the model's, with the `confidence`.
    """

    cores: int
    clock_hertz: float
    lanes: int
    step: tuple[int, int, int]
    local_bytes: int
    local_bytes_per_cycle: float
    sum_bytes: int
    sustained: float
    memory_share: float
    spread: float
    confidence: float
    source: Source
