"""A small fast memory over a trace of accesses: lines that come in and lines that go back."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import final

from netwright.cost.attention_tiles import HeadShape, HeadTile, TileOrder
from netwright.errors import ProgramError


@final
@dataclass(frozen=True, slots=True)
class Touch:
    """One access to a line. `fresh`: a write that needs nothing of what the line held before."""

    line: int
    write: bool = False
    fresh: bool = False


@final
@dataclass(frozen=True, slots=True)
class LinesMoved:
    """Lines read into the fast memory, and lines written back from it (also at the end)."""

    read: int
    written: int


def least_recently_used(trace: Iterable[Touch], lines: int) -> LinesMoved:
    """A fully associative memory of `lines` that gives up the line not used for longest.

    Raises:
        ProgramError: there is not one line.
    """
    if lines < 1:
        raise ProgramError(f"a cache of {lines} lines; it takes one at least")
    kept: OrderedDict[int, bool] = OrderedDict()
    read = written = 0
    for touch in trace:
        dirty = kept.pop(touch.line, None)
        if dirty is None:
            read += not touch.fresh
            if len(kept) == lines:
                written += kept.popitem(last=False)[1]
        kept[touch.line] = touch.write or bool(dirty)
    return LinesMoved(read, written + sum(kept.values()))


def attention_touches(shape: HeadShape, tile: HeadTile) -> Iterator[Touch]:
    """The rows of q, k, v and o that tiled attention touches, in order; a row is a line.

    Scores and statistics of a tile are taken to be in registers, so that `lines` is what is left.

    Raises:
        ProgramError: the order stores the scores.
    """
    if tile.order is TileOrder.SCORES_STORED:
        raise ProgramError("stored scores are no rows of q, k, v or o; count them by formula")
    n, s = shape.queries, shape.keys
    key, value, result = n, n + s, n + 2 * s  # first line of each
    row_blocks = [range(at, min(at + tile.rows, n)) for at in range(0, n, tile.rows)]
    column_blocks = [range(at, min(at + tile.columns, s)) for at in range(0, s, tile.columns)]
    queries_outer = tile.order is TileOrder.QUERIES_OUTER
    pairs = (
        ((r, c) for r in row_blocks for c in column_blocks)
        if queries_outer
        else ((r, c) for c in column_blocks for r in row_blocks)
    )
    for rows, columns in pairs:
        for j in columns:
            yield Touch(key + j)
            yield Touch(value + j)
        for i in rows:
            yield Touch(i)
            yield Touch(result + i, write=True, fresh=columns.start == 0)
