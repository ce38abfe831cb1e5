"""What attention moves between a small fast memory and a large slow one, tiling by tiling.

One head: queries [n, d], keys [s, d], values [s, e]. All counts are of elements, and exact: the
last tile of a side may be narrower. Three orders:

- `QUERIES_OUTER`: a block of queries and its sums stay, keys and values stream past
  (FlashAttention-2, Dao, arXiv 2307.08691);
- `KEYS_OUTER`: a block of keys and values stays, queries, sums and running statistics stream past
  and come back (FlashAttention, Dao et al., arXiv 2205.14135, algorithms 1 and 4);
- `SCORES_STORED`: both products in square tiles, the scores go out and come back (Saha and Ye,
  arXiv 2402.07443: the better order where the memory holds fewer than d^2 elements).

The bound is of any order, by counting the products q k that fit between `t` transfers: see
`least_elements`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import final


class TileOrder(StrEnum):
    """Which loop is outermost, and whether the scores go out to the slow memory."""

    QUERIES_OUTER = "queries outer"
    KEYS_OUTER = "keys outer"
    SCORES_STORED = "scores stored"


@final
@dataclass(frozen=True, slots=True)
class HeadShape:
    """One head of attention: `width` of queries and keys, `value_width` of values and results."""

    queries: int
    keys: int
    width: int
    value_width: int

    @property
    def touched(self) -> int:
        """Elements of the inputs and of the result: each moves once at least."""
        return (self.queries + self.keys) * (self.width + self.value_width)


@final
@dataclass(frozen=True, slots=True)
class Moved:
    """Elements read from and written to the slow memory."""

    read: int
    written: int

    @property
    def total(self) -> int:
        """Both ways."""
        return self.read + self.written


@final
@dataclass(frozen=True, slots=True)
class HeadTile:
    """`rows` of queries against `columns` of keys; `value_columns`: of the second product, where
    the scores are stored."""

    order: TileOrder
    rows: int
    columns: int
    value_columns: int = 0


def held(shape: HeadShape, tile: HeadTile) -> int:
    """Elements that the fast memory holds: operands of a tile, scores, sums, statistics."""
    if tile.order is TileOrder.SCORES_STORED:
        # One slice of either factor at a time; three statistics a row: maxima, total.
        first = tile.rows * tile.columns + tile.rows + tile.columns + 3 * tile.rows
        second = tile.rows * tile.value_columns + tile.rows + tile.value_columns + 2 * tile.rows
        return max(first, second)
    widths = shape.width + shape.value_width
    return (tile.rows + tile.columns) * widths + tile.rows * tile.columns + 3 * tile.rows


def forward_moved(shape: HeadShape, tile: HeadTile) -> Moved:
    """What the forward pass moves."""
    n, s, d, e = shape.queries, shape.keys, shape.width, shape.value_width
    row_tiles, column_tiles = -(-n // tile.rows), -(-s // tile.columns)
    if tile.order is TileOrder.QUERIES_OUTER:
        return Moved(n * d + row_tiles * s * (d + e), n * e)
    if tile.order is TileOrder.KEYS_OUTER:
        kept = n * (e + 2)  # sums, maximum and total: out every time, back but for the first
        return Moved(
            s * (d + e) + column_tiles * n * d + (column_tiles - 1) * kept, column_tiles * kept
        )
    value_tiles = -(-e // tile.value_columns)
    statistics = 2 * n
    scores = Moved(
        column_tiles * n * d + row_tiles * s * d + (column_tiles - 1) * statistics,
        n * s + column_tiles * statistics,
    )
    mixed = value_tiles * (n * s + statistics) + row_tiles * s * e
    return Moved(scores.read + mixed, scores.written + n * e)


def backward_moved(shape: HeadShape, tile: HeadTile) -> Moved:
    """What the backward pass moves when every tile of scores is made again from q and k.

    A block of keys and values and their gradients stays; queries, results, their gradients and the
    statistics stream past, and the gradient of the queries comes back and goes out (algorithm 4 of
    FlashAttention). With `QUERIES_OUTER` the gradient of the queries stays instead.

    Raises:
        ValueError: the order stores the scores.
    """
    n, s, d, e = shape.queries, shape.keys, shape.width, shape.value_width
    row_tiles, column_tiles = -(-n // tile.rows), -(-s // tile.columns)
    past = n * (d + 2 * e + 2)  # q, o, do, maximum and total
    if tile.order is TileOrder.KEYS_OUTER:
        gradient = n * d
        return Moved(
            s * (d + e) + column_tiles * past + (column_tiles - 1) * gradient,
            column_tiles * gradient + s * (d + e),
        )
    if tile.order is TileOrder.QUERIES_OUTER:
        both = s * (d + e)  # keys and values, and as much again of their gradients
        return Moved(past + row_tiles * both + (row_tiles - 1) * both, n * d + row_tiles * both)
    raise ValueError(f"backward pass: order {tile.order} keeps no tile to make again")


def least_elements(shape: HeadShape, memory_elements: int) -> int:
    """Elements that any order moves, whatever it makes again, with sums of d products q k.

    Between two points with t transfers between them at most m + t elements of q and k are at hand.
    A score whose products all fall in between needs its whole query and key: (m + t)^2 / 4d
    products of such. Any other score has an unfinished sum in the memory at either end, or moved:
    2 m + t scores at most, and by Loomis and Whitney (m + t) / 2 * sqrt(2 m + t) products of such.
    The best t is searched. It is of the order n s d^2 / m for m >= d^2 and n s d / sqrt(m) below,
    as in Saha and Ye (arXiv 2402.07443), who prove the order for fast matrix products too.
    """
    m, d = memory_elements, shape.width
    products = shape.queries * shape.keys * d
    most = 0.0
    for power in range(-16, 33):
        t = max(1, round(m * 2 ** (power / 8)))
        whole = (m + t) ** 2 / (4 * d)
        split = (m + t) / 2 * math.sqrt(2 * m + t)
        most = max(most, t * (math.ceil(products / (whole + split)) - 1))
    return max(int(most), shape.touched)


def order_of_growth(shape: HeadShape, memory_elements: int) -> float:
    """The paper's expression, without its constant: n s d^2 / m, or n s d / sqrt(m) below d^2."""
    pairs, d, m = shape.queries * shape.keys, shape.width, memory_elements
    return pairs * d * d / m if m >= d * d else pairs * d / math.sqrt(m)
