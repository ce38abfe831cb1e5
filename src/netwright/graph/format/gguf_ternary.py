"""GGUF's ternary blocks of 256: TQ1_0 (five digits a byte) and TQ2_0 (four).

Source: ggml-quants.c of ggml (Francis Couture-Harpin, llama.cpp pull request 8151), MIT licence.
"""

from __future__ import annotations

import numpy as np

from netwright.graph.format.bits import pack_fields, unpack_fields
from netwright.graph.format.blocks import (
    BlockFormat,
    Bytes,
    Numbers,
    half_bytes,
    half_values,
    reciprocal,
)
from netwright.graph.format.gguf_block32 import round_half_away

_POWERS = (1, 3, 9, 27, 81)
# (first element, digits a byte, bytes): 32 + 16 bytes of five digits, 4 bytes of four.
_SECTIONS = ((0, 5, 32), (160, 5, 16), (240, 4, 4))


def _digits(blocks: Numbers) -> tuple[Numbers, Bytes]:
    """Scale [n, 1] and digits 0, 1, 2 for -1, 0, 1."""
    scale = np.abs(blocks).max(axis=1, keepdims=True)
    digits = round_half_away(blocks * reciprocal(scale)).astype(np.int8) + np.int8(1)
    return scale, digits.view(np.uint8)


def _encode_tq1_0(blocks: Numbers) -> Bytes:
    scale, digits = _digits(blocks)
    parts: list[Bytes] = []
    for first, count, width in _SECTIONS:
        section = digits[:, first : first + count * width].reshape(-1, count, width)
        number = np.zeros((len(digits), width), np.uint16)
        for place in range(count):
            number += section[:, place].astype(np.uint16) * np.uint16(81 // _POWERS[place])
        # A fraction of 256 rounded up, so that multiplying by 3 carries each digit out exactly.
        parts.append(
            ((number * np.uint16(256) + np.uint16(242)) // np.uint16(243)).astype(np.uint8)
        )
    return np.concatenate([*parts, half_bytes("tq1_0", scale)], axis=1)


def _decode_tq1_0(raw: Bytes) -> Numbers:
    digits = np.empty((len(raw), 256), np.int8)
    start = 0
    for first, count, width in _SECTIONS:
        packed = raw[:, start : start + width]
        start += width
        for place in range(count):
            fraction = (packed * np.uint8(_POWERS[place])).astype(np.uint16)
            at = first + place * width
            digits[:, at : at + width] = (fraction * np.uint16(3)) >> np.uint16(8)
    digits -= np.int8(1)
    return half_values(raw[:, 52:]) * digits


def _encode_tq2_0(blocks: Numbers) -> Bytes:
    scale, digits = _digits(blocks)
    return np.concatenate([pack_fields(digits, 2, 4, 32), half_bytes("tq2_0", scale)], axis=1)


def _decode_tq2_0(raw: Bytes) -> Numbers:
    digits = unpack_fields(raw[:, :64], 2, 4, 32).view(np.int8) - np.int8(1)
    return half_values(raw[:, 64:]) * digits


# `d * {-1, 0, 1}`: base-3 digits, read by multiplying upwards. |error| <= d / 2.
TQ1_0 = BlockFormat("tq1_0", 256, 54, _encode_tq1_0, _decode_tq1_0)

# `d * (code - 1)`: 2-bit codes; the unused code 3 reads as 2 d. |error| <= d / 2.
TQ2_0 = BlockFormat("tq2_0", 256, 66, _encode_tq2_0, _decode_tq2_0)
