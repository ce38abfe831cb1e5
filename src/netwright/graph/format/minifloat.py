"""Floats of 4, 6 and 8 bits."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import FormatError
from netwright.graph.format.base import Format
from netwright.graph.format.bits import pack_stream, unpack_stream
from netwright.graph.format.blocks import Bytes, Numbers, decode_blocks, encode_blocks


@final
class Special(Enum):
    """Which codes are not finite numbers."""

    IEEE = "the highest exponent is infinity and NaN"
    NAN_ONLY = "all ones is NaN, there is no infinity"
    NONE = "every code is finite"


@final
@dataclass(frozen=True, slots=True)
class MiniFloat(Format):
    """Sign, exponent (bias `2^(exponent_bits - 1) - 1`), mantissa; with subnormals.

    Overflow gives infinity, else NaN, else the largest value, whichever the format has. A NaN
    is refused by a format without one. |error| <= 2^-(mantissa_bits + 1) |value| above the
    subnormals. Sources: Micikevicius et al., "FP8 formats for deep learning", arXiv 2209.05433;
    OCP Microscaling Formats (MX) v1.0, sections 5.3.1 to 5.3.3.
    """

    exponent_bits: int
    mantissa_bits: int
    special: Special

    def __post_init__(self) -> None:
        if self.bits not in (4, 6, 8) or self.exponent_bits < 2 or self.mantissa_bits < 1:
            raise FormatError(
                f"a float with {self.exponent_bits} exponent and {self.mantissa_bits} mantissa "
                "bits; expected at least 2 and 1, and 4, 6 or 8 bits in all with the sign"
            )

    @property
    def bits(self) -> int:
        """Bits of one element."""
        return 1 + self.exponent_bits + self.mantissa_bits

    @property
    def name(self) -> str:
        suffix = "fn" if self.special is Special.NAN_ONLY else ""
        return f"fp{self.bits}_e{self.exponent_bits}m{self.mantissa_bits}{suffix}"

    @property
    def block_elements(self) -> int:
        return {4: 2, 6: 4, 8: 1}[self.bits]

    @property
    def block_bytes(self) -> int:
        return self.block_elements * self.bits // 8

    @property
    def largest_code(self) -> int:
        """The code of the largest finite value."""
        reserved = {Special.IEEE: 1 << self.mantissa_bits, Special.NAN_ONLY: 1, Special.NONE: 0}
        return (1 << (self.bits - 1)) - 1 - reserved[self.special]

    @property
    def largest_exponent(self) -> int:
        """The power of two of the largest finite value."""
        bias = (1 << (self.exponent_bits - 1)) - 1
        return (self.largest_code >> self.mantissa_bits) - bias

    def encode(self, values: NDArray[np.float64]) -> NDArray[np.uint8]:
        if self.special is Special.NONE and np.isnan(values).any():
            raise FormatError(
                f"{self.name}: a value is not a number, and this format has no code for it; "
                "clean the tensor or keep it in fp32"
            )
        over = self.largest_code + (self.special is not Special.NONE)
        top = float(minifloat_values(self)[self.largest_code])
        # Infinity would not pass the walk's check; twice the largest overflows just the same.
        numbers = np.atleast_1d(np.asarray(values, np.float64))
        bounded = np.where(np.isnan(numbers), np.inf, numbers)
        magnitude = np.where(np.isfinite(bounded), bounded, np.copysign(2 * top, numbers))
        nan_code = np.uint8((1 << (self.bits - 1)) - 1)
        raw = encode_blocks(self, magnitude, lambda v: self._pack(v, over), np.float64)
        if self.bits == 8:
            sign = np.where(np.signbit(numbers), np.uint8(0x80), np.uint8(0))
            raw = np.where(np.isnan(numbers), nan_code | sign, raw)
        return raw

    def decode(self, raw: NDArray[np.uint8]) -> NDArray[Any]:
        table = minifloat_values(self)
        return decode_blocks(self, raw, lambda b: table[unpack_stream(b, self.bits)])

    def _pack(self, values: Numbers, over: int) -> Bytes:
        return pack_stream(minifloat_codes(self, values, over), self.bits)


@cache
def minifloat_values(form: MiniFloat) -> NDArray[np.float64]:
    """The value of every code, [2^bits]."""
    codes = np.arange(1 << form.bits)
    mantissa = codes & ((1 << form.mantissa_bits) - 1)
    biased = codes >> form.mantissa_bits & ((1 << form.exponent_bits) - 1)
    bias = (1 << (form.exponent_bits - 1)) - 1
    hidden = np.where(biased > 0, 1 << form.mantissa_bits, 0)
    exponent = np.maximum(biased, 1) - bias - form.mantissa_bits
    values = np.ldexp((mantissa + hidden).astype(np.float64), exponent)
    magnitude = codes & ((1 << (form.bits - 1)) - 1)
    values[magnitude > form.largest_code] = np.nan
    if form.special is Special.IEEE:
        values[magnitude == form.largest_code + 1] = np.inf
    negative = codes >> (form.bits - 1) == 1
    values[negative] = -values[negative]
    values.flags.writeable = False
    return values


def minifloat_codes(form: MiniFloat, values: Numbers, over: int) -> Bytes:
    """Codes of finite float64 values, to nearest even; `over` stands for a magnitude too large."""
    bias = (1 << (form.exponent_bits - 1)) - 1
    exponent = np.where(values == 0, 1 - bias, np.frexp(values)[1] - 1)
    exponent = np.maximum(exponent, 1 - bias)
    # The subnormal step is the least; a carry of the rounding moves into the exponent by itself.
    steps = np.rint(np.ldexp(np.abs(values), form.mantissa_bits - exponent))
    codes = steps + (exponent - (1 - bias)) * float(1 << form.mantissa_bits)
    codes = np.where(codes > form.largest_code, over, codes).astype(np.uint8)
    return codes | np.signbit(values).astype(np.uint8) << np.uint8(form.bits - 1)


FP8_E4M3FN = MiniFloat(4, 3, Special.NAN_ONLY)
FP8_E5M2 = MiniFloat(5, 2, Special.IEEE)
FP6_E3M2 = MiniFloat(3, 2, Special.NONE)
FP6_E2M3 = MiniFloat(2, 3, Special.NONE)
FP4_E2M1 = MiniFloat(2, 1, Special.NONE)
