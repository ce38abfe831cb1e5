"""Writes GGUF v3: for random and requantised models, and for tests of the reader.

Source: the GGUF specification (github.com/ggml-org/ggml/blob/master/docs/gguf.md).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import FormatError
from netwright.frontends import gguf_types

VERSION: Final = 3

# int → uint32 (int64 where it does not fit), float → float32; numpy values keep their type.
Written: TypeAlias = "bool | int | float | str | Sequence[str] | np.generic | NDArray[Any]"

_CODE_OF_DTYPE: Final = {
    "|u1": 0,
    "|i1": 1,
    "<u2": 2,
    "<i2": 3,
    "<u4": 4,
    "<i4": 5,
    "<f4": 6,
    "|b1": 7,
    "<u8": 10,
    "<i8": 11,
    "<f8": 12,
}


@final
@dataclass(frozen=True, slots=True, eq=False)
class GgufData:
    """One tensor to write. `shape` is row-major; `raw` holds its bytes (uint8) in `format`."""

    name: str
    shape: tuple[int, ...]
    format: str
    raw: NDArray[np.uint8]


def write_gguf(
    path: Path,
    metadata: Mapping[str, Written],
    tensors: Sequence[GgufData],
    alignment_bytes: int = gguf_types.DEFAULT_ALIGNMENT_BYTES,
) -> None:
    """Writes the file in one pass.

    Raises:
        FormatError: GGUF has no code for a value or a format, or `raw` has the wrong length.
    """
    values = dict(metadata)
    if alignment_bytes != gguf_types.DEFAULT_ALIGNMENT_BYTES:
        values["general.alignment"] = np.uint32(alignment_bytes)
    head = bytearray(gguf_types.MAGIC)
    head += struct.pack("<IQQ", VERSION, len(tensors), len(values))
    for key, value in values.items():
        head += _string(key) + _typed(key, value)
    offset = 0
    for tensor in tensors:
        head += _info(tensor, offset)
        offset += _padded(tensor.raw.size, alignment_bytes)
    with path.open("wb") as file:
        file.write(head)
        _pad(file, len(head), alignment_bytes)
        for tensor in tensors:
            file.write(np.ascontiguousarray(tensor.raw).data)
            _pad(file, tensor.raw.size, alignment_bytes)


def _info(tensor: GgufData, offset_bytes: int) -> bytes:
    kind = gguf_types.TENSOR_TYPE_OF_FORMAT.get(tensor.format)
    if kind is None:
        raise FormatError(f"tensor {tensor.name!r}: GGUF has no type for {tensor.format}")
    elements = int(np.prod(tensor.shape))
    expected = elements // kind.block_elements * kind.block_bytes
    if tensor.shape[-1] % kind.block_elements or tensor.raw.size != expected:
        raise FormatError(
            f"tensor {tensor.name!r}: got {tensor.raw.size} bytes, expected {expected} for "
            f"{tensor.format} {tensor.shape} (rows in blocks of {kind.block_elements})"
        )
    dims = tuple(reversed(tensor.shape))
    return (
        _string(tensor.name)
        + struct.pack(f"<I{len(dims)}Q", len(dims), *dims)
        + struct.pack("<IQ", kind.code, offset_bytes)
    )


def _string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _typed(key: str, value: Written) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", gguf_types.STRING) + _string(value)
    if isinstance(value, bool):
        value = np.bool_(value)
    elif isinstance(value, int):
        value = np.uint32(value) if 0 <= value < 1 << 32 else np.int64(value)
    elif isinstance(value, float):
        value = np.float32(value)
    if isinstance(value, (np.generic, np.ndarray)):
        return _numbers(key, np.asarray(value))
    texts = b"".join(_string(text) for text in value)
    return struct.pack("<IIQ", gguf_types.ARRAY, gguf_types.STRING, len(value)) + texts


def _numbers(key: str, value: NDArray[Any]) -> bytes:
    code = _CODE_OF_DTYPE.get(value.dtype.str)
    if code is None or value.ndim > 1:
        raise FormatError(f"{key}: GGUF has no type for {value.dtype} of {value.ndim} dims")
    if value.ndim == 0:
        return struct.pack("<I", code) + value.tobytes()
    return struct.pack("<IIQ", gguf_types.ARRAY, code, value.size) + value.tobytes()


def _padded(size_bytes: int, alignment_bytes: int) -> int:
    return -(-size_bytes // alignment_bytes) * alignment_bytes


def _pad(file: BinaryIO, size_bytes: int, alignment_bytes: int) -> None:
    file.write(bytes(_padded(size_bytes, alignment_bytes) - size_bytes))
