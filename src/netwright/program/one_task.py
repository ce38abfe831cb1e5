"""A Program of one task, to try or to time a kernel with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import ProgramError
from netwright.program.encode import BLOCKS
from netwright.program.program import Arena, ArenaKind, Entry, Operand, Program, Task

_ACTIVATIONS = ("act8x32", "act8x256", "lut4x256")
_ALIGNED_BYTES = 64  # rows of activations begin there


@final
@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """A row-major operand. With `values` it is a constant; else it is written, or an input.

    Rows of encoded activations are no input: they are zeros (a state), or what the task writes.
    """

    name: str
    format: str
    shape: tuple[int, ...]
    values: NDArray[Any] | None = None

    def stride_bytes(self) -> tuple[int, ...]:
        """Of each dim; 0 of the last one of a block format.

        Raises:
            ProgramError: the format is unknown, or a row is no whole number of its blocks.
        """
        elements, size = BLOCKS.get(self.format, (0, 0))
        if not elements or not self.shape or self.shape[-1] % elements:
            raise ProgramError(f"{self.name}: {self.shape} is no rows of {self.format!r}")
        row = self.shape[-1] // elements * size
        if self.format in _ACTIVATIONS:
            row = -(-row // _ALIGNED_BYTES) * _ALIGNED_BYTES
        outer = [row * prod(self.shape[i:-1]) for i in range(1, len(self.shape))]
        return (*outer, size if elements == 1 else 0)

    def size_bytes(self) -> int:
        """All of its bytes."""
        elements, size = BLOCKS[self.format]
        if len(self.shape) == 1:
            return self.shape[0] // elements * size
        return self.shape[0] * self.stride_bytes()[0]


def one_task(
    opcode: str,
    operands: Sequence[Given | None],
    parameters: tuple[int | float, ...],
    *,
    parts: int = 1,
    repeats: int = 1,
    threads: int = 1,
) -> Program:
    """The task `parts` pieces wide, done `repeats` times a call of the entry `forward`.

    The first operand is what it writes, the output of its name; None is an absent operand.

    Raises:
        ProgramError: an operand's shape is none of its format, or its values are too few bytes.
    """
    arenas: list[Arena] = []
    views: list[Operand | None] = []
    inputs: list[tuple[str, Operand]] = []
    for given in operands:
        if given is None:
            views.append(None)
            continue
        view = Operand(len(arenas), 0, given.format, given.shape, given.stride_bytes())
        views.append(view)
        arenas.append(_arena(given))
        if arenas[-1].kind is ArenaKind.INPUT_OUTPUT and len(views) > 1:
            inputs.append((given.name, view))
    first, out = operands[0], views[0]
    if first is None or out is None:
        raise ProgramError(f"{opcode}: its first operand is what it writes")
    task = Task(opcode, tuple(views), parameters, (), parts, opcode)
    entry = Entry("forward", (task,), (), 0, tuple(inputs), ((first.name, out),), 0, repeats)
    return Program(opcode, tuple(arenas), (entry,), threads=threads)


def _arena(given: Given) -> Arena:
    size = given.size_bytes()
    if given.values is None:
        kind = ArenaKind.STATE if given.format in _ACTIVATIONS else ArenaKind.INPUT_OUTPUT
        return Arena(given.name, kind, size, "ram")
    raw = np.ascontiguousarray(given.values).reshape(-1).view(np.uint8)
    if raw.size < size:
        raise ProgramError(f"{given.name}: {raw.size} bytes, its shape needs {size}")
    return Arena(given.name, ArenaKind.CONSTANT, raw.size, "ram", raw=raw)
