"""The reference runtime: a program record by record in numpy, floats in float64 between formats."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import NetwrightError, ProgramError, RunError
from netwright.program.file import ProgramFile
from netwright.program.program import Arena, ArenaKind, Entry, Operand, Program, Task
from netwright.program.reference.call import Call
from netwright.program.reference.operands import read, shape_of, write
from netwright.program.reference.table import REFERENCES
from netwright.run.checked import checked_inputs, checked_symbols, entry_of, whole_program
from netwright.run.memory import peak_resident_bytes
from netwright.run.native import map_file, view
from netwright.run.runtime import Runtime
from netwright.timeline.timeline import Span, Timeline

Array: TypeAlias = NDArray[Any]


@final
class ReferenceRuntime(Runtime):
    """Slow and plain: the oracle of the native runtime, from the same records.

    Every task reads its operands as float64 (int64, bool), computes by the graph's own reference
    and rounds once, to the format that it writes.

    Raises:
        FormatError: a program file is damaged.
        RunError: a weight file is missing or has changed.
    """

    def __init__(self, program: Program | ProgramFile) -> None:
        self._program: Program = whole_program(program)
        self._arenas: list[NDArray[np.uint8]] = [_bytes_of(a) for a in self._program.arenas]
        self._timeline: Timeline | None = None

    def call(
        self, entry: str, inputs: Mapping[str, Array], symbols: Mapping[str, int]
    ) -> dict[str, Array]:
        """See `Runtime.call`."""
        found = entry_of(self._program, entry)
        values = checked_symbols(self._program, found, symbols)
        for operand, array in checked_inputs(self._program, found, inputs, values):
            view(self._arenas[operand.arena], operand, values)[...] = array
        spent = [0.0] * len(found.tasks)
        start = time.perf_counter()
        for _ in range(found.repeats):
            for index, task in enumerate(found.tasks):
                began = time.perf_counter()
                try:
                    self._task(task, values)
                except (NetwrightError, ValueError, IndexError) as error:
                    raise ProgramError(
                        f"{self._program.name}.{entry}: task {index} ({task.opcode}, "
                        f"{task.source}): {error}"
                    ) from error
                spent[index] += time.perf_counter() - began
        total = time.perf_counter() - start
        starts = np.cumsum([0.0, *spent])
        spans = tuple(
            Span("cpu", task.source, task.opcode, float(began), seconds)
            for task, began, seconds in zip(found.tasks, starts, spent, strict=False)
        )
        self._timeline = Timeline(
            self._program.name, "measured", "here", spans, (), total, peak_resident_bytes()
        )
        return self._outputs(found, values)

    def _outputs(self, entry: Entry, symbols: Mapping[str, int]) -> dict[str, Array]:
        return {
            name: view(self._arenas[operand.arena], operand, symbols).copy()
            for name, operand in entry.outputs
        }

    def _task(self, task: Task, symbols: Mapping[str, int]) -> None:
        known = REFERENCES.get(task.opcode)
        if known is None:
            raise ProgramError(f"opcode {task.opcode!r} has no reference")
        targets = task.operands[: known.written]
        sources = task.operands[0 if known.in_place else known.written :]
        arrays = tuple(None if o is None else self._read(o, symbols) for o in sources)
        shapes = tuple(None if o is None else shape_of(o, symbols) for o in targets)
        parameters = tuple(
            p
            if isinstance(p, (int, float))
            else p.constant + sum(c * symbols[s] for s, c in p.terms)
            for p in task.parameters
        )
        with np.errstate(all="ignore"):
            results = known.meaning(Call(shapes, arrays, parameters))
        for operand, result in zip(targets, results, strict=True):
            if operand is not None:
                write(self._arenas[operand.arena], operand, symbols, result)

    def _read(self, operand: Operand, symbols: Mapping[str, int]) -> Array:
        return read(self._arenas[operand.arena], operand, symbols)

    def timeline(self) -> Timeline:
        """Spans of the last call, measured.

        Raises:
            RunError: there was none.
        """
        if self._timeline is None:
            raise RunError(f"{self._program.name}: no call yet")
        return self._timeline

    def reset(self) -> None:
        """Zeroes every state arena."""
        for arena, raw in zip(self._program.arenas, self._arenas, strict=True):
            if arena.kind is ArenaKind.STATE:
                raw[...] = 0


def _bytes_of(arena: Arena) -> NDArray[np.uint8]:
    if arena.kind is ArenaKind.FILE:
        if arena.file is None:
            raise ProgramError(f"arena {arena.name!r} is a file but names none")
        return map_file(arena.file)
    if arena.kind is ArenaKind.CONSTANT:
        if arena.raw is None:
            raise ProgramError(f"arena {arena.name!r} is constant but has no bytes")
        return arena.raw
    return np.zeros(arena.size_bytes, np.uint8)
