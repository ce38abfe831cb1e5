"""Graph files: save and load, lossless. The layout is in docs/graph-format.md."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, cast, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import FormatError, GraphError
from netwright.graph.graph import Graph
from netwright.graph.interpret import read_data
from netwright.graph.record import Json, read_graph, write_graph
from netwright.graph.tensor import ArrayData, Data, FileData
from netwright.graph.verify import verify

MAGIC = b"NETWRGPH"
VERSION = 1
ALIGNMENT_BYTES = 64
MAX_HEADER_BYTES = 256 << 20
_START = struct.Struct("<8sIIQ16s")  # magic, version, zero, header bytes, digest of the header


def save(graph: Graph, path: Path) -> None:
    """Write a graph. Weights in memory go into the file; those in other files stay references.

    The file appears whole or not at all.

    Raises:
        GraphError: the graph is not valid.
    """
    verify(graph)
    writer = _Writer(path.resolve().parent)
    header = json.dumps(write_graph(graph, writer.write), separators=(",", ":")).encode()
    if len(header) > MAX_HEADER_BYTES:
        raise GraphError(f"graph {graph.name}: a header of {len(header)} bytes is too large")
    digest = hashlib.blake2b(header, digest_size=16).digest()
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(_START.pack(MAGIC, VERSION, 0, len(header), digest))
            file.write(header)
            writer.flush(file)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load(path: Path, folders: Sequence[Path] = ()) -> Graph:
    """Read and verify a graph; weights are mapped, not copied.

    A file that weights refer to must lie in the folder of `path`, or in one of `folders`.

    Raises:
        FormatError: the file is malformed, truncated, of another version, or refers elsewhere.
        UnsupportedError: it uses a kind or format that this version does not know.
        GraphError: what it says is not a valid graph.
    """
    try:
        with path.open("rb") as file:
            header, start = _header(file, path)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read: {error}") from error
    reader = _DataReader(path, start, [path.resolve().parent, *(f.resolve() for f in folders)])
    graph = read_graph(header, reader.read, str(path))
    verify(graph)
    return graph


def embedded(graph: Graph) -> Graph:
    """The same graph with every weight in memory, so that `save` makes one whole file."""
    tensors = tuple(
        replace(t, data=tuple(ArrayData(read_data(d, t.name)) for d in t.data))
        for t in graph.tensors
    )
    return replace(graph, tensors=tensors)


def _header(file: BinaryIO, path: Path) -> tuple[Json, int]:
    """The header's JSON value and where the weights start."""
    size = os.fstat(file.fileno()).st_size
    start = file.read(_START.size)
    if len(start) < _START.size or start[: len(MAGIC)] != MAGIC:
        raise FormatError(f"{path}: it is no Netwright graph: it does not begin with {MAGIC!r}")
    _, version, zero, length, digest = _START.unpack(start)
    if version != VERSION or zero:
        raise FormatError(f"{path}: version: got {version}, expected {VERSION}; save it again")
    if length > min(MAX_HEADER_BYTES, size - _START.size):
        raise FormatError(
            f"{path}: header of {length} bytes, expected at most {MAX_HEADER_BYTES} and inside "
            f"the file of {size}; the file is truncated"
        )
    raw = file.read(length)
    if hashlib.blake2b(raw, digest_size=16).digest() != digest:
        raise FormatError(f"{path}: the header's checksum is wrong; the file is damaged")
    try:
        header = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: the header is no JSON: {error}") from error
    return header, _aligned(_START.size + length)


def _aligned(offset: int) -> int:
    return -(-offset // ALIGNMENT_BYTES) * ALIGNMENT_BYTES


@final
class _Writer:
    """Gives every array in memory a place; one array used often is written once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._arrays: list[NDArray[np.uint8]] = []
        self._places: dict[int, int] = {}
        self._end = 0

    def write(self, entry: Data) -> Json:
        if isinstance(entry, FileData):
            return ["file", self._path_text(entry.path), entry.offset_bytes, entry.size_bytes]
        key = id(entry.raw)
        if key not in self._places:
            self._places[key] = self._end
            self._arrays.append(entry.raw)
            self._end = _aligned(self._end + entry.raw.nbytes)
        return ["here", self._places[key], entry.raw.nbytes]

    def _path_text(self, path: Path) -> str:
        whole = path.resolve()
        inside = whole.is_relative_to(self._folder)
        return (whole.relative_to(self._folder) if inside else whole).as_posix()

    def flush(self, file: BinaryIO) -> None:
        for array in self._arrays:
            file.write(b"\0" * (_aligned(file.tell()) - file.tell()))
            file.write(np.ascontiguousarray(array).data)


@final
class _DataReader:
    """Turns references into data, inside the bounds of the files that may be read."""

    def __init__(self, path: Path, start: int, folders: list[Path]) -> None:
        self._path = path
        self._start = start
        self._folders = folders
        size = path.stat().st_size
        empty = np.zeros(0, dtype=np.uint8)
        self._mapped: NDArray[np.uint8] = (
            np.memmap(path, dtype=np.uint8, mode="r", offset=start) if size > start else empty
        )
        self._sizes: dict[Path, int] = {}

    def _fail(self, where: str, message: str) -> FormatError:
        return FormatError(f"{self._path}: {where}: {message}")

    def read(self, value: Json, where: str) -> Data:
        items = cast("list[Any]", value) if isinstance(value, list) else []
        numbers = [n for n in items if isinstance(n, int) and not isinstance(n, bool) and n >= 0]
        if items and items[0] == "here" and len(items) == 3 and len(numbers) == 2:
            offset, length = numbers
            if offset + length > self._mapped.size:
                raise self._fail(
                    where,
                    f"data at {offset} of {length} bytes, expected inside the {self._mapped.size} "
                    "bytes after the header; the file is truncated",
                )
            return ArrayData(self._mapped[offset : offset + length])
        named = len(items) == 4 and items[0] == "file" and isinstance(items[1], str)
        if not named or len(numbers) != 2:
            expected = "[here, offset, size] or [file, path, offset, size]"
            raise self._fail(where, f"data: got {str(items)[:80]}, expected {expected}")
        return self._outside(items[1], numbers[0], numbers[1], where)

    def _outside(self, name: str, offset: int, length: int, where: str) -> FileData:
        if "\0" in name or not name:
            raise self._fail(where, "the path of its data is no path")
        path = (self._folders[0] / name).resolve()
        if not any(path.is_relative_to(folder) for folder in self._folders):
            raise self._fail(
                where, f"data in {path}, outside the folders allowed; pass its folder to load"
            )
        if path not in self._sizes:
            try:
                self._sizes[path] = path.stat().st_size if path.is_file() else -1
            except OSError as error:
                raise self._fail(where, f"data in {path}: {error}") from error
        if offset + length > self._sizes[path]:
            raise self._fail(
                where,
                f"data in {path} at {offset} of {length} bytes, the file has "
                f"{max(self._sizes[path], 0)}; put the file that it was saved with there",
            )
        return FileData(path, offset, length)
