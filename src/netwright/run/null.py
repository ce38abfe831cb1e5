"""The null runtime: checks a call, computes nothing; what is left of a run is its frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import RunError
from netwright.graph.extent import resolve
from netwright.program.file import ProgramFile
from netwright.program.program import Entry, Program
from netwright.run.checked import checked_inputs, checked_symbols, entry_of, whole_program
from netwright.run.native import PLAIN_DTYPES
from netwright.run.runtime import Runtime
from netwright.timeline.timeline import Span, Timeline


@final
class NullRuntime(Runtime):
    """Outputs of the right names, shapes and dtypes, all zero; every span has length 0."""

    def __init__(self, program: Program | ProgramFile) -> None:
        self._program: Program = whole_program(program)
        self._last: Entry | None = None

    def call(
        self, entry: str, inputs: Mapping[str, NDArray[Any]], symbols: Mapping[str, int]
    ) -> dict[str, NDArray[Any]]:
        """See `Runtime.call`."""
        found = entry_of(self._program, entry)
        values = checked_symbols(self._program, found, symbols)
        checked_inputs(self._program, found, inputs, values)
        self._last = found
        return {
            name: np.zeros(
                tuple(resolve(e, values) for e in operand.shape), PLAIN_DTYPES[operand.format]
            )
            for name, operand in found.outputs
        }

    def timeline(self) -> Timeline:
        """A span of length 0 for every task of the last call.

        Raises:
            RunError: there was none.
        """
        if self._last is None:
            raise RunError(f"{self._program.name}: no call yet")
        spans = tuple(Span("cpu", t.source, t.opcode, 0.0, 0.0) for t in self._last.tasks)
        return Timeline(self._program.name, "measured", "here", spans, (), 0.0, 0)

    def reset(self) -> None:
        """There is no state."""
