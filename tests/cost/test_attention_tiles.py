"""What tiled attention moves: counted loop by loop, and never below the bound."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.cost.attention_tiles import (
    HeadShape,
    HeadTile,
    TileOrder,
    backward_moved,
    forward_moved,
    held,
    least_elements,
    order_of_growth,
)
from netwright.errors import PlanError
from netwright.plan.attention_tiling import tile_attention, tiles
from netwright.simulate.cache import LinesMoved, Touch, attention_touches, least_recently_used

SHAPES = st.builds(
    HeadShape, st.integers(1, 24), st.integers(1, 24), st.integers(1, 6), st.integers(1, 6)
)
STREAMED = (TileOrder.QUERIES_OUTER, TileOrder.KEYS_OUTER)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 30), s=st.integers(1, 30), d=st.integers(1, 8),
    rows=st.integers(1, 32), columns=st.integers(1, 32), order=st.sampled_from(STREAMED),
)  # fmt: skip
def test_formula_is_what_a_cache_that_holds_the_tile_moves(
    n: int, s: int, d: int, rows: int, columns: int, order: TileOrder
) -> None:
    """Rows of d elements; statistics (two a row of results that come and go) are not rows."""
    shape, tile = HeadShape(n, s, d, d), HeadTile(order, min(rows, n), min(columns, s))
    # A row comes in while the one that it replaces is there: least recently used takes both blocks.
    lines = 2 * (tile.rows + tile.columns)
    moved = least_recently_used(attention_touches(shape, tile), lines)
    counted = forward_moved(shape, tile)
    times = -(-s // tile.columns)
    statistics = 0 if order is TileOrder.QUERIES_OUTER else 2 * n
    least_read = counted.read - (times - 1) * statistics
    least_written = counted.written - times * statistics
    assert moved.read * d <= least_read
    assert moved.written * d <= least_written


@pytest.mark.parametrize("order", STREAMED)
def test_a_small_cache_saves_next_to_nothing_of_the_formula(order: TileOrder) -> None:
    shape, tile = HeadShape(200, 210, 1, 1), HeadTile(order, 10, 7)
    moved = least_recently_used(attention_touches(shape, tile), 2 * (10 + 7))
    counted = forward_moved(HeadShape(200, 210, 1, 1), tile)
    statistics = 0 if order is TileOrder.QUERIES_OUTER else 2 * 200 * (2 * 30 - 1)
    whole = counted.total - statistics
    assert 0.9 * whole <= moved.read + moved.written <= whole


def test_the_cache_alone() -> None:
    trace = [Touch(0), Touch(1, write=True), Touch(2, write=True, fresh=True), Touch(0), Touch(1)]
    assert least_recently_used(trace, 2) == LinesMoved(4, 2)
    assert least_recently_used(trace, 3) == LinesMoved(2, 2)


@settings(max_examples=60, deadline=None)
@given(shape=SHAPES, memory=st.integers(1, 400))
def test_the_planner_is_exact_and_above_its_bound(shape: HeadShape, memory: int) -> None:
    every = [
        tile
        for order in TileOrder
        for rows in range(1, shape.queries + 1)
        for columns in range(1, shape.keys + 1)
        for tile in (
            [HeadTile(order, rows, columns, w) for w in range(1, shape.value_width + 1)]
            if order is TileOrder.SCORES_STORED
            else [HeadTile(order, rows, columns)]
        )
        if held(shape, tile) <= memory
    ]
    try:
        found = tile_attention(shape, memory)
    except PlanError:
        assert not every
        return
    assert held(shape, found.tile) <= memory
    assert found.moved.total == min(forward_moved(shape, tile).total for tile in every)
    assert found.certificate.bound is not None
    assert least_elements(shape, memory) <= found.moved.total


def test_every_tile_offered_fits() -> None:
    shape = HeadShape(96, 80, 8, 8)
    for order in TileOrder:
        for memory in (40, 200, 3000):
            for tile in tiles(shape, order, memory):
                assert held(shape, tile) <= memory


def test_flash_attention_is_of_the_papers_order() -> None:
    """n s d^2 / m for a memory of d^2 and more (arXiv 2205.14135, theorem 2)."""
    shape = HeadShape(4096, 4096, 64, 64)
    for power in range(12, 18):
        found = tile_attention(shape, 2**power, (TileOrder.QUERIES_OUTER,))
        assert 2 <= found.moved.total / order_of_growth(shape, 2**power) <= 8


def test_backward_moves_more_than_forward_and_less_than_the_scores() -> None:
    shape = HeadShape(4096, 4096, 64, 64)
    tile = HeadTile(TileOrder.KEYS_OUTER, 64, 384)
    forward, backward = forward_moved(shape, tile).total, backward_moved(shape, tile).total
    assert forward < backward < 4096 * 4096
    turned = HeadTile(TileOrder.QUERIES_OUTER, 384, 64)
    assert backward < backward_moved(shape, turned).total < 2 * 4096 * 4096
