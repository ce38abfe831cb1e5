"""Pieces: an entry's tasks cut into parts, as rows for the event engine.

As the native virtual machine does it: pieces are claimed in order, each by the thread that is free
first, and begin once all pieces of the tasks that theirs waits for have ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import ProgramError
from netwright.graph.extent import Affine, Extent
from netwright.program.program import Entry, Program, Task
from netwright.simulate.events import EventTasks, play
from netwright.simulate.price import Price, TaskCost

_Key: TypeAlias = tuple[object, ...]


@final
@dataclass(frozen=True, slots=True, eq=False)
class TaskTimes:
    """Of each task, when its first piece began and its last one ended."""

    start: NDArray[np.float64]
    end: NDArray[np.float64]
    costs: tuple[TaskCost, ...]

    @property
    def seconds(self) -> float:
        """From the call to the end of the last task."""
        return float(self.end.max(initial=0.0))


@final
class Pieces:
    """One entry, ready to be timed at any symbols. Alike tasks are priced once."""

    def __init__(self, program: Program, entry: Entry, price: Price) -> None:
        self.entry = entry
        self._price = price
        self._known: dict[tuple[int, tuple[int, ...]], TaskCost] = {}
        keys: dict[_Key, int] = {}
        kinds = [arena.kind for arena in program.arenas]
        self._kind_of = [keys.setdefault(_key(t, kinds), len(keys)) for t in entry.tasks]
        self._example = {kind: task for task, kind in reversed(list(enumerate(self._kind_of)))}
        self._symbols = {k: _symbols_of(entry.tasks[t]) for k, t in self._example.items()}
        threads = program.threads_of(entry)
        for index, task in enumerate(entry.tasks):
            _check(program, entry, index, task)
        parts = np.array([task.parts for task in entry.tasks], np.int64)
        self._first = np.concatenate([[0], np.cumsum(parts)])
        self._owner = np.repeat(np.arange(len(parts)), parts)
        self._share = (np.minimum(parts, threads) / np.maximum(parts, 1))[self._owner]
        workers = np.array([task.worker for task in entry.tasks], np.int32)
        starts, waits = self._wait_columns()
        self._columns = (
            workers[self._owner].astype(np.int32),
            starts,
            waits,
            np.full(len(program.workers), threads, np.int32),
        )

    def time(self, symbols: Mapping[str, int]) -> TaskTimes:
        """Start and end of every task at these symbols.

        Raises:
            ProgramError: a symbol is missing or outside its bounds.
        """
        self._check_symbols(symbols)
        by_kind = {kind: self._cost(kind, symbols) for kind in self._example}
        costs = tuple(by_kind[kind] for kind in self._kind_of)
        seconds = np.array([cost.seconds for cost in costs], np.float64)
        times = play(EventTasks(seconds[self._owner] * self._share, *self._columns))
        if not costs:
            return TaskTimes(times.start, times.end, ())
        first = self._first[:-1]
        return TaskTimes(
            np.minimum.reduceat(times.start, first), np.maximum.reduceat(times.end, first), costs
        )

    def _cost(self, kind: int, symbols: Mapping[str, int]) -> TaskCost:
        values = tuple(symbols[s] for s in self._symbols[kind])
        found = self._known.get((kind, values))
        if found is None:
            found = self._price(self.entry.tasks[self._example[kind]], symbols)
            self._known[kind, values] = found
        return found

    def _check_symbols(self, symbols: Mapping[str, int]) -> None:
        for name, low, high in self.entry.bounds:
            if name not in symbols or not low <= symbols[name] <= high:
                raise ProgramError(
                    f"entry {self.entry.name!r}: {name} = {symbols.get(name)}, expected {low} to"
                    f" {high}; plan for longer inputs to go beyond"
                )

    def _wait_columns(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Every piece waits for all pieces of the tasks that its own waits for."""
        first: list[int] = self._first.tolist()
        starts, waits = [0], [np.zeros(0, np.int32)]
        for task in self.entry.tasks:
            needed = [p for w in task.waits for p in range(first[w], first[w + 1])]
            row = np.array(needed, np.int32)
            for _ in range(task.parts):
                waits.append(row)
                starts.append(starts[-1] + len(row))
        return np.array(starts, np.int64), np.concatenate(waits)


def _key(task: Task, kinds: Sequence[object]) -> _Key:
    """What a price may depend on."""
    operands = tuple(
        o and (kinds[o.arena], o.format, o.shape, o.stride_bytes) for o in task.operands
    )
    return task.opcode, operands, task.parameters, task.parts, task.worker


def _symbols_of(task: Task) -> tuple[str, ...]:
    extents: list[Extent | float] = list(task.parameters)
    for operand in task.operands:
        if operand is not None:
            extents += [*operand.shape, *operand.stride_bytes]
    return tuple(sorted({s for e in extents if isinstance(e, Affine) for s, _ in e.terms}))


def _check(program: Program, entry: Entry, index: int, task: Task) -> None:
    where = f"{program.name}.{entry.name} task {index} ({task.opcode})"
    if task.parts < 1:
        raise ProgramError(f"{where}: {task.parts} parts, expected at least 1")
    if not 0 <= task.worker < len(program.workers):
        raise ProgramError(f"{where}: worker {task.worker} of {len(program.workers)}")
    if any(not 0 <= w < index for w in task.waits):
        raise ProgramError(f"{where}: waits for {task.waits}, expected earlier tasks only")
