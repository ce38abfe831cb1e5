"""The allocator against brute force, against the public cases, and against its own laws."""

import csv
import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import PlanError
from netwright.plan.allocate import Block, Outcome, find_overlap, fit_blocks, pack_blocks

CASES = sorted((Path(__file__).parents[2] / "benchmarks" / "minimalloc").glob("*.csv"))


def read_case(path: Path) -> tuple[Block, ...]:
    with path.open() as file:
        return tuple(
            Block(int(row["size"]), int(row["lower"]), int(row["upper"]))
            for row in csv.DictReader(file)
        )


def overlap(a: Block, b: Block) -> bool:
    return a.lower < b.upper and b.lower < a.upper


def assert_valid(blocks: tuple[Block, ...], offsets: tuple[int, ...]) -> None:
    for block, offset in zip(blocks, offsets, strict=True):
        assert offset >= 0
        assert offset % block.alignment_bytes == 0
        assert block.offset_bytes in (None, offset)
    for i, j in itertools.combinations(range(len(blocks)), 2):
        if overlap(blocks[i], blocks[j]):
            apart_below = offsets[i] + blocks[i].size_bytes <= offsets[j]
            apart_above = offsets[j] + blocks[j].size_bytes <= offsets[i]
            assert apart_below or apart_above, (i, j)


def brute_height(blocks: tuple[Block, ...]) -> int | None:
    """The least height: every order, each block at the lowest free offset. None: no packing."""
    best: int | None = None
    for order in itertools.permutations(range(len(blocks))):
        placed: dict[int, int] = {}
        for b in order:
            block = blocks[b]
            taken = sorted(
                (o, o + blocks[p].size_bytes)
                for p, o in placed.items()
                if overlap(blocks[p], block)
            )
            offset = 0
            if block.offset_bytes is not None:
                offset = block.offset_bytes
                if any(s < offset + block.size_bytes and offset < e for s, e in taken):
                    break
            else:
                for start, end in taken:
                    if start - offset >= block.size_bytes:
                        break
                    offset = max(offset, -(-end // block.alignment_bytes) * block.alignment_bytes)
            placed[b] = offset
        else:
            height = max((o + blocks[p].size_bytes for p, o in placed.items()), default=0)
            best = height if best is None else min(best, height)
    return best


@st.composite
def block(draw: st.DrawFn) -> Block:
    lower = draw(st.integers(0, 6))
    alignment = draw(st.sampled_from([1, 1, 2, 4]))
    offset = draw(st.sampled_from([None, None, None, 0, 4, 8]))
    return Block(draw(st.integers(1, 6)), lower, lower + draw(st.integers(1, 4)), alignment, offset)


@settings(max_examples=150, deadline=None)
@given(st.lists(block(), max_size=6).map(tuple))
def test_equals_brute_force(blocks: tuple[Block, ...]) -> None:
    expected = brute_height(blocks)
    if expected is None:
        with pytest.raises(PlanError, match="pre-placed"):
            pack_blocks(blocks)
        return
    packing = pack_blocks(blocks)
    assert_valid(blocks, packing.offsets)
    assert packing.proved
    assert packing.height_bytes == packing.bound_bytes == expected
    assert fit_blocks(blocks, expected).outcome is Outcome.FOUND
    if expected > 0:
        assert fit_blocks(blocks, expected - 1).outcome is Outcome.IMPOSSIBLE


@settings(max_examples=40, deadline=None)
@given(st.lists(block(), max_size=40).map(tuple), st.integers(0, 500))
def test_bound_and_height_hold_at_any_budget(blocks: tuple[Block, ...], nodes: int) -> None:
    try:
        packing = pack_blocks(blocks, nodes=nodes)
    except PlanError:
        return
    assert_valid(blocks, packing.offsets)
    assert find_overlap(blocks, packing.offsets) is None
    assert packing.bound_bytes <= packing.height_bytes
    assert packing.proved == (packing.bound_bytes == packing.height_bytes)
    assert packing.height_bytes == max(
        (o + b.size_bytes for o, b in zip(packing.offsets, blocks, strict=True)), default=0
    )


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.name[0])
def test_public_case_fits(path: Path) -> None:
    blocks = read_case(path)
    capacity = int(path.name.split(".")[1])
    fit = fit_blocks(blocks, capacity)
    assert fit.outcome is Outcome.FOUND
    assert_valid(blocks, fit.offsets)
    assert max(o + b.size_bytes for o, b in zip(fit.offsets, blocks, strict=True)) <= capacity


def test_every_public_case_is_there() -> None:
    assert [path.name[0] for path in CASES] == list("ABCDEFGHIJK")


@pytest.mark.parametrize("num_blocks", [4100, 20000])
def test_search_gives_up_before_stack_or_memory_end(num_blocks: int) -> None:
    blocks = tuple(Block(64, 0, 1 + i) for i in range(num_blocks))
    assert fit_blocks(blocks, 64 * num_blocks).outcome is Outcome.STOPPED


def test_same_blocks_same_packing() -> None:
    blocks = read_case(CASES[2])
    assert pack_blocks(blocks, nodes=3000) == pack_blocks(blocks, nodes=3000)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (Block(0, 0, 1), "size 0"),
        (Block(4, 2, 2), "lifetime"),
        (Block(4, 0, 1, 0), "alignment 0"),
        (Block(4, 0, 1, 8, 4), "multiple of 8"),
    ],
)
def test_bad_block_is_named(bad: Block, words: str) -> None:
    with pytest.raises(PlanError, match=f"block 1 of 2.*{words}"):
        pack_blocks((Block(1, 0, 1), bad))
