"""A TensorProto → where its bytes are: in the model file, in a file beside it, or in memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import final

import numpy as np

from netwright.frontends.onnx_types import ELEMENT_TYPES, ElementType
from netwright.frontends.onnx_wire import FIXED32, FIXED64, Message
from netwright.graph.tensor import ArrayData, Data, FileData

_MAX_RANK = 16
_RAW_DATA, _EXTERNAL_DATA = 9, 13
_INT32_DATA_TYPES = {"int32", "int16", "int8", "uint16", "uint8", "bool", "float16", "bfloat16"}


@final
@dataclass(frozen=True, slots=True)
class OnnxTensor:
    """A constant of the file. `data` is None for a type that we do not read (strings)."""

    name: str
    type_code: int
    dims: tuple[int, ...]
    data: Data | None


def read_tensor(message: Message, path: Path) -> OnnxTensor:
    """The tensor of this message; `path` is the model's file.

    Raises:
        FormatError: sizes do not agree, or external data would leave the model's folder.
    """
    name = message.text(8)
    dims = tuple(message.integers(1).tolist())
    if len(dims) > _MAX_RANK or any(d < 0 for d in dims):
        raise message.fail(
            f"{name!r}: got dims {dims}, expected at most {_MAX_RANK}, none negative"
        )
    if message.has(3):
        raise message.fail(f"{name!r}: got a tensor in segments; save it whole")
    code = message.integer(2)
    element = ELEMENT_TYPES.get(code)
    if element is None:
        return OnnxTensor(name, code, dims, None)
    expected = -(-math.prod(dims) * element.bits // 8)
    if message.integer(14) == 1:
        data: Data = _external(message, path, expected)
    else:
        data = _internal(message, path, element, expected)
    size = data.size_bytes if isinstance(data, FileData) else data.raw.size
    if size != expected:
        raise message.fail(
            f"{name!r}: got {size} bytes, expected {expected} for {element.name} of dims {dims}"
        )
    return OnnxTensor(name, code, dims, data)


def _internal(message: Message, path: Path, element: ElementType, expected_bytes: int) -> Data:
    name = element.name
    fixed = {"float": (4, FIXED32), "double": (10, FIXED64)}.get(name)
    raw = message.packed_span(_RAW_DATA)
    if raw is None and fixed is not None:
        raw = message.packed_span(fixed[0])
    if raw is not None:
        return FileData(path, raw.start, raw.stop - raw.start)
    if fixed is not None:
        return ArrayData(np.frombuffer(message.fixed_bytes(*fixed), dtype=np.uint8))
    numbers = message.integers(_number_field(element))
    if element.bits == 4:
        return ArrayData(numbers.astype(np.uint8))
    if numbers.size * element.dtype.itemsize != expected_bytes:
        count = expected_bytes // element.dtype.itemsize
        raise message.fail(f"got {numbers.size} numbers, expected {count} of {name}")
    return ArrayData(numbers.astype(f"<u{element.dtype.itemsize}").view(np.uint8))


def _number_field(element: ElementType) -> int:
    if element.name in _INT32_DATA_TYPES or element.bits == 4:
        return 5
    return 7 if element.name == "int64" else 11


def _external(message: Message, path: Path, expected_bytes: int) -> Data:
    """Bytes in another file, which must lie in the model's own folder."""
    entries = {m.text(1): m.text(2) for m in message.messages(_EXTERNAL_DATA, "external_data")}
    location = entries.get("location", "")
    relative = PurePosixPath(location)
    folder = path.parent.resolve()
    file = (folder / relative).resolve()
    if not location or relative.is_absolute() or not file.is_relative_to(folder):
        raise message.fail(f"external data at {location!r}: expected a file in the model's folder")
    if not file.is_file():
        raise message.fail(f"external data at {location!r}: there is no such file in {folder}")
    offset = _count(message, entries.get("offset", "0"))
    length = _count(message, entries.get("length", str(expected_bytes)))
    if offset + length > file.stat().st_size:
        raise message.fail(
            f"external data at {location!r}: got bytes {offset} to {offset + length}, "
            f"but the file ends at {file.stat().st_size}"
        )
    return FileData(file, offset, length)


def _count(message: Message, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise message.fail(f"external data: got {text!r}, expected a number of bytes")
    return int(text)
