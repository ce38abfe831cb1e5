"""One bit an element: whether a neuron fires."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from netwright.graph.format.base import Format
from netwright.graph.format.bits import pack_stream, unpack_stream
from netwright.graph.format.blocks import decode_blocks, encode_blocks


@final
@dataclass(frozen=True, slots=True)
class Spike(Format):
    """0 or 1, eight in a byte, the first in the lowest bit. A value above 1/2 is a spike."""

    @property
    def name(self) -> str:
        return "spike"

    @property
    def block_elements(self) -> int:
        return 8

    @property
    def block_bytes(self) -> int:
        return 1

    def encode(self, values: NDArray[np.float64]) -> NDArray[np.uint8]:
        return encode_blocks(self, values, lambda v: pack_stream(v > 0.5, 1), np.float64)

    def decode(self, raw: NDArray[np.uint8]) -> NDArray[Any]:
        return decode_blocks(self, raw, lambda b: unpack_stream(b, 1))
