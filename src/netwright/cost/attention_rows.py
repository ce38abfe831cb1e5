"""What attention moves when softmax wants whole rows of scores: FLAT's dataflow, with spilling.

A tile of queries stays; keys stream past and give its rows of scores, softmax turns each whole row
into weights, values stream past (FLAT, Kao et al., arXiv 2107.06419). A row of scores is as long as
there are keys. The rows that find no room go out as scores, come back one at a time for softmax, go
out as weights and come back for the second product: four times a row. All counts are of elements of
one head, and exact: the last tile may be narrower.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from netwright.cost.attention_tiles import HeadShape, Moved

TIMES_SPILLED = 2  # each way: as scores and as weights


@final
@dataclass(frozen=True, slots=True)
class RowTile:
    """`rows` of queries at once; the scores of `kept` of them stay; `columns` of keys at once.

    With all keys at once, keys and values stay from tile to tile.
    """

    rows: int
    kept: int
    columns: int


def held(shape: HeadShape, tile: RowTile) -> int:
    """Elements that the fast memory holds: queries, sums, keys, values, rows of scores.

    Where rows are spilled, one row more: the one that softmax works on.
    """
    widths = shape.width + shape.value_width
    under_softmax = shape.keys if tile.kept < tile.rows else 0
    return (tile.rows + tile.columns) * widths + tile.kept * shape.keys + under_softmax


def spilled_rows(shape: HeadShape, tile: RowTile) -> int:
    """Rows of scores of the whole head that find no room."""
    full, rest = divmod(shape.queries, tile.rows)
    return full * (tile.rows - tile.kept) + max(0, rest - tile.kept)


def rows_moved(shape: HeadShape, tile: RowTile) -> Moved:
    """What the forward pass moves."""
    n, s, d, e = shape.queries, shape.keys, shape.width, shape.value_width
    streams = 1 if tile.columns >= s else -(-n // tile.rows)
    spilled = TIMES_SPILLED * spilled_rows(shape, tile) * s
    return Moved(n * d + streams * s * (d + e) + spilled, n * e + spilled)
