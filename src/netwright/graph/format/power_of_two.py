"""Signed powers of two: a multiplication is a shift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import FormatError
from netwright.graph.format.base import Format
from netwright.graph.format.bits import pack_stream, unpack_stream
from netwright.graph.format.blocks import Bytes, Numbers, decode_blocks, encode_blocks
from netwright.graph.format.group import LARGEST_GROUP_ELEMENTS
from netwright.graph.format.shared_exponent import exponent_bytes, exponents_of, scale_by


@final
@dataclass(frozen=True, slots=True)
class PowerOfTwo(Format):
    """Zero or `+-2^(shared - levels + code)`, code in 1..levels, levels = 2^(bits - 1) - 1.

    A block is an E8M0 byte (the largest power) and codes of a sign and a magnitude. Nearest in
    value: |error| <= |value| / 3 down to half of the least power, and below that |value|.
    Sources: Zhou et al., "Incremental network quantization", arXiv 1702.03044, eq. 1 to 4;
    Miyashita et al., arXiv 1603.01025.
    """

    bits: int
    group_elements: int

    def __post_init__(self) -> None:
        whole = self.group_elements * self.bits % 8 == 0
        if not (2 <= self.bits <= 8 and whole and self.group_elements > 0):
            raise FormatError(
                f"powers of two of {self.bits} bits in blocks of {self.group_elements}; expected "
                "2 to 8 bits and blocks of whole bytes"
            )
        if self.group_elements > LARGEST_GROUP_ELEMENTS:
            raise FormatError(f"a block of {self.group_elements}; expected at most 2^20 elements")

    @property
    def name(self) -> str:
        return f"pow2_{self.bits}_b{self.group_elements}"

    @property
    def block_elements(self) -> int:
        return self.group_elements

    @property
    def block_bytes(self) -> int:
        return 1 + self.group_elements * self.bits // 8

    @property
    def levels(self) -> int:
        """How many magnitudes other than zero there are."""
        return (1 << (self.bits - 1)) - 1

    def encode(self, values: NDArray[np.float64]) -> NDArray[np.uint8]:
        return encode_blocks(self, values, self._encode, np.float64)

    def decode(self, raw: NDArray[np.uint8]) -> NDArray[Any]:
        return decode_blocks(self, raw, self._decode)

    def _encode(self, blocks: Numbers) -> Bytes:
        magnitude = np.abs(blocks)
        head = exponent_bytes(_nearest_exponents(magnitude.max(axis=1, keepdims=True)))
        lowest = exponents_of(head) - self.levels + 1
        codes = _nearest_exponents(magnitude) - lowest + 1
        # Below the least power the choice is between it and zero.
        low = (magnitude > np.ldexp(0.5, lowest)).astype(codes.dtype)
        codes = np.where(codes < 1, low, codes.clip(0, self.levels)).astype(np.uint8)
        codes |= np.signbit(blocks).astype(np.uint8) << np.uint8(self.bits - 1)
        return np.concatenate([head, pack_stream(codes, self.bits)], axis=1)

    def _decode(self, raw: Bytes) -> Numbers:
        codes = np.arange(1 << self.bits)
        level = codes & self.levels
        table = np.where(level > 0, np.ldexp(1.0, level - self.levels), 0.0)
        table = np.where(codes > self.levels, -table, table)
        return scale_by(table[unpack_stream(raw[:, 1:], self.bits)], raw[:, :1])


def _nearest_exponents(magnitude: Numbers) -> Numbers:
    """The exponent of the power of two nearest in value; a tie goes up; zero has the least."""
    fraction, exponent = np.frexp(magnitude)
    return np.where(magnitude > 0, exponent - 1 + (fraction >= 0.75), -(1 << 14))
