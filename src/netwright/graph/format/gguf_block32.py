"""GGUF's blocks of 32: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0.

Source: ggml-quants.c of ggml (`quantize_row_q*_ref`, `dequantize_row_q*`), MIT licence; computed
in float32 in the same order, so the bytes are equal.
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


def round_half_away(values: Numbers) -> Numbers:
    """C's roundf."""
    size = np.abs(values)
    whole = np.floor(size)
    return np.copysign(whole + np.floor(2 * (size - whole)), values)


def largest(blocks: Numbers) -> Numbers:
    """The signed value of largest magnitude of each block, [n, 1]."""
    return np.take_along_axis(blocks, np.abs(blocks).argmax(axis=1)[:, None], axis=1)


def _signed_codes(blocks: Numbers, offset: int) -> tuple[Numbers, Bytes]:
    """Scale [n, 1] and codes in [0, 2 offset) with zero at `offset`."""
    scale = largest(blocks) / -offset
    shifted = np.trunc(blocks * reciprocal(scale) + np.float32(offset + 0.5))
    return scale, shifted.clip(0, 2 * offset - 1).astype(np.uint8)


def _affine_codes(blocks: Numbers, top: int) -> tuple[Numbers, Numbers, Bytes]:
    """Scale [n, 1], least value [n, 1] and codes in [0, top]."""
    least = blocks.min(axis=1, keepdims=True)
    scale = (blocks.max(axis=1, keepdims=True) - least) / top
    shifted = np.trunc((blocks - least) * reciprocal(scale) + np.float32(0.5))
    return scale, least, shifted.clip(0, top).astype(np.uint8)


def _pack5(codes: Bytes) -> tuple[Bytes, Bytes]:
    """High bits [n, 4] and low nibbles [n, 16] of 5-bit codes [n, 32]."""
    high = np.packbits(codes >> np.uint8(4), axis=1, bitorder="little")
    return high, pack_fields(codes & np.uint8(15), 4, 2, 16)


def _unpack5(high: Bytes, low: Bytes) -> Bytes:
    """5-bit codes [n, 32]."""
    upper = np.unpackbits(high, axis=1, bitorder="little") << np.uint8(4)
    return unpack_fields(low, 4, 2, 16) | upper


def _encode_q4_0(blocks: Numbers) -> Bytes:
    scale, codes = _signed_codes(blocks, 8)
    return np.concatenate([half_bytes("q4_0", scale), pack_fields(codes, 4, 2, 16)], axis=1)


def _decode_q4_0(raw: Bytes) -> Numbers:
    codes = unpack_fields(raw[:, 2:], 4, 2, 16).view(np.int8) - np.int8(8)
    return half_values(raw[:, :2]) * codes


def _encode_q4_1(blocks: Numbers) -> Bytes:
    scale, least, codes = _affine_codes(blocks, 15)
    head = [half_bytes("q4_1", scale), half_bytes("q4_1", least)]
    return np.concatenate([*head, pack_fields(codes, 4, 2, 16)], axis=1)


def _decode_q4_1(raw: Bytes) -> Numbers:
    head = half_values(raw[:, :4]).astype(np.float64)
    values = unpack_fields(raw[:, 4:], 4, 2, 16) * head[:, :1]
    values += head[:, 1:]
    return values


def _encode_q5_0(blocks: Numbers) -> Bytes:
    scale, codes = _signed_codes(blocks, 16)
    return np.concatenate([half_bytes("q5_0", scale), *_pack5(codes)], axis=1)


def _decode_q5_0(raw: Bytes) -> Numbers:
    codes = _unpack5(raw[:, 2:6], raw[:, 6:]).view(np.int8) - np.int8(16)
    return half_values(raw[:, :2]) * codes


def _encode_q5_1(blocks: Numbers) -> Bytes:
    scale, least, codes = _affine_codes(blocks, 31)
    head = [half_bytes("q5_1", scale), half_bytes("q5_1", least)]
    return np.concatenate([*head, *_pack5(codes)], axis=1)


def _decode_q5_1(raw: Bytes) -> Numbers:
    head = half_values(raw[:, :4]).astype(np.float64)
    values = _unpack5(raw[:, 4:8], raw[:, 8:]) * head[:, :1]
    values += head[:, 1:]
    return values


def _encode_q8_0(blocks: Numbers) -> Bytes:
    scale = np.abs(blocks).max(axis=1, keepdims=True) / 127
    codes = round_half_away(blocks * reciprocal(scale)).astype(np.int8).view(np.uint8)
    return np.concatenate([half_bytes("q8_0", scale), codes], axis=1)


def _decode_q8_0(raw: Bytes) -> Numbers:
    return half_values(raw[:, :2]) * np.ascontiguousarray(raw[:, 2:]).view(np.int8)


# `d * (code - 8)`: fp16 d, 4-bit codes. |error| <= |d| (1/2 inside, 1 at the positive end).
Q4_0 = BlockFormat("q4_0", 32, 18, _encode_q4_0, _decode_q4_0)

# `d * code + m`: fp16 d and m, 4-bit codes. |error| <= d / 2 and the rounding of d and m.
Q4_1 = BlockFormat("q4_1", 32, 20, _encode_q4_1, _decode_q4_1)

# `d * (code - 16)`: fp16 d, 5-bit codes with the high bits apart. |error| <= |d|.
Q5_0 = BlockFormat("q5_0", 32, 22, _encode_q5_0, _decode_q5_0)

# `d * code + m`: fp16 d and m, 5-bit codes with the high bits apart.
Q5_1 = BlockFormat("q5_1", 32, 24, _encode_q5_1, _decode_q5_1)

# `d * code`: fp16 d, int8 codes in [-127, 127]. |error| <= d / 2 and the rounding of d.
Q8_0 = BlockFormat("q8_0", 32, 34, _encode_q8_0, _decode_q8_0)
