"""Walking rows block by block, a cache-sized chunk at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import FormatError
from netwright.graph.format.base import Format

Bytes: TypeAlias = NDArray[np.uint8]
Numbers: TypeAlias = NDArray[Any]

# Elements handled at once: temporaries stay in a second-level cache, call overhead stays small.
_CHUNK_ELEMENTS = 1 << 15


@final
@dataclass(frozen=True, slots=True)
class BlockFormat(Format):
    """A format without parameters, written block by block, computed in float32.

    `encode_chunk` maps float32 [blocks, elements] to bytes [blocks, bytes]; `decode_chunk` back.
    """

    written_name: str
    elements: int
    bytes: int
    encode_chunk: Callable[[Numbers], Bytes] = field(repr=False)
    decode_chunk: Callable[[Bytes], Numbers] = field(repr=False)

    @property
    def name(self) -> str:
        return self.written_name

    @property
    def block_elements(self) -> int:
        return self.elements

    @property
    def block_bytes(self) -> int:
        return self.bytes

    def encode(self, values: Numbers) -> Bytes:
        return encode_blocks(self, values, self.encode_chunk, np.float32)

    def decode(self, raw: Bytes) -> Numbers:
        return decode_blocks(self, raw, self.decode_chunk)


def encode_blocks(
    form: Format,
    values: Numbers,
    encode: Callable[[Numbers], Numbers],
    scalar: type[np.floating[Any]],
) -> Bytes:
    """Raw bytes [..., m] of values [..., n]; `encode` maps [blocks, block_elements] of `scalar`
    to [blocks, block_bytes].

    Raises:
        FormatError: a row is no whole number of blocks, or a value is not finite.
    """
    values = np.atleast_1d(np.asarray(values))
    row_bytes = form.row_bytes(values.shape[-1])
    blocks = np.ascontiguousarray(values).reshape(-1, form.block_elements)
    raw = np.empty((blocks.shape[0], form.block_bytes), np.uint8)
    step = max(1, _CHUNK_ELEMENTS // form.block_elements)
    with np.errstate(all="ignore"):
        for start in range(0, blocks.shape[0], step):
            chunk = blocks[start : start + step].astype(scalar)
            if not np.isfinite(chunk).all():
                raise FormatError(
                    f"{form.name}: a value is not a number or beyond {scalar.__name__}'s range, "
                    "and this format has no code for it; clean the tensor or keep it in fp32"
                )
            raw[start : start + step] = encode(chunk)
    return raw.reshape(*values.shape[:-1], row_bytes)


def decode_blocks(form: Format, raw: Bytes, decode: Callable[[Bytes], Numbers]) -> Numbers:
    """Float64 values [..., n] of raw bytes [..., m]; `decode` maps [blocks, block_bytes] to
    [blocks, block_elements].

    Raises:
        FormatError: a row is no whole number of blocks.
    """
    raw = as_bytes(form, raw)
    elements = raw.shape[-1] // form.block_bytes * form.block_elements
    blocks = np.ascontiguousarray(raw).reshape(-1, form.block_bytes)
    values = np.empty((blocks.shape[0], form.block_elements), np.float64)
    step = max(1, _CHUNK_ELEMENTS // form.block_elements)
    with np.errstate(all="ignore"):
        for start in range(0, blocks.shape[0], step):
            values[start : start + step] = decode(blocks[start : start + step])
    return values.reshape(*raw.shape[:-1], elements)


def as_bytes(form: Format, raw: Bytes) -> Bytes:
    """The raw array, checked: uint8, at least one dim, whole blocks along the last.

    Raises:
        FormatError: it is not.
    """
    if raw.dtype != np.uint8 or raw.ndim == 0 or raw.shape[-1] % form.block_bytes:
        raise FormatError(
            f"{form.name}: raw data of type {raw.dtype} and shape {raw.shape}; expected uint8 "
            f"with a last dim that is a multiple of the block's {form.block_bytes} bytes; "
            "check the tensor's offset and length"
        )
    return raw


def half_bytes(form_name: str, scales: Numbers) -> Bytes:
    """fp16 bytes [..., 2] of float32 scales [..., 1].

    Raises:
        FormatError: a scale is beyond fp16's range.
    """
    halves = scales.astype("<f2")
    if not np.isfinite(halves).all():
        worst = float(np.abs(scales).max())
        raise FormatError(
            f"{form_name}: a block needs the scale {worst:.6g}, beyond fp16's 65504; "
            "rescale the tensor or keep it in fp32"
        )
    return halves.view(np.uint8)


def half_values(raw: Bytes) -> Numbers:
    """float32 values [..., k] of fp16 bytes [..., 2 k]."""
    return np.ascontiguousarray(raw).view("<f2").astype(np.float32)


def reciprocal(scales: Numbers) -> Numbers:
    """1 / scale, and 0 where that does not exist."""
    inverse = 1 / scales
    return np.where(np.isfinite(inverse), inverse, scales.dtype.type(0))
