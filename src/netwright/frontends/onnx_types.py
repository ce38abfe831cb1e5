"""The element types of ONNX: their codes, and what numpy calls them.

Source: onnx.proto3, TensorProto.DataType.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]


@final
@dataclass(frozen=True, slots=True)
class ElementType:
    """One element type. `dtype` is how it lies in a file, `values` what it is computed in."""

    name: str
    bits: int
    dtype: np.dtype[Any]
    values: np.dtype[Any]


def _type(name: str, bits: int, dtype: str, values: str = "") -> ElementType:
    return ElementType(name, bits, np.dtype(dtype), np.dtype(values or dtype))


STRING_CODE = 8

ELEMENT_TYPES: dict[int, ElementType] = {
    1: _type("float", 32, "<f4"),
    2: _type("uint8", 8, "u1"),
    3: _type("int8", 8, "i1"),
    4: _type("uint16", 16, "<u2"),
    5: _type("int16", 16, "<i2"),
    6: _type("int32", 32, "<i4"),
    7: _type("int64", 64, "<i8"),
    9: _type("bool", 8, "u1", "?"),
    10: _type("float16", 16, "<f2"),
    11: _type("double", 64, "<f8"),
    12: _type("uint32", 32, "<u4"),
    13: _type("uint64", 64, "<u8"),
    16: _type("bfloat16", 16, "<u2", "<f4"),
    21: _type("uint4", 4, "u1"),
    22: _type("int4", 4, "u1", "i1"),
}

_UNSUPPORTED_NAMES = {
    8: "string", 14: "complex64", 15: "complex128", 17: "float8e4m3fn", 18: "float8e4m3fnuz",
    19: "float8e5m2", 20: "float8e5m2fnuz", 23: "float4e2m1", 24: "float8e8m0",
}  # fmt: skip


def type_name(code: int) -> str:
    """The name of a type code, known or not."""
    known = ELEMENT_TYPES.get(code)
    return known.name if known else _UNSUPPORTED_NAMES.get(code, f"code {code}")


def decode(raw: NDArray[np.uint8], element: ElementType, dims: tuple[int, ...]) -> Array:
    """Bytes as they lie in a file → values [dims]; a view where the machine has the type."""
    if element.bits == 4:
        return _decode_nibbles(raw, element, dims)
    stored = raw.view(element.dtype) if raw.ctypes.data % element.dtype.itemsize == 0 else (
        np.frombuffer(raw.tobytes(), dtype=element.dtype)
    )  # fmt: skip
    if element.name == "bfloat16":
        stored = (stored.astype(np.uint32) << 16).view(np.float32)
    elif element.name == "bool":
        stored = stored != 0
    return stored.reshape(dims)


def _decode_nibbles(
    raw: NDArray[np.uint8], element: ElementType, dims: tuple[int, ...]
) -> NDArray[Any]:
    """Two elements a byte, the first in the low half."""
    pairs = np.stack([raw & 0xF, raw >> 4], axis=-1).reshape(-1)
    count = int(np.prod(dims, dtype=np.int64))
    values = pairs[:count].astype(element.values)
    if element.name == "int4":
        values = np.where(values > 7, values - 16, values).astype(np.int8)
    return values.reshape(dims)
