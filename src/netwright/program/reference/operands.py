"""Operands of every format as numpy arrays: read from and written to an arena's bytes.

Layouts: docs/program-format.md for plain and block formats, native/kernels/activation.hpp for the
int8 activations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from netwright.errors import ProgramError
from netwright.graph.extent import resolve
from netwright.graph.format import format_of
from netwright.program.program import Operand
from netwright.program.reference.activation import decode_activation, encode_activation

Array: TypeAlias = NDArray[Any]

_DTYPES: Mapping[str, np.dtype[Any]] = {
    "fp32": np.dtype(np.float32), "fp16": np.dtype(np.float16), "fp64": np.dtype(np.float64),
    "bf16": np.dtype(np.uint16), "int8": np.dtype(np.int8), "uint8": np.dtype(np.uint8),
    "int16": np.dtype(np.int16), "uint16": np.dtype(np.uint16),
    "int32": np.dtype(np.int32), "int64": np.dtype(np.int64),
    "bool": np.dtype(np.bool_), "bytes": np.dtype(np.uint8),
}  # fmt: skip
_ACTIVATIONS = {"act8x32": (32, 44), "act8x256": (256, 292), "lut4x256": (256, 1168)}


def shape_of(operand: Operand, symbols: Mapping[str, int]) -> tuple[int, ...]:
    """The operand's shape at these symbols."""
    return tuple(resolve(e, symbols) for e in operand.shape)


def read(raw: NDArray[np.uint8], operand: Operand, symbols: Mapping[str, int]) -> Array:
    """The values: float64, int64, bool, or uint8 for `bytes`; a copy, of the operand's shape.

    Tables of activations stay the bytes that they are, [T, bytes of a row].

    Raises:
        ProgramError: the operand reaches outside its arena.
    """
    shape = shape_of(operand, symbols)
    found = _view(raw, operand, symbols)
    if operand.format == "lut4x256":
        return np.ascontiguousarray(found)
    if operand.format in _ACTIVATIONS:
        return decode_activation(found, operand.format, shape[-1])
    if operand.format not in _DTYPES:
        return format_of(operand.format).decode(np.ascontiguousarray(found)).reshape(shape)
    if operand.format == "bf16":
        return (found.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    if operand.format in ("bytes", "bool"):
        return found.copy()
    floating = np.issubdtype(found.dtype, np.floating)
    return found.astype(np.float64 if floating else np.int64)


def write(
    raw: NDArray[np.uint8], operand: Operand, symbols: Mapping[str, int], values: Array
) -> None:
    """Rounds values to the operand's format and writes them; floats to integers truncate.

    Raises:
        ProgramError: the operand reaches outside its arena, or its format is not written by tasks.
    """
    found = _view(raw, operand, symbols)
    if operand.format in _ACTIVATIONS:
        found[...] = encode_activation(values, operand.format)
        return
    if operand.format not in _DTYPES:
        raise ProgramError(f"an operand of format {operand.format} cannot be written")
    values = values.reshape(found.shape)
    with np.errstate(all="ignore"):
        if operand.format == "bf16":
            packed = format_of("bf16").encode(values.astype(np.float64))
            found[...] = packed.view(np.uint16).reshape(found.shape)
        else:
            found[...] = values.astype(found.dtype)


def _view(raw: NDArray[np.uint8], operand: Operand, symbols: Mapping[str, int]) -> Array:
    """Elements of a plain format, or rows of bytes [..., row bytes] of any other."""
    offset = resolve(operand.offset_bytes, symbols)
    shape = shape_of(operand, symbols)
    strides = tuple(resolve(e, symbols) for e in operand.stride_bytes)
    dtype = _DTYPES.get(operand.format)
    if dtype is None:
        dtype = np.dtype(np.uint8)
        shape = (*shape[:-1], _row_bytes(operand.format, shape[-1]))
        strides = (*strides[:-1], 1)
    _check(raw, operand, offset, shape, strides, dtype.itemsize)
    if 0 in shape:
        return np.zeros(shape, dtype)
    return np.lib.stride_tricks.as_strided(
        raw[offset : offset + dtype.itemsize].view(dtype), shape, strides
    )


def _row_bytes(name: str, elements: int) -> int:
    block = _ACTIVATIONS.get(name)
    if block is None:
        return format_of(name).row_bytes(elements)
    return elements // block[0] * block[1]


def _check(
    raw: NDArray[np.uint8],
    operand: Operand,
    offset: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    item_bytes: int,
) -> None:
    """Refuses a view with a byte outside its arena: as_strided would read it all the same."""
    reach = [(n - 1) * s for n, s in zip(shape, strides, strict=True) if n]
    low = offset + sum(r for r in reach if r < 0)
    high = offset + sum(r for r in reach if r > 0) + item_bytes
    if min(shape, default=0) < 0 or (0 not in shape and (low < 0 or high > raw.size)):
        raise ProgramError(
            f"an operand of arena {operand.arena} spans bytes {low}..{high}, "
            f"but the arena has {raw.size}"
        )
