"""Program files: save and load. The layout is in docs/program-format.md."""

from __future__ import annotations

import hashlib
import json
import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import FormatError
from netwright.graph.extent import Extent, affine
from netwright.program.encode import (
    ABSENT,
    FORMAT_NAMES,
    OPCODE_NAMES,
    OPERAND_ROW,
    PATCH_ROW,
    TASK_ROW,
    Tables,
    encode,
)
from netwright.program.opcodes import real_parameters
from netwright.program.program import (
    Arena,
    ArenaKind,
    Entry,
    FileReference,
    Operand,
    Program,
    Task,
)

MAGIC = b"NETWRPRG"
VERSION = 1
ALIGNMENT_BYTES = 4096
MAX_META_BYTES = 64 << 20
MAX_THREADS = 1024
CHECKSUM_BYTES = 1 << 20

HEADER = np.dtype([("magic", "S8"), ("version", "<u4"), ("meta_bytes", "<u4"), ("digest", "V16")])
# What reading a damaged description can raise.
_DAMAGE = (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError)
ROWS: Mapping[str, np.dtype[Any]] = {
    "words": np.dtype("<i8"),
    "patches": PATCH_ROW,
    "operands": OPERAND_ROW,
    "tasks": TASK_ROW,
    "waits": np.dtype("<u4"),
}


@final
@dataclass(frozen=True, slots=True, eq=False)
class ProgramFile:
    """A mapped program file: tables and arenas as the runtimes take them, nothing decoded yet."""

    path: Path
    meta: Mapping[str, Any]
    tables: Tables
    arenas: tuple[Arena, ...]


def file_reference(path: Path) -> FileReference:
    """Path, size and checksum of a weight file."""
    with path.open("rb") as stream:
        digest = hashlib.blake2b(stream.read(CHECKSUM_BYTES), digest_size=16).hexdigest()
    return FileReference(path.resolve(), path.stat().st_size, digest)


def save(program: Program, path: Path) -> None:
    """Writes a program file, whole or not at all."""
    tables = encode(program)
    arenas = [_arena_meta(arena) for arena in program.arenas]
    sections = {name: getattr(tables, name).tobytes() for name in ROWS}
    meta: dict[str, Any] = {
        "name": program.name,
        "threads": program.threads,
        "machine": program.machine,
        "workers": program.workers,
        "metadata": dict(program.metadata),
        "symbols": tables.symbols,
        "sources": tables.sources,
        "rows": {name: len(raw) // ROWS[name].itemsize for name, raw in sections.items()},
        "arenas": arenas,
        "entries": _entries_meta(program),
    }
    text = json.dumps(meta, separators=(",", ":")).encode()
    body = text + b" " * (-(HEADER.itemsize + len(text)) % 8) + b"".join(sections.values())
    digest = hashlib.blake2b(body, digest_size=16).digest()
    padded = len(text) + (-(HEADER.itemsize + len(text)) % 8)
    header = np.array([(MAGIC, VERSION, padded, digest)], HEADER).tobytes()
    partial = path.with_name(path.name + f".{os.getpid()}.partial")
    with partial.open("wb") as stream:
        stream.write(header + body)
        for arena in program.arenas:
            if arena.raw is not None:
                stream.write(b"\0" * (-stream.tell() % ALIGNMENT_BYTES))
                np.ascontiguousarray(arena.raw).tofile(stream)
    partial.replace(path)


def _arena_meta(arena: Arena) -> dict[str, Any]:
    file = arena.file and {
        "path": str(arena.file.path),
        "size_bytes": arena.file.size_bytes,
        "checksum": arena.file.checksum,
    }
    return {
        "name": arena.name,
        "kind": arena.kind.value,
        "size_bytes": arena.size_bytes,
        "memory": arena.memory,
        "file": file,
    }


def _entries_meta(program: Program) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    first = 0
    for entry in program.entries:
        entries.append(
            {
                "name": entry.name,
                "first_task": first,
                "num_tasks": len(entry.tasks),
                "bounds": entry.bounds,
                "limit": entry.limit,
                "threads": entry.threads,
                "repeats": entry.repeats,
                "inputs": [[name, _operand_meta(o)] for name, o in entry.inputs],
                "outputs": [[name, _operand_meta(o)] for name, o in entry.outputs],
            }
        )
        first += len(entry.tasks)
    return entries


def _extent_meta(extent: Extent) -> Any:
    return extent if isinstance(extent, int) else [extent.constant, dict(extent.terms)]


def _operand_meta(operand: Operand) -> list[Any]:
    return [
        operand.arena,
        _extent_meta(operand.offset_bytes),
        operand.format,
        [_extent_meta(e) for e in operand.shape],
        [_extent_meta(e) for e in operand.stride_bytes],
    ]


def open_program(path: Path) -> ProgramFile:
    """Maps a program file and checks its frame; the runtimes verify what the tables say.

    Raises:
        FormatError: not a program file, another version, cut short, or damaged.
    """
    try:
        with path.open("rb") as stream:
            if os.fstat(stream.fileno()).st_size < HEADER.itemsize:
                raise FormatError(f"{path}: too short for a program file")
            mapped = np.frombuffer(mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ), np.uint8)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror})") from error
    header = mapped[: HEADER.itemsize].view(HEADER)[0]
    if header["magic"] != MAGIC:
        raise FormatError(f"{path}: not a Netwright program file")
    if header["version"] != VERSION:
        raise FormatError(
            f"{path}: version {header['version']}, this build reads {VERSION}; plan it again"
        )
    meta_bytes = int(header["meta_bytes"])
    if meta_bytes > min(MAX_META_BYTES, mapped.size - HEADER.itemsize):
        raise FormatError(f"{path}: its description is cut short")
    start = HEADER.itemsize
    try:
        meta = json.loads(mapped[start : start + meta_bytes].tobytes())
        return _sections(path, mapped, meta, start + meta_bytes, bytes(header["digest"]))
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
        OverflowError,
    ) as error:
        raise FormatError(f"{path}: its description is damaged ({error}); plan it again") from error


def _sections(
    path: Path, mapped: NDArray[np.uint8], meta: dict[str, Any], at: int, digest: bytes
) -> ProgramFile:
    views: dict[str, Any] = {}
    for name, row in ROWS.items():
        count = meta["rows"][name]
        size = count * row.itemsize
        if not isinstance(count, int) or count < 0 or at + size > mapped.size:
            raise FormatError(f"{path}: table {name} is cut short")
        views[name] = mapped[at : at + size].view(row)
        at += size
    if hashlib.blake2b(mapped[HEADER.itemsize : at].tobytes(), digest_size=16).digest() != digest:
        raise FormatError(f"{path}: its checksum does not match; plan it again")
    tables = Tables(
        **views,
        symbols=tuple(map(str, meta["symbols"])),
        sources=tuple(map(str, meta["sources"])),
    )
    _check_rows(path, tables, meta)
    arenas: list[Arena] = []
    for item in meta["arenas"]:
        kind, size = ArenaKind(item["kind"]), int(item["size_bytes"])
        raw = None
        if kind is ArenaKind.CONSTANT:
            at += -at % ALIGNMENT_BYTES
            if size < 0 or at + size > mapped.size:
                raise FormatError(f"{path}: arena {item['name']!r} is cut short")
            raw = mapped[at : at + size]
            at += size
        file = item["file"] and FileReference(
            Path(item["file"]["path"]), int(item["file"]["size_bytes"]), item["file"]["checksum"]
        )
        arenas.append(Arena(str(item["name"]), kind, size, str(item["memory"]), file, raw))
    return ProgramFile(path, meta, tables, tuple(arenas))


def _check_rows(path: Path, tables: Tables, meta: Mapping[str, Any]) -> None:
    """Rows are never shared, so what a program unfolds to is no larger than its file."""
    tasks = tables.tasks
    for field, table in (
        ("num_operands", tables.operands),
        ("num_parameters", tables.words),
        ("num_waits", tables.waits),
    ):
        if int(tasks[field].sum(dtype=np.int64)) > len(table):
            raise FormatError(f"{path}: its tasks share rows ({field}); plan it again")
    if tasks.size and int(tasks["source"].max()) >= len(tables.sources):
        raise FormatError(f"{path}: a task names a source that is not there; plan it again")
    if sum(int(item["num_tasks"]) for item in meta["entries"]) > len(tasks):
        raise FormatError(f"{path}: its entries share tasks; plan it again")
    if not 1 <= int(meta["threads"]) <= MAX_THREADS:
        raise FormatError(
            f"{path}: got {meta['threads']} threads, expected 1 to {MAX_THREADS}; plan it again"
        )


def load(path: Path) -> Program:
    """The whole program as values. Runtimes can also take the `ProgramFile` without this.

    Raises:
        FormatError: see `open_program`, or a row points outside its table.
    """
    file = open_program(path)
    try:
        entries = tuple(_entry(file, item) for item in file.meta["entries"])
        return Program(
            str(file.meta["name"]),
            file.arenas,
            entries,
            tuple(map(str, file.meta["workers"])),
            int(file.meta["threads"]),
            str(file.meta["machine"]),
            tuple((str(k), str(v)) for k, v in file.meta["metadata"].items()),
        )
    except _DAMAGE as error:
        raise FormatError(f"{path}: damaged ({error!r}); plan it again") from error


def _entry(file: ProgramFile, item: Mapping[str, Any]) -> Entry:
    patches: dict[int, dict[str, int]] = {}
    for row in file.tables.patches:
        index, coefficient = int(row["symbol"]), int(row["coefficient"])
        terms = patches.setdefault(int(row["word"]), {})
        name = file.tables.symbols[index]
        terms[name] = terms.get(name, 0) + coefficient
    words = file.tables.words

    def value(index: int) -> Extent:
        return affine(int(words[index]), patches.get(index, {}))

    def operand(row: Any) -> Operand | None:
        arena, code, rank, first = (int(x) for x in row)
        if arena == ABSENT:
            return None
        shape = tuple(value(first + 1 + d) for d in range(rank))
        strides = tuple(value(first + 1 + rank + d) for d in range(rank))
        return Operand(arena, value(first), FORMAT_NAMES[code], shape, strides)

    first, count = int(item["first_task"]), int(item["num_tasks"])
    rows = file.tables.tasks[first : first + count]
    if len(rows) != count or first < 0:
        raise FormatError(f"{file.path}: entry {item['name']!r} points outside the tasks")
    tasks: list[Task] = []
    for row in rows:
        opcode = OPCODE_NAMES[int(row["opcode"])]
        at = int(row["first_operand"])
        start = int(row["first_parameter"])
        reals = real_parameters(opcode)
        parameters = tuple(
            float(words[start + i : start + i + 1].view(np.float64)[0])
            if i in reals
            else value(start + i)
            for i in range(int(row["num_parameters"]))
        )
        wait = int(row["first_wait"])
        tasks.append(
            Task(
                opcode,
                tuple(
                    operand(file.tables.operands[i])
                    for i in range(at, at + int(row["num_operands"]))
                ),
                parameters,
                tuple(map(int, file.tables.waits[wait : wait + int(row["num_waits"])])),
                int(row["parts"]),
                file.tables.sources[int(row["source"])],
                int(row["worker"]),
            )
        )
    return Entry(
        str(item["name"]),
        tuple(tasks),
        tuple((str(s), int(low), int(high)) for s, low, high in item["bounds"]),
        int(item["limit"]),
        tuple((str(name), operand_from_meta(o)) for name, o in item["inputs"]),
        tuple((str(name), operand_from_meta(o)) for name, o in item["outputs"]),
        int(item.get("threads", 0)),
        int(item.get("repeats", 1)),
    )


def operand_from_meta(item: Any) -> Operand:
    """An input or output view as the description writes it."""

    def extent(value: Any) -> Extent:
        if isinstance(value, int):
            return value
        return affine(int(value[0]), {str(k): int(v) for k, v in value[1].items()})

    arena, offset, format_name, shape, strides = item
    return Operand(
        int(arena),
        extent(offset),
        str(format_name),
        tuple(extent(e) for e in shape),
        tuple(extent(e) for e in strides),
    )
