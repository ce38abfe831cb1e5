"""The native runtime: a program on this machine's CPU, no Python between its tasks."""

from __future__ import annotations

import math
import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import ProgramError, RunError
from netwright.graph.extent import resolve
from netwright.native import core
from netwright.program.encode import OPCODE_NAMES, Tables, encode
from netwright.program.file import ProgramFile, file_reference, operand_from_meta
from netwright.program.program import Arena, ArenaKind, FileReference, Operand, Program
from netwright.run import later
from netwright.run.memory import peak_resident_bytes
from netwright.run.runtime import Runtime

if TYPE_CHECKING:
    from netwright.timeline.timeline import Timeline

_TABLE_NAMES = ("words", "patches", "operands", "tasks", "waits")

# A view may repeat bytes (strides of 0) and so be larger than its arena, but not without end.
MOST_BROADCAST_BYTES = 1 << 30

PLAIN_DTYPES: Mapping[str, np.dtype[Any]] = {
    "fp32": np.dtype(np.float32),
    "fp16": np.dtype(np.float16),
    "fp64": np.dtype(np.float64),
    "int8": np.dtype(np.int8),
    "uint8": np.dtype(np.uint8),
    "int16": np.dtype(np.int16),
    "uint16": np.dtype(np.uint16),
    "int32": np.dtype(np.int32),
    "int64": np.dtype(np.int64),
    "bool": np.dtype(np.bool_),
}


@final
@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry as both a program and a mapped file give it."""

    index: int
    name: str
    first_task: int
    num_tasks: int
    bounds: tuple[tuple[str, int, int], ...]
    all_bounds: tuple[tuple[str, int, int], ...]  # one for each symbol of the program, in order
    limit: int
    inputs: tuple[tuple[str, Operand], ...]
    outputs: tuple[tuple[str, Operand], ...]
    threads: int  # 0: all that the program was loaded with
    repeats: int = 1

    def core_form(self) -> tuple[int, int, list[int], list[int], int, int]:
        low = [b[1] for b in self.all_bounds]
        high = [b[2] for b in self.all_bounds]
        return self.first_task, self.num_tasks, low, high, self.limit, self.repeats


@final
@dataclass(frozen=True, slots=True)
class _Frame:
    name: str
    tables: Tables
    arenas: tuple[Arena, ...]
    entries: tuple[_Entry, ...]
    threads: int


@final
class NativeRuntime(Runtime):
    """Loads (verifies, maps weights, allocates arenas) once; `call` allocates nothing but outputs.

    Each entry uses the number of threads that it was planned for; a number given here or to
    `set_threads` goes for all.

    Raises:
        ProgramError: the program breaks a rule; the message names entry, task and opcode.
        RunError: a weight file is missing or has changed.
    """

    def __init__(self, program: Program | ProgramFile, threads: int | None = None) -> None:
        frame = _frame(program)
        self._name: str = frame.name
        self._tables: Tables = frame.tables
        self._entries: dict[str, _Entry] = {e.name: e for e in frame.entries}
        self._arenas = frame.arenas
        self._fixed: dict[int, NDArray[Any]] = {}
        self._trace = False
        self._last: tuple[_Entry, list[int]] | None = None
        wanted = max(1, threads or frame.threads)
        self._loaded_threads = wanted
        self._threads = threads or 0
        raws = [_raw(arena) for arena in frame.arenas]
        try:
            self._core = core.Executable(
                *(_bytes_of(getattr(frame.tables, name)) for name in _TABLE_NAMES),
                arenas=[
                    (arena.kind.value, arena.size_bytes, raw)
                    for arena, raw in zip(frame.arenas, raws, strict=True)
                ],
                entries=[e.core_form() for e in frame.entries],
                threads=wanted,
                use_avx2=core.has_avx2(),
            )
        except (ValueError, MemoryError, TypeError, RuntimeError) as error:
            # TypeError, RuntimeError: a number of a damaged file that fits no 64 bits.
            raise ProgramError(f"{self._name}: {error}") from error

    @property
    def workspace_bytes(self) -> int:
        """Bytes of kernel workspace for each thread."""
        return int(self._core.workspace_bytes)

    def trace(self, wanted: bool) -> None:
        """Whether later calls note the time of every task."""
        self._trace = wanted

    def set_threads(self, threads: int) -> None:
        """Uses this many threads from the next call on, at most what it was loaded with."""
        self._threads = threads

    def call(
        self, entry: str, inputs: Mapping[str, NDArray[Any]], symbols: Mapping[str, int]
    ) -> dict[str, NDArray[Any]]:
        """See `Runtime.call`. Outputs are copies."""
        found = self._entry(entry)
        for name, operand in found.inputs:
            if name not in inputs:
                raise RunError(f"{self._name}.{entry}: input {name!r} is missing")
            view = self._view(operand, symbols)
            value = np.asarray(inputs[name])
            if value.shape != view.shape:
                raise RunError(
                    f"{self._name}.{entry}: input {name!r} has shape {value.shape}, "
                    f"expected {view.shape}"
                )
            if not view.flags.writeable:
                raise RunError(f"{self._name}.{entry}: input {name!r} lies in a read-only arena")
            view[...] = value
        unknown = set(inputs) - {name for name, _ in found.inputs}
        if unknown:
            raise RunError(f"{self._name}.{entry}: no input {sorted(unknown)}")
        self.execute(entry, symbols)
        return {name: self._view(o, symbols).copy() for name, o in found.outputs}

    def execute(self, entry: str, symbols: Mapping[str, int]) -> None:
        """Runs an entry on what its inputs already hold."""
        found = self._entry(entry)
        try:
            values = [int(symbols.get(name, low)) for name, low, _ in found.all_bounds]
            self._core.set_threads(self._threads or found.threads or self._loaded_threads)
            self._core.run(found.index, values, self._trace)
        except (IndexError, ValueError, TypeError, OverflowError) as error:
            raise RunError(f"{self._name}.{entry}: {error}") from error
        self._last = (found, values)

    def execute_slice(
        self, entry: str, symbols: Mapping[str, int], first: int, last: int
    ) -> tuple[float, ...]:
        """Runs tasks [first, last) only, on this thread → the seconds of each.

        Slices in order are a whole run, with something else between them: a look at the machine.
        """
        found = self._entry(entry)
        values = [int(symbols.get(name, low)) for name, low, _ in found.all_bounds]
        try:
            self._core.run_slice(found.index, values, first, last)
        except (IndexError, ValueError, TypeError, OverflowError) as error:
            raise RunError(f"{self._name}.{entry}: {error}") from error
        flat = self._core.times(last)[2 * first :]
        return tuple(1e-9 * (end - start) for start, end in zip(flat[::2], flat[1::2], strict=True))

    def num_tasks(self, entry: str) -> int:
        """How many tasks an entry has."""
        return self._entry(entry).num_tasks

    def _entry(self, name: str) -> _Entry:
        if name not in self._entries:
            raise RunError(f"{self._name}: no entry {name!r}; it has {sorted(self._entries)}")
        return self._entries[name]

    def _view(self, operand: Operand, symbols: Mapping[str, int]) -> NDArray[Any]:
        if symbols:
            return self._seen(operand, symbols)
        # Without symbols a place never changes; a port is looked up by itself, entries keep it.
        found = self._fixed.get(id(operand))
        if found is None:
            found = self._fixed[id(operand)] = self._seen(operand, {})
        return found

    def _seen(self, operand: Operand, symbols: Mapping[str, int]) -> NDArray[Any]:
        try:
            return view(self._core.arena(operand.arena), operand, symbols)
        except (IndexError, TypeError) as error:
            raise RunError(f"{self._name}: an input or output names no arena") from error

    def view(self, entry: str, name: str, symbols: Mapping[str, int]) -> NDArray[Any]:
        """The memory of an input or output itself (not a copy)."""
        found = self._entry(entry)
        for key, operand in (*found.inputs, *found.outputs):
            if key == name:
                return self._view(operand, symbols)
        raise RunError(f"{self._name}.{entry}: no input or output {name!r}")

    def bounds(self, entry: str) -> dict[str, tuple[int, int]]:
        """Symbol → (low, high) of an entry."""
        return {name: (low, high) for name, low, high in self._entry(entry).bounds}

    def limit(self, entry: str) -> int:
        """The most that the entry's symbols may add up to."""
        return self._entry(entry).limit

    def input_names(self, entry: str) -> tuple[str, ...]:
        """Names of the entry's inputs."""
        return tuple(name for name, _ in self._entry(entry).inputs)

    def output_names(self, entry: str) -> tuple[str, ...]:
        """Names of the entry's outputs."""
        return tuple(name for name, _ in self._entry(entry).outputs)

    def reset(self) -> None:
        """Zeroes every state arena."""
        self._core.reset_state()

    def timeline(self) -> Timeline:
        """Spans of the last call (turn `trace(True)` on before it)."""
        if self._last is None or not self._trace:
            raise RunError(f"{self._name}: no traced call yet; call trace(True) first")
        entry, _ = self._last
        flat = self._core.times(entry.num_tasks)
        rows = self._tables.tasks[entry.first_task : entry.first_task + entry.num_tasks]
        origin = flat[0] if flat else 0
        spans = tuple(
            later.Span(
                "cpu",
                self._tables.sources[int(row["source"])],
                OPCODE_NAMES[int(row["opcode"])],
                (flat[2 * i] - origin) * 1e-9,
                (flat[2 * i + 1] - flat[2 * i]) * 1e-9,
            )
            for i, row in enumerate(rows)
        )
        seconds = max((s.start_seconds + s.seconds for s in spans), default=0.0)
        return later.Timeline(
            self._name, "measured", "here", spans, (), seconds, peak_resident_bytes()
        )


def view(raw: NDArray[np.uint8], operand: Operand, symbols: Mapping[str, int]) -> NDArray[Any]:
    """An operand of a plain format as a numpy view of its arena's bytes."""
    dtype = PLAIN_DTYPES.get(operand.format)
    if dtype is None:
        raise RunError(f"an input or output of format {operand.format} cannot be seen as an array")
    try:
        offset = resolve(operand.offset_bytes, symbols)
        shape = tuple(resolve(e, symbols) for e in operand.shape)
        strides = tuple(resolve(e, symbols) for e in operand.stride_bytes)
    except KeyError as error:
        raise RunError(f"an input or output needs a value for the symbol {error}") from error
    if len(shape) != len(strides) or not _inside(raw.size, offset, shape, strides, dtype.itemsize):
        raise RunError(
            f"an input or output at byte {offset} of shape {shape}, strides {strides} does not lie "
            f"inside its arena of {raw.size} bytes"
        )
    try:
        return np.ndarray(shape, dtype, buffer=raw, offset=offset, strides=strides)
    except (ValueError, TypeError, OverflowError, MemoryError) as error:
        raise RunError(
            f"an input or output of shape {shape} cannot be an array: {error}"
        ) from error


def _inside(
    arena_bytes: int, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], item_bytes: int
) -> bool:
    """Whether every element lies in the arena; numpy's own check overflows on large strides."""
    reaches = [stride * (size - 1) for size, stride in zip(shape, strides, strict=True)]
    first = offset + sum(reach for reach in reaches if reach < 0)
    last = offset + sum(reach for reach in reaches if reach > 0)
    if min(shape, default=1) <= 0:
        return min(shape) == 0 and 0 <= offset <= arena_bytes
    if math.prod(shape) * item_bytes > max(arena_bytes, MOST_BROADCAST_BYTES):
        return False
    return first >= 0 and last + item_bytes <= arena_bytes


def _frame(program: Program | ProgramFile) -> _Frame:
    if isinstance(program, Program):
        tables = encode(program)
        first = 0
        entries: list[_Entry] = []
        for i, entry in enumerate(program.entries):
            entries.append(
                _Entry(
                    i,
                    entry.name,
                    first,
                    len(entry.tasks),
                    entry.bounds,
                    _all_bounds(tables.symbols, entry.bounds),
                    entry.limit,
                    entry.inputs,
                    entry.outputs,
                    entry.threads,
                    entry.repeats,
                )
            )
            first += len(entry.tasks)
        return _Frame(program.name, tables, program.arenas, tuple(entries), program.threads)
    meta = program.meta
    try:
        entries = []
        for i, item in enumerate(meta["entries"]):
            bounds = tuple((str(s), int(low), int(high)) for s, low, high in item["bounds"])
            entries.append(
                _Entry(
                    i,
                    str(item["name"]),
                    int(item["first_task"]),
                    int(item["num_tasks"]),
                    bounds,
                    _all_bounds(program.tables.symbols, bounds),
                    int(item["limit"]),
                    tuple((str(n), operand_from_meta(o)) for n, o in item["inputs"]),
                    tuple((str(n), operand_from_meta(o)) for n, o in item["outputs"]),
                    int(item.get("threads", 0)),
                    int(item.get("repeats", 1)),
                )
            )
        return _Frame(
            str(meta["name"]),
            program.tables,
            program.arenas,
            tuple(entries),
            int(meta["threads"]),
        )
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ProgramError(f"{program.path}: its entries are damaged ({error!r})") from error


def _all_bounds(
    symbols: tuple[str, ...], bounds: tuple[tuple[str, int, int], ...]
) -> tuple[tuple[str, int, int], ...]:
    known = {name: (name, low, high) for name, low, high in bounds}
    return tuple(known.get(name, (name, 0, 0)) for name in symbols)


def _bytes_of(table: NDArray[Any]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(table).view(np.uint8).reshape(-1)


def _raw(arena: Arena) -> NDArray[np.uint8] | None:
    if arena.kind is ArenaKind.CONSTANT:
        if arena.raw is None:
            raise ProgramError(f"arena {arena.name!r} is constant but has no bytes")
        return np.ascontiguousarray(arena.raw)
    if arena.kind is not ArenaKind.FILE:
        return None
    if arena.file is None:
        raise ProgramError(f"arena {arena.name!r} is a file but names none")
    return map_file(arena.file)


def map_file(reference: FileReference) -> NDArray[np.uint8]:
    """A weight file, mapped read-only, after a check that it is the one that was planned for."""
    try:
        now = file_reference(reference.path)
    except OSError as error:
        raise RunError(f"{reference.path}: cannot be read ({error.strerror})") from error
    if (now.size_bytes, now.checksum) != (reference.size_bytes, reference.checksum):
        raise RunError(f"{reference.path}: has changed since the program was made; plan it again")
    with reference.path.open("rb") as stream:
        return np.frombuffer(mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ), np.uint8)
