"""Small programs for the simulator's tests: real opcodes, made by hand."""

from collections.abc import Mapping

from netwright.graph.extent import Extent, symbol
from netwright.program.program import Arena, ArenaKind, Entry, Operand, Program, Task
from netwright.simulate import TaskCost

WIDTH = 64
BOUNDS = (("n_past", 0, 1000), ("n_tokens", 1, 32))


def rows(arena: int, offset_bytes: int, tokens: Extent = 1) -> Operand:
    """fp32 [tokens, WIDTH] at an offset of an arena."""
    return Operand(arena, offset_bytes, "fp32", (tokens, WIDTH), (4 * WIDTH, 4))


def task(
    waits: tuple[int, ...] = (),
    parts: int = 1,
    source: str = "op",
    operands: tuple[Operand | None, ...] | None = None,
    parameters: tuple[Extent | float, ...] = (1, 0.0, 0.0),
) -> Task:
    """A unary task; by default from scratch to scratch."""
    chosen = (rows(0, 0), rows(0, 4 * WIDTH)) if operands is None else operands
    return Task("unary", chosen, parameters, waits, parts, source)


def program(
    tasks: tuple[Task, ...], threads: int = 1, names: tuple[str, ...] = ("step",)
) -> Program:
    """One scratch arena of 64 KiB, one state of 1 KiB; the same tasks under every entry name."""
    arenas = (
        Arena("scratch", ArenaKind.SCRATCH, 65536, "memory"),
        Arena("state", ArenaKind.STATE, 1024, "memory"),
    )
    entries = tuple(Entry(name, tasks, BOUNDS, 1032, (), ()) for name in names)
    return Program("small", arenas, entries, threads=threads)


def growing(task: Task, symbols: Mapping[str, int]) -> TaskCost:
    """Seconds that grow with the parameters: code + n_past of the task's first parameter."""
    first = task.parameters[0]
    constant = first if isinstance(first, int | float) else first.constant
    past = 0 if isinstance(first, int | float) else symbols["n_past"]
    return TaskCost(1.0 + constant + 0.01 * past, joules=2.0)


PAST = symbol("n_past")
