"""GGUF v2 and v3 files: a reader for hostile input. Nothing is copied but small values.

Every count, length and offset is checked against the file's size before it is used.
Source: the GGUF specification (github.com/ggml-org/ggml/blob/master/docs/gguf.md).
"""

from __future__ import annotations

import mmap
import struct
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, final

import numpy as np

from netwright.errors import FormatError, UnsupportedError
from netwright.frontends import gguf_types
from netwright.frontends.gguf_types import TENSOR_TYPES
from netwright.frontends.gguf_values import Strings, Value, checked_text

MOST_METADATA: Final = 1 << 16
MOST_TENSORS: Final = 1 << 16
MOST_KEY_BYTES: Final = (1 << 16) - 1
MOST_NAME_BYTES: Final = 64
MOST_DIMS: Final = 4
MOST_ALIGNMENT_BYTES: Final = 1 << 16
MOST_ARRAY_DEPTH: Final = 4

_U32: Final = struct.Struct("<I")
_U64: Final = struct.Struct("<Q")


@final
@dataclass(frozen=True, slots=True)
class GgufTensor:
    """Where one tensor lies. `shape` is row-major (ggml's dims reversed)."""

    name: str
    shape: tuple[int, ...]
    format: str
    offset_bytes: int
    size_bytes: int


@final
@dataclass(frozen=True, slots=True)
class GgufFile:
    """A file that was checked: all its metadata, and where its tensors lie."""

    path: Path
    version: int
    alignment_bytes: int
    size_bytes: int
    metadata: Mapping[str, Value]
    tensors: Mapping[str, GgufTensor]


@final
class _Reader:
    """A cursor over the mapped file that never leaves it."""

    __slots__ = ("buffer", "path", "position", "size")

    def __init__(self, buffer: mmap.mmap, path: Path) -> None:
        self.buffer = buffer
        self.path = path
        self.position = 0
        self.size = len(buffer)

    def fail(self, field: str, got: object, expected: str) -> FormatError:
        return FormatError(
            f"{self.path}: {field} at byte {self.position}: got {got}, expected {expected}; "
            "the file is damaged or cut short: fetch it again or convert it anew"
        )

    def need(self, length_bytes: int, field: str) -> int:
        """Moves past this many bytes; returns where they begin."""
        start = self.position
        if length_bytes > self.size - start:
            raise self.fail(field, f"{length_bytes} bytes", f"at most {self.size - start}")
        self.position = start + length_bytes
        return start

    def u32(self, field: str) -> int:
        return _U32.unpack_from(self.buffer, self.need(4, field))[0]

    def u64(self, field: str) -> int:
        return _U64.unpack_from(self.buffer, self.need(8, field))[0]

    def count(self, field: str, most: int, least_bytes: int) -> int:
        """A count whose items take at least `least_bytes` each of what is left."""
        value = self.u64(field)
        limit = min(most, (self.size - self.position) // least_bytes)
        if value > limit:
            raise self.fail(field, value, f"at most {limit}")
        return value

    def string(self, field: str, most_bytes: int) -> str:
        length = self.u64(field)
        if length > most_bytes:
            raise self.fail(field, f"{length} bytes", f"at most {most_bytes}")
        start = self.need(length, field)
        return checked_text(self.buffer[start : start + length], f"{self.path}: {field}")

    def strings(self, count: int, field: str) -> Strings:
        starts = array("Q", bytes(8 * (count + 1)))
        read, buffer = _U64.unpack_from, self.buffer
        position, last = self.position, self.size - 8
        for i in range(count):
            if position > last:
                self.position = position
                raise self.fail(f"{field}[{i}]", "the end of the file", "a string")
            length: int = read(buffer, position)[0]
            position += 8
            starts[i] = position
            position += length
            if position > last + 8:
                raise self.fail(f"{field}[{i}]", f"{length} bytes", "a string inside the file")
        starts[count] = position + 8
        self.position = position
        return Strings(buffer, starts, f"{self.path}: {field}")

    def value(self, code: int, field: str, depth: int = 0) -> Value:
        if code == gguf_types.STRING:
            return self.string(field, self.size)
        if code == gguf_types.ARRAY:
            return self.array(field, depth)
        scalar = gguf_types.SCALARS.get(code)
        if scalar is None:
            raise self.fail(field, f"value type {code}", "a type from 0 to 12")
        start = self.need(struct.calcsize(scalar), field)
        number = struct.unpack_from(scalar, self.buffer, start)[0]
        return self.boolean(number, field) if code == gguf_types.BOOL else number

    def boolean(self, number: int, field: str) -> bool:
        if number > 1:
            raise self.fail(field, f"the byte {number}", "0 or 1 for a bool")
        return bool(number)

    def array(self, field: str, depth: int) -> Value:
        code = self.u32(f"{field}: element type")
        scalar = gguf_types.SCALARS.get(code)
        if scalar is not None:
            width = struct.calcsize(scalar)
            count = self.count(f"{field}: length", self.size, width)
            start = self.need(count * width, field)
            numbers = np.frombuffer(self.buffer, np.dtype(scalar), count, start)
            if code == gguf_types.BOOL and bool((numbers > 1).any()):
                raise self.fail(field, "a byte above 1", "0 or 1 for a bool")
            return numbers.view(np.bool_) if code == gguf_types.BOOL else numbers
        if code == gguf_types.STRING:
            return self.strings(self.count(f"{field}: length", self.size, 8), field)
        if code == gguf_types.ARRAY and depth < MOST_ARRAY_DEPTH:
            count = self.count(f"{field}: length", self.size, 12)
            return tuple(self.array(f"{field}[{i}]", depth + 1) for i in range(count))
        raise self.fail(f"{field}: element type", code, "0 to 12, nested at most 4 deep")


def read_gguf(path: Path) -> GgufFile:
    """Reads and checks everything but the tensors' bytes, which stay in the file.

    Raises:
        FormatError: not a GGUF file, damaged, cut short, or beyond our caps.
        UnsupportedError: another version, big-endian, or an unknown tensor type.
    """
    reader = _Reader(_map(path), path)
    version = _version(reader)
    num_tensors = reader.count("tensor count", MOST_TENSORS, 24)
    num_values = reader.count("metadata count", MOST_METADATA, 13)
    metadata: dict[str, Value] = {}
    for i in range(num_values):
        key = reader.string(f"metadata key {i}", MOST_KEY_BYTES)
        if key in metadata:
            raise reader.fail(f"metadata key {i}", f"{key!r} again", "every key once")
        metadata[key] = reader.value(reader.u32(f"{key}: type"), key)
    alignment = _alignment(reader, metadata)
    tensors = _tensors(reader, num_tensors, alignment)
    return GgufFile(
        path, version, alignment, reader.size, MappingProxyType(metadata), MappingProxyType(tensors)
    )


def _map(path: Path) -> mmap.mmap:
    try:
        with path.open("rb") as file:
            head = file.read(24)
            if head[:4] != gguf_types.MAGIC or len(head) < 24:
                raise FormatError(
                    f"{path}: got a file that starts with {head[:4]!r} ({len(head)} bytes seen), "
                    "expected a GGUF header of 24 bytes; give a .gguf file"
                )
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); check the path") from None


def _version(reader: _Reader) -> int:
    reader.position = 4
    version = reader.u32("version")
    if version in (2, 3):
        return version
    if version & 0xFFFF == 0:
        raise UnsupportedError(
            f"{reader.path}: big-endian GGUF; convert it with the gguf package's convert_endian"
        )
    raise UnsupportedError(
        f"{reader.path}: GGUF version {version}, expected 2 or 3; convert the model anew"
    )


def _alignment(reader: _Reader, metadata: Mapping[str, Value]) -> int:
    value = metadata.get("general.alignment", gguf_types.DEFAULT_ALIGNMENT_BYTES)
    valid = isinstance(value, int) and 0 < value <= MOST_ALIGNMENT_BYTES
    if not valid or not isinstance(value, int) or value & (value - 1):
        raise reader.fail(
            "general.alignment", value, f"a power of two up to {MOST_ALIGNMENT_BYTES}"
        )
    return value


def _tensors(reader: _Reader, count: int, alignment_bytes: int) -> dict[str, GgufTensor]:
    """The tensor infos; their offsets count from the aligned end of this table."""
    found: dict[str, GgufTensor] = {}
    for i in range(count):
        tensor = _tensor(reader, i, alignment_bytes)
        if tensor.name in found:
            raise reader.fail(f"tensor {i}", f"{tensor.name!r} again", "every name once")
        found[tensor.name] = tensor
    base = -(-reader.position // alignment_bytes) * alignment_bytes
    for name, t in found.items():
        if base + t.offset_bytes + t.size_bytes > reader.size:
            end = base + t.offset_bytes + t.size_bytes
            raise reader.fail(
                f"tensor {name!r}", f"data that ends at {end}", f"an end within {reader.size} bytes"
            )
        found[name] = GgufTensor(name, t.shape, t.format, base + t.offset_bytes, t.size_bytes)
    return found


def _tensor(reader: _Reader, index: int, alignment_bytes: int) -> GgufTensor:
    name = reader.string(f"tensor {index}: name", MOST_NAME_BYTES)
    field = f"tensor {name!r}"
    num_dims = reader.u32(f"{field}: dims")
    if not 1 <= num_dims <= MOST_DIMS:
        raise reader.fail(f"{field}: dims", num_dims, f"1 to {MOST_DIMS}")
    dims = tuple(reader.u64(f"{field}: dim {d}") for d in range(num_dims))
    code = reader.u32(f"{field}: type")
    kind = TENSOR_TYPES.get(code)
    if kind is None:
        raise UnsupportedError(
            f"{reader.path}: {field} has ggml type {code}, which is unknown here; "
            "quantise the model to one of the q, k, tq or float types"
        )
    elements = 1
    for size in dims:
        elements *= size
    if not 0 < elements <= reader.size * 8:
        raise reader.fail(f"{field}: dims", dims, "sizes whose data fit the file")
    if dims[0] % kind.block_elements:
        raise reader.fail(
            f"{field}: row", dims[0], f"a multiple of {kind.format}'s block {kind.block_elements}"
        )
    offset = reader.u64(f"{field}: offset")
    if offset % alignment_bytes or offset > reader.size:
        raise reader.fail(
            f"{field}: offset", offset, f"a multiple of {alignment_bytes} inside the file"
        )
    size = elements // kind.block_elements * kind.block_bytes
    return GgufTensor(name, tuple(reversed(dims)), kind.format, offset, size)
