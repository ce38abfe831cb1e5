"""Memory that calls touch: against windows counted by drawing, and laws of bounds."""

import random

import pytest

from netwright.errors import ProgramError
from netwright.program.footprint import (
    FAULT_AROUND_BYTES,
    Call,
    arena_bytes,
    beside_bytes,
    expected_bytes,
    touched_bytes,
)
from netwright.program.program import Arena, ArenaKind, Entry, Operand, Program, Task

ROWS, WIDTH = 20000, 384


def gathering(drawn: int) -> Program:
    """A table of 20000 rows of 1536 bytes in a file, of which some are gathered."""
    table = Operand(0, 0, "fp32", (ROWS, WIDTH), (4 * WIDTH, 4))
    out = Operand(1, 0, "fp32", (drawn, WIDTH), (4 * WIDTH, 4))
    ids = Operand(2, 0, "int32", (drawn,), (4,))
    task = Task("gather_rows", (out, table, ids), (1.0,), (), 1, "embedding")
    arenas = (
        Arena("file", ArenaKind.FILE, 4 * ROWS * WIDTH, "memory"),
        Arena("scratch", ArenaKind.SCRATCH, 4 * drawn * WIDTH, "memory"),
        Arena("io", ArenaKind.INPUT_OUTPUT, 4 * drawn, "memory"),
    )
    entry = Entry("forward", (task,), (), 0, (("ids", ids),), (("out", out),))
    return Program("gather", arenas, (entry,))


@pytest.mark.parametrize("drawn", [1, 40, 200, 5000])
def test_a_gathered_table_counts_by_the_rows_drawn(drawn: int) -> None:
    """Windows hit by rows that are really drawn, averaged over 20 texts."""
    rng, hit = random.Random(drawn), 0
    for _ in range(20):
        windows: set[int] = set()
        for row in (rng.randrange(ROWS) for _ in range(drawn)):
            first = row * 4 * WIDTH // FAULT_AROUND_BYTES
            last = (row * 4 * WIDTH + 4 * WIDTH - 1) // FAULT_AROUND_BYTES
            windows |= {first, last}
        hit += len(windows)
    expected = arena_bytes(gathering(drawn), [("forward", {})])[0]
    assert expected == pytest.approx(hit / 20 * FAULT_AROUND_BYTES, rel=0.1)


@pytest.mark.parametrize("drawn", [1, 200, 100000])
def test_what_is_expected_is_at_most_what_may_be_touched(drawn: int) -> None:
    made = gathering(drawn)
    calls: list[Call] = [("forward", {})]
    beside = beside_bytes(made, calls)
    assert expected_bytes(made, calls) <= touched_bytes(made, calls) + beside
    assert beside > 4 * drawn * WIDTH  # at least the copy of the output


def test_workspace_is_asked_for_without_addresses() -> None:
    """The kernel refuses operands that overlap; at no address they do not."""
    x = Operand(0, 0, "fp32", (1, 4, 2, 32), (1024, 256, 128, 4))
    made = Task("attention", (x, x, x, x, None), (1.0, 0, 0, 0.0), (), 1, "mix")
    arenas = (Arena("scratch", ArenaKind.SCRATCH, 1024, "memory"),)
    program = Program("mixing", arenas, (Entry("forward", (made,), (), 0, (), ()),))
    assert beside_bytes(program, [("forward", {})]) > 0


def test_a_refused_task_is_named() -> None:
    x = Operand(0, 0, "fp32", (4,), (4,))
    task = Task("gemm_packed", (x, x, x), (4, 4, 0, 0.0, 0.0), (), 1, "dense")
    arenas = (Arena("scratch", ArenaKind.SCRATCH, 64, "memory"),)
    made = Program("bad", arenas, (Entry("forward", (task,), (), 0, (), ()),))
    with pytest.raises(ProgramError, match=r"dense \(gemm_packed\)"):
        beside_bytes(made, [("forward", {})])
