"""safetensors files: header and places of the tensors, every bound checked.

Source: github.com/huggingface/safetensors (README, "Format").
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NoReturn, cast, final

from netwright.errors import FormatError, UnsupportedError
from netwright.frontends.weights import Entry
from netwright.graph.tensor import FileData

MOST_HEADER_BYTES: Final = 100_000_000
MOST_DIMS: Final = 8

# The file's type → our format's name and its bytes an element.
_TYPES: Final[Mapping[str, tuple[str, int]]] = MappingProxyType(
    {
        "F64": ("fp64", 8),
        "F32": ("fp32", 4),
        "F16": ("fp16", 2),
        "BF16": ("bf16", 2),
        "F8_E4M3": ("fp8_e4m3", 1),
        "F8_E5M2": ("fp8_e5m2", 1),
        "I64": ("int64", 8),
        "I32": ("int32", 4),
        "I16": ("int16", 2),
        "I8": ("int8", 1),
        "U32": ("uint32", 4),
        "U16": ("uint16", 2),
        "U8": ("uint8", 1),
        "BOOL": ("bool", 1),
    }
)


@final
@dataclass(frozen=True, slots=True)
class SafetensorsFile:
    """A file that was checked: where its tensors lie, and its own text metadata."""

    path: Path
    tensors: Mapping[str, Entry]
    metadata: Mapping[str, str]


def read_safetensors(path: Path) -> SafetensorsFile:
    """Reads and checks the header; the tensors' bytes stay in the file.

    Raises:
        FormatError: not a safetensors file, damaged, cut short, or beyond our caps.
        UnsupportedError: an element type that we have no format for.
    """
    try:
        with path.open("rb") as file:
            size_bytes = path.stat().st_size
            head = file.read(8)
            length = struct.unpack("<Q", head)[0] if len(head) == 8 else 0
            most = min(MOST_HEADER_BYTES, size_bytes - 8)
            if not 2 <= length <= most:
                _fail(path, "header length", length, f"2 to {max(2, most)}")
            raw = file.read(length)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    header = _header(path, raw)
    texts = _object(header.pop("__metadata__", {}))
    if texts is None or not all(isinstance(v, str) for v in texts.values()):
        _fail(path, "__metadata__", texts, "texts by name")
    start = 8 + len(raw)
    tensors = {name: _entry(path, name, value, start) for name, value in header.items()}
    _no_holes(path, tensors, start, size_bytes)
    return SafetensorsFile(path, MappingProxyType(tensors), MappingProxyType(texts))


def _fail(path: Path, field: str, got: object, expected: str) -> NoReturn:
    raise FormatError(
        f"{path}: {field}: got {got}, expected {expected}; "
        "the file is damaged or cut short: fetch it again"
    )


def _object(value: Any) -> dict[str, Any] | None:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _header(path: Path, raw: bytes) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            _fail(path, "header", "a name twice", "every name once")
        return found

    try:
        header = _object(json.loads(raw.decode(), object_pairs_hook=once))
    except (ValueError, RecursionError) as error:
        _fail(path, "header", f"{type(error).__name__} ({str(error)[:80]})", "JSON")
    if header is None:
        _fail(path, "header", "another JSON value", "an object of tensors by name")
    return header


def _counts(value: Any, most: int) -> tuple[int, ...] | None:
    """A short list of non-negative integers, or None."""
    items = cast("list[Any]", value) if isinstance(value, list) else None
    if items is None or len(items) > most:
        return None
    valid = all(isinstance(i, int) and not isinstance(i, bool) and i >= 0 for i in items)
    return tuple(items) if valid else None


def _entry(path: Path, name: str, value: Any, start_bytes: int) -> Entry:
    field = f"tensor {name!r}"
    found = _object(value)
    if found is None or set(found) != {"dtype", "shape", "data_offsets"}:
        _fail(path, field, found, "dtype, shape and data_offsets")
    shape, offsets = _counts(found["shape"], MOST_DIMS), _counts(found["data_offsets"], 2)
    if shape is None or offsets is None or len(offsets) != 2 or offsets[0] > offsets[1]:
        _fail(path, field, found, f"at most {MOST_DIMS} sizes, and two ordered offsets")
    kind = _TYPES.get(str(found["dtype"]))
    if kind is None:
        raise UnsupportedError(
            f"{path}: {field} has type {found['dtype']!r}; known are {', '.join(_TYPES)}; "
            "convert the tensor to one of them"
        )
    size = math.prod(shape) * kind[1]
    if offsets[1] - offsets[0] != size:
        _fail(path, field, f"{offsets[1] - offsets[0]} bytes", f"{size} for its shape and type")
    return Entry(shape, kind[0], FileData(path, start_bytes + offsets[0], size))


def _no_holes(path: Path, tensors: Mapping[str, Entry], start_bytes: int, end_bytes: int) -> None:
    """The tensors' bytes follow one another to the end of the file."""
    place = start_bytes
    for name, entry in sorted(
        tensors.items(), key=lambda t: (t[1].data.offset_bytes, t[1].data.size_bytes)
    ):
        if entry.data.offset_bytes != place:
            _fail(path, f"tensor {name!r}", f"offset {entry.data.offset_bytes}", f"{place}")
        place += entry.data.size_bytes
    if place != end_bytes:
        _fail(path, "tensors", f"an end at {place}", f"the file's end at {end_bytes}")
