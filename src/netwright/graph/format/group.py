"""Integers that share a scale, and perhaps a zero point, in groups along a row.

Sources: Jacob et al., "Quantization and training of neural networks for efficient
integer-arithmetic-only inference", arXiv 1712.05877, eq. 1; groups as in Frantar et al., "GPTQ",
arXiv 2210.17323, section 4. Codes are packed least significant first, as GPTQ's files do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import FormatError
from netwright.graph.format.base import Format
from netwright.graph.format.bits import pack_stream, sign_extend, unpack_stream
from netwright.graph.format.blocks import Bytes, Numbers, decode_blocks, encode_blocks, reciprocal
from netwright.graph.format.float import Float

LARGEST_GROUP_ELEMENTS = 1 << 20


@final
@dataclass(frozen=True, slots=True)
class SymmetricGroup(Format):
    """`scale * code`, code in [-(2^(bits-1) - 1), 2^(bits-1) - 1]; a block is scale, codes.

    |error| <= scale / 2 while the scale is a normal number of its format.
    """

    bits: int
    group_elements: int
    scale: Float

    def __post_init__(self) -> None:
        check_group(self.bits, self.group_elements)
        check_scale(self.scale)

    @property
    def name(self) -> str:
        return f"int{self.bits}_g{self.group_elements}_{self.scale.name}"

    @property
    def block_elements(self) -> int:
        return self.group_elements

    @property
    def block_bytes(self) -> int:
        return self.scale.block_bytes + self.group_elements * self.bits // 8

    def encode(self, values: NDArray[np.float64]) -> NDArray[np.uint8]:
        return encode_blocks(self, values, self._encode, np.float64)

    def decode(self, raw: NDArray[np.uint8]) -> NDArray[Any]:
        return decode_blocks(self, raw, self._decode)

    def _encode(self, blocks: Numbers) -> Bytes:
        top = (1 << (self.bits - 1)) - 1
        head = scale_bytes(self.name, self.scale, np.abs(blocks).max(axis=1, keepdims=True) / top)
        codes = np.rint(blocks * reciprocal(self.scale.decode(head))).clip(-top, top)
        unsigned = codes.astype(np.int16).view(np.uint16) & np.uint16((1 << self.bits) - 1)
        return np.concatenate([head, pack_stream(unsigned, self.bits)], axis=1)

    def _decode(self, raw: Bytes) -> Numbers:
        start = self.scale.block_bytes
        codes = sign_extend(unpack_stream(raw[:, start:], self.bits), self.bits)
        return codes * self.scale.decode(raw[:, :start])


@final
@dataclass(frozen=True, slots=True)
class AffineGroup(Format):
    """`scale * (code - zero)`, code and zero in [0, 2^bits); a block is scale, zero, codes.

    The zero point takes a byte. Zero itself is exact. |error| <= scale / 2, and the rounding of
    the scale over the range, while the scale is a normal number of its format.
    """

    bits: int
    group_elements: int
    scale: Float

    def __post_init__(self) -> None:
        check_group(self.bits, self.group_elements)
        check_scale(self.scale)

    @property
    def name(self) -> str:
        return f"uint{self.bits}_g{self.group_elements}_{self.scale.name}"

    @property
    def block_elements(self) -> int:
        return self.group_elements

    @property
    def block_bytes(self) -> int:
        return self.scale.block_bytes + 1 + self.group_elements * self.bits // 8

    def encode(self, values: NDArray[np.float64]) -> NDArray[np.uint8]:
        return encode_blocks(self, values, self._encode, np.float64)

    def decode(self, raw: NDArray[np.uint8]) -> NDArray[Any]:
        return decode_blocks(self, raw, self._decode)

    def _encode(self, blocks: Numbers) -> Bytes:
        top = (1 << self.bits) - 1
        least = np.minimum(blocks.min(axis=1, keepdims=True), 0)
        most = np.maximum(blocks.max(axis=1, keepdims=True), 0)
        head = scale_bytes(self.name, self.scale, most / top - least / top)
        inverse = reciprocal(self.scale.decode(head))
        zero = np.rint(-least * inverse).clip(0, top)
        codes = (np.rint(blocks * inverse) + zero).clip(0, top)
        packed = pack_stream(codes.astype(np.uint8), self.bits)
        return np.concatenate([head, zero.astype(np.uint8), packed], axis=1)

    def _decode(self, raw: Bytes) -> Numbers:
        start = self.scale.block_bytes
        codes = unpack_stream(raw[:, start + 1 :], self.bits).astype(np.int16)
        codes -= raw[:, start : start + 1]
        return codes * self.scale.decode(raw[:, :start])


def check_group(bits: int, group_elements: int) -> None:
    """Raises FormatError: no integers of these bits, or a group that is not whole bytes."""
    if bits not in (2, 4, 8):
        raise FormatError(f"grouped integers of {bits} bits; expected 2, 4 or 8")
    if not 0 < group_elements <= LARGEST_GROUP_ELEMENTS or group_elements * bits % 8:
        raise FormatError(
            f"a group of {group_elements} integers of {bits} bits; expected whole bytes and at "
            f"most {LARGEST_GROUP_ELEMENTS} elements"
        )


def check_scale(scale: Float) -> None:
    """Raises FormatError: scales are fp16 or fp32."""
    if scale.bits == 64:
        raise FormatError("a group with an fp64 scale; expected fp16 or fp32")


def scale_bytes(name: str, form: Float, scales: Numbers) -> Bytes:
    """Bytes [n, size] of float64 scales [n, 1].

    Raises:
        FormatError: a scale is beyond the range of its format.
    """
    raw = form.encode(scales)
    if not np.isfinite(form.decode(raw)).all():
        raise FormatError(
            f"{name}: a block needs the scale {float(scales.max()):.6g}, beyond {form.name}; "
            "rescale the tensor or choose a format with an fp32 scale"
        )
    return raw
