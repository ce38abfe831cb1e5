"""Blocks with a shared exponent: OCP Microscaling floats, and integers (block floating point)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import FormatError
from netwright.graph.format.base import Format
from netwright.graph.format.bits import (
    pack_fields,
    pack_stream,
    sign_extend,
    unpack_fields,
    unpack_stream,
)
from netwright.graph.format.blocks import Bytes, Numbers, decode_blocks, encode_blocks
from netwright.graph.format.group import LARGEST_GROUP_ELEMENTS
from netwright.graph.format.minifloat import (
    FP4_E2M1,
    FP6_E2M3,
    FP6_E3M2,
    FP8_E4M3FN,
    FP8_E5M2,
    MiniFloat,
    minifloat_codes,
    minifloat_values,
)
from netwright.graph.format.shared_exponent import (
    exponent_bytes,
    exponents_of,
    floor_exponents,
    scale_by,
)


@final
@dataclass(frozen=True, slots=True)
class Microscaling(Format):
    """`2^shared * element` in blocks of 32: an E8M0 byte, then the elements.

    The shared exponent is floor(log2(absmax)) less the element's largest; elements saturate,
    so |error| <= 2^(floor(log2(absmax)) - mantissa bits), twice that for e4m3fn.
    4-bit elements lie as in ggml (i and i + 16 share a byte), others as one stream.
    Sources: OCP Microscaling Formats (MX) v1.0, sections 5 and 6.3; Rouhani et al.,
    arXiv 2310.10537.
    """

    element: MiniFloat

    @property
    def name(self) -> str:
        if self.element == FP4_E2M1:
            return "mxfp4"
        return f"mx{self.element.name}"

    @property
    def block_elements(self) -> int:
        return 32

    @property
    def block_bytes(self) -> int:
        return 1 + 4 * self.element.bits

    def encode(self, values: NDArray[np.float64]) -> NDArray[np.uint8]:
        return encode_blocks(self, values, self._encode, np.float64)

    def decode(self, raw: NDArray[np.uint8]) -> NDArray[Any]:
        return decode_blocks(self, raw, self._decode)

    def _encode(self, blocks: Numbers) -> Bytes:
        head = exponent_bytes(floor_exponents(blocks) - self.element.largest_exponent)
        scaled = np.ldexp(blocks, -exponents_of(head))
        codes = minifloat_codes(self.element, scaled, self.element.largest_code)
        bits = self.element.bits
        packed = pack_fields(codes, 4, 2, 16) if bits == 4 else pack_stream(codes, bits)
        return np.concatenate([head, packed], axis=1)

    def _decode(self, raw: Bytes) -> Numbers:
        bits, packed = self.element.bits, raw[:, 1:]
        codes = unpack_fields(packed, 4, 2, 16) if bits == 4 else unpack_stream(packed, bits)
        return scale_by(minifloat_values(self.element)[codes], raw[:, :1])


@final
@dataclass(frozen=True, slots=True)
class BlockFloat(Format):
    """`2^shared * code / 2^(bits - 2)`: an E8M0 byte, then two's complement codes as one stream.

    The shared exponent is floor(log2(absmax)); codes saturate symmetrically, so
    |error| <= 2^(shared - bits + 2). With 8 bits and blocks of 32 this is OCP's MXINT8.
    Sources: Drumond et al., arXiv 1804.01526; OCP MX v1.0, section 5.3.4.
    """

    bits: int
    group_elements: int

    def __post_init__(self) -> None:
        whole = self.group_elements * self.bits % 8 == 0
        if not (2 <= self.bits <= 16 and whole and self.group_elements > 0):
            raise FormatError(
                f"block float of {self.bits} bits in blocks of {self.group_elements}; expected "
                "2 to 16 bits and blocks of whole bytes"
            )
        if self.group_elements > LARGEST_GROUP_ELEMENTS:
            raise FormatError(f"a block of {self.group_elements}; expected at most 2^20 elements")

    @property
    def name(self) -> str:
        return f"bfp{self.bits}_b{self.group_elements}"

    @property
    def block_elements(self) -> int:
        return self.group_elements

    @property
    def block_bytes(self) -> int:
        return 1 + self.group_elements * self.bits // 8

    def encode(self, values: NDArray[np.float64]) -> NDArray[np.uint8]:
        return encode_blocks(self, values, self._encode, np.float64)

    def decode(self, raw: NDArray[np.uint8]) -> NDArray[Any]:
        return decode_blocks(self, raw, self._decode)

    def _encode(self, blocks: Numbers) -> Bytes:
        head = exponent_bytes(floor_exponents(blocks))
        top = (1 << (self.bits - 1)) - 1
        codes = np.rint(np.ldexp(blocks, self.bits - 2 - exponents_of(head))).clip(-top, top)
        unsigned = codes.astype(np.int16).view(np.uint16) & np.uint16((1 << self.bits) - 1)
        return np.concatenate([head, pack_stream(unsigned, self.bits)], axis=1)

    def _decode(self, raw: Bytes) -> Numbers:
        codes = sign_extend(unpack_stream(raw[:, 1:], self.bits), self.bits)
        return scale_by(np.ldexp(codes.astype(np.float64), 2 - self.bits), raw[:, :1])


MXFP4 = Microscaling(FP4_E2M1)
MXFP6_E3M2 = Microscaling(FP6_E3M2)
MXFP6_E2M3 = Microscaling(FP6_E2M3)
MXFP8_E4M3FN = Microscaling(FP8_E4M3FN)
MXFP8_E5M2 = Microscaling(FP8_E5M2)
