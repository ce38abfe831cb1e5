"""IEEE 754 binary16, binary32, binary64 and bfloat16."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import FormatError
from netwright.graph.format.base import Format
from netwright.graph.format.blocks import as_bytes


@final
@dataclass(frozen=True, slots=True)
class Float(Format):
    """An IEEE 754-2008 binary format of 16, 32 or 64 bits; overflow gives infinity."""

    bits: int

    def __post_init__(self) -> None:
        if self.bits not in (16, 32, 64):
            raise FormatError(f"a float of {self.bits} bits; expected 16, 32 or 64")

    @property
    def name(self) -> str:
        return f"fp{self.bits}"

    @property
    def block_elements(self) -> int:
        return 1

    @property
    def block_bytes(self) -> int:
        return self.bits // 8

    def encode(self, values: NDArray[np.float64]) -> NDArray[np.uint8]:
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            written = np.atleast_1d(values).astype(f"<f{self.block_bytes}", order="C")
        return written.view(np.uint8)

    def decode(self, raw: NDArray[np.uint8]) -> NDArray[Any]:
        written = np.ascontiguousarray(as_bytes(self, raw)).view(f"<f{self.block_bytes}")
        with np.errstate(invalid="ignore"):
            return written.astype(np.float64)


@final
@dataclass(frozen=True, slots=True)
class BFloat16(Format):
    """The upper half of an fp32: 8 exponent bits, 7 mantissa bits.

    Source: Kalamkar et al., "A study of BFLOAT16 for deep learning training", arXiv 1905.12322.
    """

    @property
    def name(self) -> str:
        return "bf16"

    @property
    def block_elements(self) -> int:
        return 1

    @property
    def block_bytes(self) -> int:
        return 2

    def encode(self, values: NDArray[np.float64]) -> NDArray[np.uint8]:
        doubles = np.atleast_1d(values).astype(np.float64, order="C")
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            singles = doubles.astype(np.float32)
            bits = singles.view(np.uint32)
            inexact = np.abs(singles.astype(np.float64)) != np.abs(doubles)
            # Round to odd first: then the second rounding cannot be a double one.
            away = np.abs(singles.astype(np.float64)) > np.abs(doubles)
        odd = np.where(inexact, (bits - away) | np.uint32(1), bits)
        odd = np.where(np.isfinite(doubles), odd, bits)
        rounded = (odd + np.uint32(0x7FFF) + ((odd >> 16) & np.uint32(1))) >> np.uint32(16)
        quiet = (bits >> np.uint32(16)) | np.uint32(0x40)
        return np.where(np.isnan(doubles), quiet, rounded).astype("<u2").view(np.uint8)

    def decode(self, raw: NDArray[np.uint8]) -> NDArray[Any]:
        halves = np.ascontiguousarray(as_bytes(self, raw)).view("<u2")
        with np.errstate(invalid="ignore"):
            return (halves.astype(np.uint32) << np.uint32(16)).view(np.float32).astype(np.float64)


FP16 = Float(16)
FP32 = Float(32)
FP64 = Float(64)
BF16 = BFloat16()
