"""Ternary numbers in 2 bits with a scale for each group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from netwright.graph.format.base import Format
from netwright.graph.format.bits import pack_stream, sign_extend, unpack_stream
from netwright.graph.format.blocks import Bytes, Numbers, decode_blocks, encode_blocks
from netwright.graph.format.float import FP16
from netwright.graph.format.group import check_group, scale_bytes


@final
@dataclass(frozen=True, slots=True)
class Ternary(Format):
    """`scale * {-1, 0, 1}`: fp16 scale, then two's complement codes of 2 bits (-2 is not written).

    The encoder finds the support of least squared error, which must be the k largest magnitudes
    for some k; the optimal scale is their mean. Li et al., "Ternary weight networks",
    arXiv 1605.04711, eq. 3 to 5, solved exactly here and there approximated by a threshold.
    """

    group_elements: int

    def __post_init__(self) -> None:
        check_group(2, self.group_elements)

    @property
    def name(self) -> str:
        return f"ternary_g{self.group_elements}"

    @property
    def block_elements(self) -> int:
        return self.group_elements

    @property
    def block_bytes(self) -> int:
        return 2 + self.group_elements // 4

    def encode(self, values: NDArray[np.float64]) -> NDArray[np.uint8]:
        return encode_blocks(self, values, self._encode, np.float64)

    def decode(self, raw: NDArray[np.uint8]) -> NDArray[Any]:
        return decode_blocks(self, raw, self._decode)

    def _encode(self, blocks: Numbers) -> Bytes:
        magnitude = np.abs(blocks)
        order = np.sort(magnitude, axis=1)[:, ::-1]
        counts = np.arange(1, self.group_elements + 1)
        means = np.cumsum(order, axis=1) / counts
        # Error = sum of squares - k mean^2; relative to the peak so that no square overflows.
        gain = (means / np.where(order[:, :1] > 0, order[:, :1], 1)) ** 2 * counts
        best = gain.argmax(axis=1)[:, None]
        scale = np.take_along_axis(means, best, axis=1)
        head = scale_bytes(self.name, FP16, scale)
        kept = (magnitude >= np.take_along_axis(order, best, axis=1)) & (FP16.decode(head) > 0)
        codes = np.where(kept & (blocks != 0), np.where(blocks < 0, 3, 1), 0)
        return np.concatenate([head, pack_stream(codes, 2)], axis=1)

    def _decode(self, raw: Bytes) -> Numbers:
        return sign_extend(unpack_stream(raw[:, 2:], 2), 2) * FP16.decode(raw[:, :2])
