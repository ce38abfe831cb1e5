"""Program: the plan made flat. Ordered tasks over buffers at addresses; it knows no meaning.

Every number of a task may depend on the program's symbols (`Extent`); with the symbols' upper
bounds the worst case in memory and instructions is known before anything runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import ProgramError
from netwright.graph.extent import Extent
from netwright.program.verbs import run_program, simulate_program

if TYPE_CHECKING:
    from netwright.timeline.timeline import Timeline


@final
class ArenaKind(Enum):
    """Where an arena's bytes come from and how long they live. Values are the file's codes."""

    FILE = 0  # a weight file as shipped: mapped, read-only
    CONSTANT = 1  # bytes inside the program file: mapped, read-only
    STATE = 2  # zero at reset, kept between calls
    SCRATCH = 3  # meaningless between calls
    INPUT_OUTPUT = 4  # written and read by the caller


@final
@dataclass(frozen=True, slots=True)
class FileReference:
    """The file behind a FILE arena, by path, size and checksum of its first MiB (blake2b-128)."""

    path: Path
    size_bytes: int
    checksum: str


@final
@dataclass(frozen=True, slots=True, eq=False)
class Arena:
    """One contiguous region of memory. `size_bytes` is the worst case over all symbols."""

    name: str
    kind: ArenaKind
    size_bytes: int
    memory: str  # the machine memory that it lives in
    file: FileReference | None = None
    raw: NDArray[np.uint8] | None = None


@final
@dataclass(frozen=True, slots=True)
class Operand:
    """A strided view of an arena. `stride_bytes` of the innermost dim of a block format is 0."""

    arena: int
    offset_bytes: Extent
    format: str
    shape: tuple[Extent, ...]
    stride_bytes: tuple[Extent, ...]


@final
@dataclass(frozen=True, slots=True)
class Task:
    """One instruction. Written operands come first; an absent optional operand is None.

    `parts` is the fixed number of pieces it is cut into: any thread may take any piece, so the
    result does not depend on who does. `waits` are indices of earlier tasks of the same entry.
    """

    opcode: str
    operands: tuple[Operand | None, ...]
    parameters: tuple[Extent | float, ...]
    waits: tuple[int, ...]
    parts: int
    source: str  # the graph operator it came from
    worker: int = 0


@final
@dataclass(frozen=True, slots=True)
class Entry:
    """A way in. Its tasks share arenas (weights, state) with those of the other entries.

    `threads` is how many of the program's threads it uses; 0 is all of them. One call does all the
    tasks `repeats` times, one repetition after another: steps of a network that keeps state.
    """

    name: str
    tasks: tuple[Task, ...]
    bounds: tuple[tuple[str, int, int], ...]  # symbol, low, high
    limit: int  # the most that the symbols may add up to
    inputs: tuple[tuple[str, Operand], ...]
    outputs: tuple[tuple[str, Operand], ...]
    threads: int = 0
    repeats: int = 1


@final
@dataclass(frozen=True, slots=True)
class Program:
    """What runtimes execute and the simulator times."""

    name: str
    arenas: tuple[Arena, ...]
    entries: tuple[Entry, ...]
    workers: tuple[str, ...] = ("cpu",)
    threads: int = 1
    machine: str = "here"  # the machine that it was planned for: a name or a file
    metadata: tuple[tuple[str, str], ...] = ()

    def entry(self, name: str) -> Entry:
        """The entry of this name.

        Raises:
            ProgramError: there is none; the message lists those that there are.
        """
        for entry in self.entries:
            if entry.name == name:
                return entry
        names = ", ".join(e.name for e in self.entries)
        raise ProgramError(f"{self.name}: no entry {name!r}; it has {names}")

    def threads_of(self, entry: Entry) -> int:
        """How many threads an entry uses."""
        return max(1, min(entry.threads or self.threads, self.threads))

    def default_call(self) -> tuple[str, dict[str, int]]:
        """The entry that repeats (decode, step or the only one), symbols at their lowest."""
        names = [entry.name for entry in self.entries]
        name = "decode" if "decode" in names else names[0]
        return name, {symbol: low for symbol, low, _ in self.entry(name).bounds}

    def simulate(
        self,
        entry: str | None = None,
        symbols: Mapping[str, int] | None = None,
        spikes: Mapping[str, Any] | None = None,
    ) -> Timeline:
        """What one call would take on the machine that this was planned for.

        On a chip of spiking cores: with the `spikes` [steps, samples, ...] of every population
        (`netwright.run.record`), or as often as the graph's densities say.
        """
        name, lowest = self.default_call()
        return simulate_program(self, entry or name, symbols or lowest, spikes)

    def run(
        self,
        inputs: Mapping[str, Any],
        entry: str | None = None,
        symbols: Mapping[str, int] | None = None,
    ) -> Timeline:
        """One call on this machine, measured. Outputs: `netwright.run.native.NativeRuntime`."""
        name, lowest = self.default_call()
        return run_program(self, inputs, entry or name, symbols or lowest)
