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
    """Of the int8 that the values become: see `sum_tables`."""
    return sum_tables(_encode_256(values), values.shape[1])


def sum_tables(raw: NDArray[np.uint8], elements: int) -> NDArray[np.uint8]:
    """Rows of act8x256 → rows of lut4x256: sums of four neighbours, chosen by four bits."""
    rows, blocks = len(raw), elements // 256
    q = np.ascontiguousarray(raw[:, :elements]).view(np.int8).astype(np.int32)
    four = q.reshape(rows, blocks, 64, 4)
    chosen = np.arange(16)[:, None] >> np.arange(4) & 1
    negative = np.minimum(four, 0).sum(axis=3)
    number = (four[:, :, :, None, :] * chosen).sum(axis=4) - negative[..., None]
    above = number > 255
    high = (above * (1 << np.arange(16))).sum(axis=3).astype(np.uint16)
    pairs = (high.reshape(rows, blocks, 32, 2) != 0).any(axis=3)
    wide = (pairs * (1 << np.arange(32, dtype=np.uint64))).sum(axis=2).astype(np.uint32)
    at = elements + elements // 8
    scale = raw[:, at : at + 4 * blocks]
    base, total = negative.sum(axis=2, dtype=np.int32), four.sum(axis=(2, 3), dtype=np.int32)
    return _bytes([(number & 255).astype(np.uint8), high, wide, scale, base, total], rows)
