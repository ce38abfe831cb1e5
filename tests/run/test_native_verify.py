"""What the native runtime refuses to load, with the place named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.fuzz import kind_program

from netwright.errors import ProgramError, RunError
from netwright.program.file import file_reference
from netwright.program.program import Arena, ArenaKind, Entry, Operand, Program, Task
from netwright.run.native import NativeRuntime


def changed(change: Callable[[Task], Task], index: int = 0) -> Program:
    """The fuzzed program with one task changed."""
    program = kind_program._program()
    (entry,) = program.entries
    tasks = (*entry.tasks[:index], change(entry.tasks[index]), *entry.tasks[index + 1 :])
    return replace(program, entries=(replace(entry, tasks=tasks),))


def operand(place: int, **changes: object) -> Callable[[Task], Task]:
    def change(task: Task) -> Task:
        operands = list(task.operands)
        operands[place] = replace(operands[place], **changes)
        return replace(task, operands=tuple(operands))

    return change


@pytest.mark.parametrize(
    ("program", "place"),
    [
        (changed(operand(1, offset_bytes=1 << 20)), "task 0"),
        (changed(operand(1, offset_bytes=-4)), "task 0"),
        (changed(operand(0, stride_bytes=(1 << 40, 4))), "task 0"),
        (changed(operand(0, arena=9)), "operand 0"),
        (changed(operand(0, arena=0, offset_bytes=0, shape=(1, 16))), "task 0"),
        (changed(lambda t: replace(t, waits=(5,)), 1), "task 1"),
        (changed(lambda t: replace(t, waits=(1,)), 1), "task 1"),
        (changed(lambda t: replace(t, parts=0), 1), "task 1"),
        (changed(lambda t: replace(t, parameters=()), 0), "task 0"),
        (changed(lambda t: replace(t, parameters=(999, 0.0, 0.0)), 0), "task 0"),
        (changed(lambda t: replace(t, operands=t.operands[:1]), 0), "task 0"),
        (changed(operand(0, format="int8"), 0), "task 0"),
    ],
    ids=[
        "after the arena", "before the arena", "stride", "no such arena", "write to constants",
        "wait for a later task", "wait for itself", "no parts", "no parameters", "no such function",
        "too few operands", "wrong format",
    ],
)  # fmt: skip
def test_refused_with_the_place(program: Program, place: str) -> None:
    with pytest.raises(ProgramError, match=place) as caught:
        NativeRuntime(program)
    assert "fuzzed" in str(caught.value)


@pytest.mark.parametrize("bounds", [(8, 1), (-1, 8), (1, 1 << 50)])
def test_bad_bounds_are_refused(bounds: tuple[int, int]) -> None:
    program = kind_program._program()
    (entry,) = program.entries
    entry = replace(entry, bounds=(("rows", *bounds),), limit=max(bounds))
    with pytest.raises(ProgramError):
        NativeRuntime(replace(program, entries=(entry,)))


def file_program(path: Path) -> Program:
    """y = weights of a file, or weights = y when asked to write there."""
    here, there = (Operand(arena, 0, "fp32", (4,), (4,)) for arena in (0, 1))
    arenas = (
        Arena("weights", ArenaKind.FILE, 16, "ram", file=file_reference(path)),
        Arena("io", ArenaKind.INPUT_OUTPUT, 16, "ram"),
    )
    entry = Entry(
        "step", (Task("copy", (there, here), (), (), 1, "out"),), (), 0, (), (("y", there),)
    )
    return Program("filed", arenas, (entry,))


def test_files_are_read_only_and_watched(tmp_path: Path) -> None:
    path = tmp_path / "w.bin"
    path.write_bytes(np.arange(4, dtype=np.float32).tobytes())
    program = file_program(path)
    assert NativeRuntime(program).call("step", {}, {})["y"].tolist() == [0, 1, 2, 3]
    (entry,) = program.entries
    (task,) = entry.tasks
    back = replace(task, operands=task.operands[::-1])
    with pytest.raises(ProgramError, match="task 0"):
        NativeRuntime(replace(program, entries=(replace(entry, tasks=(back,)),)))
    path.write_bytes(bytes(16))
    with pytest.raises(RunError, match="has changed"):
        NativeRuntime(program)
    path.unlink()
    with pytest.raises(RunError, match="cannot be read"):
        NativeRuntime(program)
