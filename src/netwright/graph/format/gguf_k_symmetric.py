"""GGUF's blocks of 256 with signed scales and no minimum: Q3_K, Q6_K.

Source: ggml-quants.c of ggml (Iwan Kawrakow, llama.cpp pull request 1684), MIT licence.
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
from netwright.graph.format.gguf_block32 import largest
from netwright.graph.format.gguf_search import descent_scales, symmetric_scales


def _quantise(
    name: str, blocks: Numbers, scale: Numbers, limits: tuple[int, int]
) -> tuple[Bytes, Numbers, Numbers]:
    """Head bytes [n, 2], scales [n, 16] in [-limits[0], limits[0]) and codes [n, 256] in
    [-limits[1], limits[1]), from the groups' real scales [n * 16, 1].
    """
    scale = scale.reshape(-1, 16)
    peak = largest(scale)
    scales = np.rint(scale * (-limits[0] * reciprocal(peak))).clip(-limits[0], limits[0] - 1)
    head = half_bytes(name, peak / np.float32(-limits[0]))
    step = (half_values(head) * scales)[:, :, None]
    codes = np.where(step != 0, np.rint(blocks.reshape(-1, 16, 16) / step), 0)
    codes = codes.clip(-limits[1], limits[1] - 1)
    return head, scales, codes.reshape(-1, 256)


def _encode_q3_k(blocks: Numbers) -> Bytes:
    scale = descent_scales(blocks.reshape(-1, 16), 4)
    head, scales, codes = _quantise("q3_k", blocks, scale, (32, 4))
    shifted = (codes + 4).astype(np.uint8)
    high = pack_fields(shifted >> 2, 1, 8, 32)
    low = pack_fields(shifted & 3, 2, 4, 32)
    packed = (scales + 32).astype(np.uint8)
    scale_low = pack_fields(packed & 15, 4, 2, 8)
    scale_high = pack_fields(packed >> 4, 2, 4, 4)
    return np.concatenate([high, low, scale_low, scale_high, head], axis=1)


def _decode_q3_k(raw: Bytes) -> Numbers:
    scales = unpack_fields(raw[:, 96:104], 4, 2, 8) | unpack_fields(raw[:, 104:108], 2, 4, 4) << 4
    codes = unpack_fields(raw[:, 32:96], 2, 4, 32) | unpack_fields(raw[:, :32], 1, 8, 32) << 2
    step = half_values(raw[:, 108:]) * (scales.view(np.int8) - np.int8(32))
    signed = (codes.view(np.int8) - np.int8(4)).reshape(-1, 16, 16)
    return (signed * step[:, :, None]).reshape(-1, 256)


def _encode_q6_k(blocks: Numbers) -> Bytes:
    scale = symmetric_scales(blocks.reshape(-1, 16), 32)
    head, scales, codes = _quantise("q6_k", blocks, scale, (128, 32))
    shifted = (codes + 32).astype(np.uint8)
    low = pack_fields(shifted & 15, 4, 2, 64)
    high = pack_fields(shifted >> 4, 2, 4, 32)
    return np.concatenate([low, high, scales.astype(np.int8).view(np.uint8), head], axis=1)


def _decode_q6_k(raw: Bytes) -> Numbers:
    codes = unpack_fields(raw[:, :128], 4, 2, 64) | unpack_fields(raw[:, 128:192], 2, 4, 32) << 4
    step = half_values(raw[:, 208:]) * np.ascontiguousarray(raw[:, 192:208]).view(np.int8)
    signed = (codes.view(np.int8) - np.int8(32)).reshape(-1, 16, 16)
    return (signed * step[:, :, None]).reshape(-1, 256)


# `d * (s - 32) * (code - 4)`: 16 groups of 16; 6-bit s, 3-bit codes.
Q3_K = BlockFormat("q3_k", 256, 110, _encode_q3_k, _decode_q3_k)

# `d * s * (code - 32)`: 16 groups of 16; int8 s, 6-bit codes.
Q6_K = BlockFormat("q6_k", 256, 210, _encode_q6_k, _decode_q6_k)
