"""GGUF's blocks of 256 with a minimum for each group: Q2_K, Q4_K, Q5_K.

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
from netwright.graph.format.gguf_search import AffineSearch, affine_scales

_SEARCH_2 = AffineSearch(top=3, first=-0.5, steps=15, squared=False)
_SEARCH_4 = AffineSearch(top=15, first=-1.0, steps=20, squared=True)
_SEARCH_5 = AffineSearch(top=31, first=-0.5, steps=15, squared=True)


def _pack_scales(scales: Numbers, mins: Numbers) -> Numbers:
    """12 bytes of 8 + 8 six-bit numbers."""
    low = scales[:, :4] | (scales[:, 4:] >> 4 << 6)
    high = mins[:, :4] | (mins[:, 4:] >> 4 << 6)
    rest = (scales[:, 4:] & 15) | (mins[:, 4:] & 15) << 4
    return np.concatenate([low, high, rest], axis=1)


def _unpack_scales(packed: Numbers) -> tuple[Numbers, Numbers]:
    """The inverse of `_pack_scales`: scales [n, 8], minima [n, 8]."""
    low, high, rest = packed[:, :4], packed[:, 4:8], packed[:, 8:]
    scales = np.concatenate([low & 63, (rest & 15) | (low >> 6 << 4)], axis=1)
    mins = np.concatenate([high & 63, (rest >> 4) | (high >> 6 << 4)], axis=1)
    return scales, mins


def _apply(head: Numbers, scales: Numbers, mins: Numbers, codes: Bytes) -> Numbers:
    """`d * s * code - dmin * m` of head [n, 2], scales and mins [n, g], codes [n, 256]."""
    step = (head[:, :1] * scales).astype(np.float64)
    shift = (head[:, 1:] * mins).astype(np.float64)
    values = codes.reshape(*scales.shape, -1) * step[:, :, None]
    values -= shift[:, :, None]
    return values.reshape(len(codes), 256)


def _quantise(
    name: str, blocks: Numbers, weights: Numbers, search: AffineSearch, scale_top: int
) -> tuple[Bytes, Numbers, Numbers, Bytes]:
    """Head bytes [n, 4], scales [n, g], minima [n, g] and codes [n, 256]; weights [n, g, 256/g]."""
    groups = blocks.reshape(weights.shape)
    width = weights.shape[-1]
    scale, least = affine_scales(groups.reshape(-1, width), weights.reshape(-1, width), search)
    scale, least = scale.reshape(len(blocks), -1), least.reshape(len(blocks), -1)
    max_scale = scale.max(axis=1, keepdims=True)
    max_least = least.max(axis=1, keepdims=True)
    scales = np.rint(scale * (scale_top * reciprocal(max_scale))).clip(0, scale_top)
    mins = np.rint(least * (scale_top * reciprocal(max_least))).clip(0, scale_top)
    tops = np.concatenate([max_scale, max_least], axis=1) / np.float32(scale_top)
    head = half_bytes(name, tops)
    rounded = half_values(head)
    step = (rounded[:, :1] * scales)[:, :, None]
    shift = (rounded[:, 1:] * mins)[:, :, None]
    codes = np.where(step > 0, np.rint((groups + shift) / step), 0).clip(0, search.top)
    return (
        head,
        scales.astype(np.uint8),
        mins.astype(np.uint8),
        codes.astype(np.uint8).reshape(-1, 256),
    )


def _importance(blocks: Numbers) -> Numbers:
    """Ggml's weights of Q4_K and Q5_K, [n, 8, 32]: the group's RMS plus the magnitude."""
    groups = blocks.reshape(-1, 8, 32)
    return np.sqrt((groups * groups).mean(axis=2, keepdims=True)) + np.abs(groups)


def _encode_q2_k(blocks: Numbers) -> Numbers:
    weights = np.abs(blocks).reshape(-1, 16, 16)
    head, scales, mins, codes = _quantise("q2_k", blocks, weights, _SEARCH_2, 15)
    return np.concatenate([scales | mins << 4, pack_fields(codes, 2, 4, 32), head], axis=1)


def _decode_q2_k(raw: Bytes) -> Numbers:
    packed = raw[:, :16]
    codes = unpack_fields(raw[:, 16:80], 2, 4, 32)
    return _apply(half_values(raw[:, 80:]), packed & 15, packed >> 4, codes)


def _encode_q4_k(blocks: Numbers) -> Numbers:
    head, scales, mins, codes = _quantise("q4_k", blocks, _importance(blocks), _SEARCH_4, 63)
    return np.concatenate([head, _pack_scales(scales, mins), pack_fields(codes, 4, 2, 32)], axis=1)


def _decode_q4_k(raw: Bytes) -> Numbers:
    scales, mins = _unpack_scales(raw[:, 4:16])
    return _apply(half_values(raw[:, :4]), scales, mins, unpack_fields(raw[:, 16:], 4, 2, 32))


def _encode_q5_k(blocks: Numbers) -> Numbers:
    head, scales, mins, codes = _quantise("q5_k", blocks, _importance(blocks), _SEARCH_5, 63)
    high = pack_fields(codes >> 4, 1, 8, 32)
    low = pack_fields(codes & 15, 4, 2, 32)
    return np.concatenate([head, _pack_scales(scales, mins), high, low], axis=1)


def _decode_q5_k(raw: Bytes) -> Numbers:
    scales, mins = _unpack_scales(raw[:, 4:16])
    codes = unpack_fields(raw[:, 48:], 4, 2, 32)
    codes |= unpack_fields(raw[:, 16:48], 1, 8, 32) << 4
    return _apply(half_values(raw[:, :4]), scales, mins, codes)


# `d * s * code - dmin * m`: 16 groups of 16; 4-bit s and m, 2-bit codes.
Q2_K = BlockFormat("q2_k", 256, 84, _encode_q2_k, _decode_q2_k)

# `d * s * code - dmin * m`: 8 groups of 32; 6-bit s and m, 4-bit codes.
Q4_K = BlockFormat("q4_k", 256, 144, _encode_q4_k, _decode_q4_k)

# `d * s * code - dmin * m`: 8 groups of 32; 6-bit s and m, 5-bit codes.
Q5_K = BlockFormat("q5_k", 256, 176, _encode_q5_k, _decode_q5_k)
