"""Tiles of attention for a fast memory of a given size: HeadShape → tile, traffic, certificate."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

from netwright.cost.attention_tiles import (
    HeadShape,
    HeadTile,
    Moved,
    TileOrder,
    forward_moved,
    held,
    least_elements,
)
from netwright.errors import PlanError
from netwright.plan.certificate import Certificate

METHOD = "products between transfers (Loomis and Whitney; order of arXiv 2402.07443)"


@final
@dataclass(frozen=True, slots=True)
class AttentionTiling:
    """The tile of least traffic of all orders and tiles, and how far below no order can be."""

    tile: HeadTile
    moved: Moved
    certificate: Certificate


def tile_attention(
    shape: HeadShape, memory_elements: int, orders: tuple[TileOrder, ...] = tuple(TileOrder)
) -> AttentionTiling:
    """The tile that moves fewest elements in the forward pass; of equal ones the one holding most.

    Exact: within an order the traffic falls with the number of tiles along a side, so of the tiles
    with equally many only the smallest can be needed, and all of these are tried.

    Raises:
        PlanError: no tile of these orders fits.
    """
    fitting = [t for order in orders for t in tiles(shape, order, memory_elements)]
    if not fitting:
        least = min(held(shape, HeadTile(order, 1, 1, 1)) for order in orders)
        raise PlanError(
            f"attention of {shape.queries} x {shape.keys}, width {shape.width}: a memory of"
            f" {memory_elements} elements holds no tile of {', '.join(orders)}; {least} would do"
        )
    best = min(fitting, key=lambda t: (forward_moved(shape, t).total, -held(shape, t)))
    moved = forward_moved(shape, best)
    bound = min(least_elements(shape, memory_elements), moved.total)
    certificate = Certificate(
        "elements", float(moved.total), float(bound), METHOD, moved.total == bound
    )
    return AttentionTiling(best, moved, certificate)


def tiles(shape: HeadShape, order: TileOrder, memory_elements: int) -> Iterator[HeadTile]:
    """Tiles of an order that fit and that no other one with as few tiles beats."""
    d, e, m = shape.width, shape.value_width, memory_elements
    if order is TileOrder.SCORES_STORED:
        for rows in _sides(shape.queries, m):
            columns = min(shape.keys, (m - 4 * rows) // (rows + 1))
            value_columns = min(e, (m - 3 * rows) // (rows + 1))
            if columns >= 1 and value_columns >= 1:
                yield HeadTile(order, rows, columns, value_columns)
        return
    if order is TileOrder.QUERIES_OUTER:
        for rows in _sides(shape.queries, m // (d + e)):
            columns = min(shape.keys, (m - rows * (d + e + 3)) // (d + e + rows))
            if columns >= 1:
                yield HeadTile(order, rows, columns)
        return
    for columns in _sides(shape.keys, m // (d + e)):
        rows = min(shape.queries, (m - columns * (d + e)) // (d + e + 3 + columns))
        if rows >= 1:
            yield HeadTile(order, rows, columns)


def _sides(length: int, most: int) -> Iterator[int]:
    """For every number of tiles along a side the narrowest that makes do with it, none twice."""
    side = 1
    while side <= min(length, most):
        yield side
        count = math.ceil(length / side)
        if count == 1:
            return
        side = max(side + 1, math.ceil(length / (count - 1)))
