"""Plain integers and booleans."""

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
class Integer(Format):
    """A two's complement (or unsigned) integer without scale, little-endian.

    Values are rounded to the nearest even integer and saturate; a NaN cannot be written.
    """

    bits: int
    signed: bool

    def __post_init__(self) -> None:
        if self.bits not in (8, 16, 32, 64):
            raise FormatError(f"an integer of {self.bits} bits; expected 8, 16, 32 or 64")
        if self.bits == 64 and not self.signed:
            raise FormatError("uint64 cannot be decoded to int64; write it as int64")

    @property
    def name(self) -> str:
        return f"int{self.bits}" if self.signed else f"uint{self.bits}"

    @property
    def block_elements(self) -> int:
        return 1

    @property
    def block_bytes(self) -> int:
        return self.bits // 8

    def encode(self, values: NDArray[np.float64]) -> NDArray[np.uint8]:
        numbers = np.atleast_1d(np.asarray(values))
        limits = np.iinfo(f"{'i' if self.signed else 'u'}{self.block_bytes}")
        if numbers.dtype.kind == "f":
            if np.isnan(numbers).any():
                raise FormatError(
                    f"{self.name}: a value is not a number; clean the tensor or keep it in fp32"
                )
            rounded = np.rint(numbers).clip(float(limits.min), float(limits.max))
            # 2.0**63 is the nearest float64 to int64's largest, and one too many for it.
            top = rounded >= 2.0**63
            whole = np.where(top, 0.0, rounded).astype(np.int64)
            whole[top] = limits.max
        else:
            whole = np.clip(numbers, limits.min, limits.max)
        return whole.astype(limits.dtype.newbyteorder("<"), order="C").view(np.uint8)

    def decode(self, raw: NDArray[np.uint8]) -> NDArray[Any]:
        kind = f"<{'i' if self.signed else 'u'}{self.block_bytes}"
        return np.ascontiguousarray(as_bytes(self, raw)).view(kind).astype(np.int64)


@final
@dataclass(frozen=True, slots=True)
class Boolean(Format):
    """A truth value in a byte; anything but 0 is true."""

    @property
    def name(self) -> str:
        return "bool"

    @property
    def block_elements(self) -> int:
        return 1

    @property
    def block_bytes(self) -> int:
        return 1

    def encode(self, values: NDArray[np.float64]) -> NDArray[np.uint8]:
        return (np.atleast_1d(np.asarray(values)) != 0).astype(np.uint8, order="C")

    def decode(self, raw: NDArray[np.uint8]) -> NDArray[Any]:
        return as_bytes(self, raw) != 0


INT8 = Integer(8, signed=True)
INT16 = Integer(16, signed=True)
INT32 = Integer(32, signed=True)
INT64 = Integer(64, signed=True)
UINT8 = Integer(8, signed=False)
UINT16 = Integer(16, signed=False)
UINT32 = Integer(32, signed=False)
BOOL = Boolean()
