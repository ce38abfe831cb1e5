"""Static allocation: lifetimes and sizes to offsets in one address space."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import final

from netwright.errors import PlanError
from netwright.native import core

DEFAULT_NODES = 2_000_000  # search nodes: about two seconds at the very most


@final
@dataclass(frozen=True, slots=True)
class Block:
    """A buffer that is alive over `[lower, upper)`; `offset_bytes` is set when it is pre-placed."""

    size_bytes: int
    lower: int
    upper: int
    alignment_bytes: int = 1
    offset_bytes: int | None = None


@final
class Outcome(Enum):
    """What a search for a packing within a capacity came to. Values are the core's codes."""

    FOUND = 0
    IMPOSSIBLE = 1  # proved
    STOPPED = 2  # out of budget


@final
@dataclass(frozen=True, slots=True)
class Fit:
    """Answer to "do these blocks fit?": offsets when found, else empty."""

    outcome: Outcome
    offsets: tuple[int, ...]
    nodes: int


@final
@dataclass(frozen=True, slots=True)
class Packing:
    """Offsets, the height that they reach and a height below which no packing can be."""

    offsets: tuple[int, ...]
    height_bytes: int
    bound_bytes: int
    proved: bool
    nodes: int


def fit_blocks(
    blocks: tuple[Block, ...], capacity_bytes: int, nodes: int = DEFAULT_NODES, seconds: float = 0.0
) -> Fit:
    """Complete search for offsets within a capacity.

    Method: MiniMalloc's canonical solutions (Moffitt, ASPLOS 2023, doi:10.1145/3623278.3624752).
    The answer depends on nothing but the arguments unless `seconds` (of wall time) is set.

    Raises:
        PlanError: a block has no size, no lifetime or an offset that breaks its alignment.
    """
    _check(blocks)
    outcome, offsets, used = core.allocation_fit(*_columns(blocks), capacity_bytes, nodes, seconds)
    return Fit(Outcome(outcome), tuple(offsets), used)


def pack_blocks(
    blocks: tuple[Block, ...], nodes: int = DEFAULT_NODES, seconds: float = 0.0
) -> Packing:
    """The lowest packing that the budget lets us find, with the best bound it lets us prove.

    Raises:
        PlanError: as `fit_blocks`; or pre-placed blocks collide.
    """
    _check(blocks)
    found = core.allocation_minimise(*_columns(blocks), nodes, seconds)
    offsets, height, bound, proved, used = found
    if len(offsets) != len(blocks):
        raise PlanError(
            "two pre-placed blocks share bytes while both are alive; give them other offsets"
        )
    return Packing(tuple(offsets), height, bound, proved, used)


def find_overlap(blocks: tuple[Block, ...], offsets: tuple[int, ...]) -> tuple[int, int] | None:
    """Two blocks that are alive at one time and share bytes, or None: the plain verifier."""
    order = sorted(range(len(blocks)), key=lambda b: offsets[b])
    for position, a in enumerate(order):
        end = offsets[a] + blocks[a].size_bytes
        for b in order[position + 1 :]:
            if offsets[b] >= end:
                break
            if blocks[a].lower < blocks[b].upper and blocks[b].lower < blocks[a].upper:
                return min(a, b), max(a, b)
    return None


def _columns(blocks: tuple[Block, ...]) -> tuple[list[int], ...]:
    return (
        [b.lower for b in blocks],
        [b.upper for b in blocks],
        [b.size_bytes for b in blocks],
        [b.alignment_bytes for b in blocks],
        [-1 if b.offset_bytes is None else b.offset_bytes for b in blocks],
    )


def _check(blocks: tuple[Block, ...]) -> None:
    most = (1 << 52) // max(len(blocks), 1)  # sums stay exact in 64 bits with room to spare
    for index, b in enumerate(blocks):
        offset = 0 if b.offset_bytes is None else b.offset_bytes
        problem = (
            f"size {b.size_bytes}, expected 1 to {most}"
            if not 1 <= b.size_bytes <= most
            else f"lifetime [{b.lower}, {b.upper}), expected 0 <= lower < upper"
            if not 0 <= b.lower < b.upper <= 1 << 52
            else f"alignment {b.alignment_bytes}, expected 1 to {most}"
            if not 1 <= b.alignment_bytes <= most
            else f"offset {offset}, expected a multiple of {b.alignment_bytes}"
            if offset % b.alignment_bytes or not 0 <= offset <= 1 << 52
            else None
        )
        if problem:
            raise PlanError(f"block {index} of {len(blocks)}: {problem}")
