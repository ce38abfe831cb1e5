"""NF4: a 4-bit table whose entries are equally likely under a normal distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from netwright.graph.format.base import Format
from netwright.graph.format.bits import pack_stream, unpack_stream
from netwright.graph.format.blocks import Bytes, Numbers, decode_blocks, encode_blocks, reciprocal
from netwright.graph.format.float import FP32
from netwright.graph.format.group import scale_bytes

# Dettmers et al., "QLoRA", arXiv 2305.14314, appendix E; the float32 numbers of bitsandbytes.
NF4_VALUES = (
    -1.0,
    -0.6961928009986877,
    -0.5250730514526367,
    -0.39491748809814453,
    -0.28444138169288635,
    -0.18477343022823334,
    -0.09105003625154495,
    0.0,
    0.07958029955625534,
    0.16093020141124725,
    0.24611230194568634,
    0.33791524171829224,
    0.44070982933044434,
    0.5626170039176941,
    0.7229568362236023,
    1.0,
)


@final
@dataclass(frozen=True, slots=True)
class NF4(Format):
    """`absmax * table[code]` in blocks of 64: fp32 absmax, then codes, the first in a high nibble.

    |error| <= 0.152 absmax (half the widest gap of the table). Layout as in bitsandbytes, without
    its second quantisation of the absmax.
    """

    @property
    def name(self) -> str:
        return "nf4"

    @property
    def block_elements(self) -> int:
        return 64

    @property
    def block_bytes(self) -> int:
        return 36

    def encode(self, values: NDArray[np.float64]) -> NDArray[np.uint8]:
        return encode_blocks(self, values, _encode, np.float64)

    def decode(self, raw: NDArray[np.uint8]) -> NDArray[Any]:
        return decode_blocks(self, raw, _decode)


_TABLE = np.array(NF4_VALUES)
_MIDPOINTS = (_TABLE[:-1] + _TABLE[1:]) / 2


def _swap_nibbles(packed: Bytes) -> Bytes:
    return packed >> np.uint8(4) | packed << np.uint8(4)


def _encode(blocks: Numbers) -> Bytes:
    head = scale_bytes("nf4", FP32, np.abs(blocks).max(axis=1, keepdims=True))
    codes = np.searchsorted(_MIDPOINTS, blocks * reciprocal(FP32.decode(head)))
    return np.concatenate([head, _swap_nibbles(pack_stream(codes, 4))], axis=1)


def _decode(raw: Bytes) -> Numbers:
    return _TABLE[unpack_stream(_swap_nibbles(raw[:, 4:]), 4)] * FP32.decode(raw[:, :4])
