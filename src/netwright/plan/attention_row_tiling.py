"""Tiles of attention that softmax sees in whole rows: HeadShape, memory → tile, traffic."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

from netwright.cost.attention_rows import RowTile, held, rows_moved
from netwright.cost.attention_tiles import HeadShape, HeadTile, Moved, TileOrder
from netwright.errors import PlanError


@final
@dataclass(frozen=True, slots=True)
class RowStep:
    """The side of the array: rows of a tile are a multiple of `rows`, `columns` keys stream."""

    rows: int = 1
    columns: int = 1


@final
@dataclass(frozen=True, slots=True)
class RowTiling:
    """The tile of least traffic of this dataflow."""

    tile: RowTile
    moved: Moved


def tile_attention_rows(
    shape: HeadShape, memory_elements: int, step: RowStep = RowStep()
) -> RowTiling:
    """The tile that moves fewest elements; of equal ones the one that holds fewest.

    Between few rows, all kept, with keys read often, and many rows, spilled, with keys read seldom.
    Exact: with as many tiles the narrowest holds least and keeps most rows, and only these are
    tried, each with as many rows of scores as fit.

    Raises:
        PlanError: no tile fits.
    """
    fitting = list(_tiles(shape, memory_elements, step))
    if not fitting:
        rows, columns = min(step.rows, shape.queries), min(step.columns, shape.keys)
        least = min(held(shape, RowTile(rows, kept, columns)) for kept in (0, rows))
        raise PlanError(
            f"attention of {shape.queries} x {shape.keys} by whole rows: a memory of"
            f" {memory_elements} elements holds no tile; {least} would do"
        )
    best = min(fitting, key=lambda t: (rows_moved(shape, t).total, held(shape, t)))
    return RowTiling(best, rows_moved(shape, best))


def one_pass_tile(shape: HeadShape, memory_elements: int, step: RowStep) -> HeadTile:
    """The most queries that stay while keys stream past, in one pass: no row of scores is held.

    Queries, sums and two statistics a row; `step.columns` keys and values. The rows divide the
    queries evenly. Source: FuseMax (Nayak et al., arXiv 2406.10491), section 5.

    Raises:
        PlanError: not even one step of rows fits.
    """
    widths = shape.width + shape.value_width
    most = (memory_elements - step.columns * widths) // (widths + 2)
    for rows in range(min(most, shape.queries) // step.rows * step.rows, 0, -step.rows):
        if shape.queries % rows == 0:
            return HeadTile(TileOrder.QUERIES_OUTER, rows, step.columns)
    raise PlanError(
        f"attention of {shape.queries} x {shape.keys} in one pass: a memory of {memory_elements}"
        f" elements holds no {step.rows} rows that divide the queries"
    )


def _tiles(shape: HeadShape, memory_elements: int, step: RowStep) -> Iterator[RowTile]:
    """For every number of tiles the narrowest one, with the most rows kept that fit."""
    for columns in {min(step.columns, shape.keys), shape.keys}:
        rows = min(step.rows, shape.queries)
        while True:
            every = RowTile(rows, rows, columns)
            room = memory_elements - held(shape, RowTile(rows, 0, columns))
            if held(shape, every) <= memory_elements:
                yield every
            elif room >= 0:
                yield RowTile(rows, room // shape.keys, columns)
            tiles = math.ceil(shape.queries / rows)
            if tiles == 1:
                break
            wider = math.ceil(shape.queries / (tiles - 1) / step.rows) * step.rows
            rows = min(shape.queries, max(rows + step.rows, wider))
