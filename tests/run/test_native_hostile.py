"""Programs whose bytes are wrong on purpose: refused, never a crash, whatever the symbols are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.fuzz import kind_program
from tests.fuzz.mutate_program import _parsed, _written

from netwright.errors import FormatError, NetwrightError, ProgramError, RunError
from netwright.graph.extent import Extent, affine, symbol
from netwright.program.file import MAX_THREADS, load, open_program, save
from netwright.program.program import Arena, ArenaKind, Entry, Operand, Program, Task
from netwright.run.native import NativeRuntime

_N = symbol("n")


def copying(x: Operand, bound: int = 10, limit: int = 10) -> Program:
    """Copies a view of a scratch arena of 64 bytes to one of 4096, for n from 0 to `bound`."""
    arenas = (
        Arena("small", ArenaKind.SCRATCH, 64, "ram"),
        Arena("large", ArenaKind.SCRATCH, 4096, "ram"),
    )
    out = Operand(1, 0, "fp32", x.shape, (0,) * (len(x.shape) - 1) + (4,))
    task = Task("copy", (out, x), (), (), 1, "copy")
    return Program("hostile", arenas, (Entry("e", (task,), (("n", 0, bound),), limit, (), ()),))


def test_a_view_that_is_empty_at_the_bounds_and_outside_between_them():
    # [n, 10 - n]: empty at n = 0 and at n = 10; 25 elements at n = 5, of which 16 fit.
    shape: tuple[Extent, ...] = (_N, 10 - _N)
    runtime = NativeRuntime(copying(Operand(0, 0, "fp32", shape, (20, 4))))
    runtime.execute("e", {"n": 10})
    runtime.execute("e", {"n": 1})
    with pytest.raises(RunError, match=r"task 0 \(copy\): an operand reaches outside its arena"):
        runtime.execute("e", {"n": 5})


def test_a_view_that_is_misaligned_between_the_bounds():
    runtime = NativeRuntime(copying(Operand(0, _N, "fp32", (2,), (4,)), 4))
    runtime.execute("e", {"n": 4})
    with pytest.raises(RunError, match="not aligned"):
        runtime.execute("e", {"n": 1})


def test_workspace_that_is_largest_between_the_bounds():
    # Of a batched product [n, 4096 - 512 n] x [.., 8], whose blocks follow both.
    arenas = (Arena("all", ArenaKind.SCRATCH, 1 << 20, "ram"),)
    m, k = _N, 4096 - 512 * _N
    out = Operand(0, 0, "fp32", (m, 8), (32, 4))
    a = Operand(0, 1024, "fp32", (m, k), (0, 4))
    b = Operand(0, 32768, "fp32", (k, 8), (0, 4))
    task = Task("matmul_batched", (out, a, b), (0,), (), 1, "product")
    entry = Entry("e", (task,), (("n", 0, 8),), 8, (), ())
    runtime = NativeRuntime(Program("hostile", arenas, (entry,)))
    refused = 0
    for n in range(9):
        try:
            runtime.execute("e", {"n": n})
        except RunError:
            refused += 1
    assert refused < 9


@pytest.mark.parametrize(
    ("offset", "bound"),
    [
        (affine(0, {"n": 1 << 45}), 1 << 31),
        (affine((1 << 63) - 1, {"n": 1}), 10),
        (affine(-(1 << 63), {"n": -1}), 10),
    ],
)
def test_sizes_that_would_overflow_are_refused(offset: Extent, bound: int):
    program = copying(Operand(0, offset, "fp32", (1,), (4,)), bound, bound)
    with pytest.raises(ProgramError, match="out of range"):
        NativeRuntime(program)


@pytest.mark.parametrize("limit", [-1, -(1 << 63), (1 << 63) - 1, 1 << 70])
def test_limits_out_of_range_are_refused(limit: int):
    with pytest.raises(ProgramError):
        NativeRuntime(copying(Operand(0, 0, "fp32", (1,), (4,)), 10, limit))


@pytest.mark.parametrize(
    "change",
    [
        {"arena": 99},
        {"arena": -1},
        {"offset_bytes": 1 << 40},
        {"offset_bytes": -4},
        {"shape": (-1, 16)},
        {"shape": (1 << 40, 16)},
        {"shape": (8, 1 << 70)},
        {"stride_bytes": (1 << 40, 4)},
        {"stride_bytes": (1 << 62, 4)},
        {"shape": (1 << 40, 16), "stride_bytes": (0, 0)},
        {"stride_bytes": (64,)},
        {"offset_bytes": symbol("none")},
    ],
)
def test_inputs_outside_of_the_arenas_are_refused(change: dict[str, Any]):
    program = kind_program._program()
    (entry,) = program.entries
    (name, x), *_ = entry.inputs
    entry = replace(entry, inputs=((name, replace(x, **change)),))
    runtime = NativeRuntime(replace(program, entries=(entry,)))
    with pytest.raises(RunError):
        runtime.call("step", {name: np.zeros((8, 16), np.float32)}, {"rows": 8})


def test_an_input_in_constants_is_refused():
    program = kind_program._program()
    (entry,) = program.entries
    weights = Operand(0, 0, "fp32", (32,), (4,))
    entry = replace(entry, inputs=(("x", weights),), outputs=(("y", weights),))
    runtime = NativeRuntime(replace(program, entries=(entry,)))
    with pytest.raises(RunError, match="read-only"):
        runtime.call("step", {"x": np.zeros(32, np.float32)}, {"rows": 8})
    assert not runtime.view("step", "y", {"rows": 8}).flags.writeable


Change = Callable[[Any, Any], None]


def share_operands(_: Any, tables: Any) -> None:
    tables["tasks"]["num_operands"] = len(tables["operands"])
    tables["tasks"]["first_operand"] = 0


def share_waits(_: Any, tables: Any) -> None:
    tables["tasks"]["num_waits"] = len(tables["waits"])
    tables["tasks"]["first_wait"] = 0


def share_tasks(meta: Any, _: Any) -> None:
    meta["entries"] *= 2


def many_threads(meta: Any, _: Any) -> None:
    meta["threads"] = MAX_THREADS + 1


def no_source(_: Any, tables: Any) -> None:
    tables["tasks"]["source"][0] = 1 << 30


def patch_twice(_: Any, tables: Any) -> None:
    tables["patches"] = np.repeat(tables["patches"], 2)


def huge_arena(meta: Any, _: Any) -> None:
    meta["arenas"][1]["size_bytes"] = 1 << 70


@pytest.mark.parametrize(
    "change",
    [share_operands, share_waits, share_tasks, many_threads, no_source, patch_twice, huge_arena],
)
def test_files_that_unfold_or_ask_for_too_much_are_refused(change: Change, tmp_path: Path):
    path = tmp_path / "p.nwp"
    save(kind_program._program(), path)
    seed = path.read_bytes()
    _, parsed, body = _parsed(seed)
    meta = dict(open_program(path).meta)
    tables = {name: table.copy() for name, table in parsed.items()}
    change(meta, tables)
    changed = tmp_path / "q.nwp"
    changed.write_bytes(kind_program._repair(_written(meta, tables, body, seed)))
    with pytest.raises(NetwrightError):
        NativeRuntime(open_program(changed))
    if change not in (patch_twice, huge_arena):
        with pytest.raises(FormatError):
            load(changed)
