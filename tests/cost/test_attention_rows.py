"""FLAT's rows against a walk that computes attention and counts what it moves; laws of the plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from netwright.cost.attention_rows import RowTile, held, rows_moved
from netwright.cost.attention_tiles import HeadShape
from netwright.errors import PlanError
from netwright.plan.attention_row_tiling import RowStep, one_pass_tile, tile_attention_rows

Matrix = NDArray[np.float64]
SHAPES = st.builds(
    HeadShape, st.integers(1, 24), st.integers(1, 20), st.integers(1, 4), st.integers(1, 4)
)


@dataclass
class Fast:
    """A fast memory by name of what it holds; counts transfers and its fullest moment."""

    held: dict[object, int] = field(default_factory=dict[object, int])
    read: int = 0
    written: int = 0
    fullest: int = 0

    def hold(self, name: object, elements: int) -> None:
        """Makes room."""
        self.held[name] = elements
        self.fullest = max(self.fullest, sum(self.held.values()))

    def load(self, name: object, elements: int) -> None:
        """Brings something in, unless it is there."""
        if name not in self.held:
            self.read += elements
            self.hold(name, elements)

    def store(self, name: object) -> None:
        """Takes something out."""
        self.written += self.held.pop(name)


def walk(q: Matrix, k: Matrix, v: Matrix, tile: RowTile) -> tuple[Matrix, Fast]:
    """Attention tile by tile; what it holds and moves is counted where it happens."""
    fast, keys = Fast(), len(k)
    scores = np.zeros((len(q), keys))
    result = np.zeros((len(q), v.shape[1]))
    stays = tile.columns >= keys
    blocks = [slice(s, min(keys, s + tile.columns)) for s in range(0, keys, tile.columns)]
    for start in range(0, len(q), tile.rows):
        rows = range(start, min(len(q), start + tile.rows))
        kept = rows[: tile.kept]
        fast.load("queries", q[rows].size)
        fast.hold("sums", len(rows) * v.shape[1])
        for row in kept:
            fast.hold(row, keys)
        for block in blocks:
            fast.load(("keys", block.start), k[block].size)
            scores[rows, block] = q[rows] @ k[block].T
            fast.written += len(rows[tile.kept :]) * (block.stop - block.start)
            if not stays:
                del fast.held["keys", block.start]
        for row in rows:
            fast.load(row, keys)
            weights = np.exp(scores[row] - scores[row].max())
            scores[row] = weights / weights.sum()
            if row not in kept:
                fast.store(row)
        for block in blocks:
            fast.load(("values", block.start), v[block].size)
            result[rows] += scores[rows, block] @ v[block]
            fast.read += len(rows[tile.kept :]) * (block.stop - block.start)
            if not stays:
                del fast.held["values", block.start]
        for row in kept:
            del fast.held[row]
        fast.store("sums")
        del fast.held["queries"]
    return result, fast


@given(SHAPES, st.data())
def test_what_is_moved_is_what_a_walk_moves(shape: HeadShape, data: st.DataObject) -> None:
    rows = data.draw(st.integers(1, shape.queries))
    tile = RowTile(
        rows, data.draw(st.integers(0, rows)), data.draw(st.integers(1, shape.keys), "columns")
    )
    draw = np.random.default_rng(rows)
    q = draw.normal(size=(shape.queries, shape.width))
    k = draw.normal(size=(shape.keys, shape.width))
    v = draw.normal(size=(shape.keys, shape.value_width))
    result, fast = walk(q, k, v, tile)
    weights = np.exp(q @ k.T)
    np.testing.assert_allclose(result, weights @ v / weights.sum(1, keepdims=True))
    moved = rows_moved(shape, tile)
    assert (moved.read, moved.written) == (fast.read, fast.written)
    assert fast.fullest <= held(shape, tile)


@given(SHAPES, st.integers(0, 700), st.integers(1, 5), st.integers(1, 5))
def test_no_tile_that_fits_moves_less(shape: HeadShape, memory: int, rows: int, keys: int) -> None:
    step = RowStep(rows, keys)
    sides = {min(shape.queries, side) for side in range(rows, shape.queries + rows, rows)}
    everything = (
        RowTile(side, kept, columns)
        for side, columns in product(sides, {min(keys, shape.keys), shape.keys})
        for kept in range(side + 1)
    )
    fitting = [t for t in everything if held(shape, t) <= memory]
    if not fitting:
        with pytest.raises(PlanError, match="holds no tile"):
            tile_attention_rows(shape, memory, step)
        return
    found = tile_attention_rows(shape, memory, step)
    assert held(shape, found.tile) <= memory
    assert found.moved == rows_moved(shape, found.tile)
    assert found.moved.total == min(rows_moved(shape, t).total for t in fitting)


@given(SHAPES, st.integers(1, 400), st.integers(0, 400))
def test_a_larger_memory_never_moves_more(shape: HeadShape, memory: int, more: int) -> None:
    try:
        small = tile_attention_rows(shape, memory)
    except PlanError:
        return
    assert tile_attention_rows(shape, memory + more).moved.total <= small.moved.total


@given(SHAPES)
def test_all_that_fits_moves_once(shape: HeadShape) -> None:
    room = held(shape, RowTile(shape.queries, shape.queries, shape.keys))
    assert tile_attention_rows(shape, room).moved.total == shape.touched


def test_rows_are_spilled_where_the_line_is_longer_than_the_keys_are_dear() -> None:
    # 16 K elements hold 3 rows of 4096; keys and values again for each 3 rows cost more than
    # four times the rows of scores.
    shape = HeadShape(4096, 4096, 64, 64)
    spilled = tile_attention_rows(shape, 2**14).tile
    assert spilled.kept < spilled.rows
    # Half a million hold over a hundred rows: all are kept.
    assert (
        tile_attention_rows(shape, 2**19).tile.kept == tile_attention_rows(shape, 2**19).tile.rows
    )


def test_one_pass_holds_more_queries_whatever_the_keys() -> None:
    # The tiles of FuseMax's artifact: 32,768 queries of width 64 and 16,384 of 128 in 16 MiB.
    for width, rows in ((64, 32768), (128, 16384)):
        for keys in (2**16, 2**20):
            shape = HeadShape(2**16, keys, width, width)
            assert one_pass_tile(shape, 2**23, RowStep(256, 256)).rows == rows
    with pytest.raises(PlanError, match="in one pass"):
        one_pass_tile(HeadShape(7, 7, 64, 64), 2**10, RowStep(7, 4))
