"""Activations as native/kernels/activation.hpp lays them out: int8, or tables of their sums."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]


def decode_activation(rows: NDArray[np.uint8], name: str, elements: int) -> NDArray[np.float64]:
    """Rows of bytes [T, row bytes] → scale * q [T, K].

    The kernels of q4_1 and q5_1 multiply minima with a sum that was rounded on its own; here both
    use the same values, so they differ by that rounding (relative 2^-11).
    """
    rows = np.ascontiguousarray(rows)
    block = 32 if name == "act8x32" else 256
    blocks = elements // block
    at = elements if block == 32 else elements + elements // 16 * 2
    q = rows[:, :elements].view(np.int8).reshape(len(rows), blocks, block)
    scale = np.ascontiguousarray(rows[:, at : at + 4 * blocks]).view(np.float32)
    return (q * scale.astype(np.float64)[:, :, None]).reshape(len(rows), elements)


def encode_activation(values: Array, name: str) -> NDArray[np.uint8]:
    """Values [T, K] → rows of bytes [T, row bytes]."""
    if name == "act8x32":
        return _encode_32(values)
    if name == "lut4x256":
        return _encode_tables(values)
    return _encode_256(values)


def _bytes(parts: list[Array], rows: int) -> NDArray[np.uint8]:
    flat = [np.ascontiguousarray(p).view(np.uint8).reshape(rows, -1) for p in parts]
    return np.concatenate(flat, axis=1)


def _encode_32(values: Array) -> NDArray[np.uint8]:
    rows, elements = values.shape
    blocks = values.astype(np.float32).reshape(rows, elements // 32, 32)
    largest = np.abs(blocks).max(axis=2)
    delta = largest / np.float32(127)
    # Not 1 / delta: its last bit may differ, and a value between two steps fall the other way.
    inverse = np.divide(np.float32(127), largest, out=np.zeros_like(largest), where=largest != 0)
    q = np.rint(blocks * inverse[:, :, None]).astype(np.int8)
    total = q.sum(axis=2, dtype=np.int32)
    scale = delta.astype(np.float16).astype(np.float32)
    minimum = (delta * total).astype(np.float16).astype(np.float32)
    return _bytes([q, scale, total, minimum], rows)


def _encode_256(values: Array) -> NDArray[np.uint8]:
    rows, elements = values.shape
    blocks = values.astype(np.float32).reshape(rows, elements // 256, 256)
    place = np.abs(blocks).argmax(axis=2)[:, :, None]
    largest = np.take_along_axis(blocks, place, axis=2)
    inverse = np.divide(np.float32(-127), largest, out=np.zeros_like(largest), where=largest != 0)
    q = np.minimum(np.rint(blocks * inverse), 127).astype(np.int8)
    total = q.reshape(rows, -1, 16).sum(axis=2, dtype=np.int16)
    scale = np.divide(1, inverse, out=np.zeros_like(inverse), where=inverse != 0)
    return _bytes([q, total, scale[:, :, 0].astype(np.float32)], rows)


def _encode_tables(values: Array) -> NDArray[np.uint8]:
    """Sums of four neighbours under all signs, in the kernels' order of fp32 additions."""
    rows, elements = values.shape
    four = values.astype(np.float32).reshape(rows, elements // 256, 64, 4)
    size = np.abs(four)
    largest = (((size[..., 0] + size[..., 1]) + size[..., 2]) + size[..., 3]).max(axis=2)
    inverse = np.divide(np.float32(127), largest, out=np.zeros_like(largest), where=largest != 0)
    sign = np.where(np.arange(16)[:, None] >> np.arange(4) & 1, 1, -1).astype(np.float32)
    one = four[:, :, :, None, :] * sign
    entry = ((one[..., 0] + one[..., 1]) + one[..., 2]) + one[..., 3]
    entry = np.rint(entry * inverse[:, :, None, None]).astype(np.int8).view(np.uint8) ^ 128
    total = np.zeros_like(largest)
    for group in np.moveaxis(four, 2, 0):
        total += ((group[..., 0] + group[..., 1]) + group[..., 2]) + group[..., 3]
    return _bytes([entry, largest / np.float32(127), total], rows)
