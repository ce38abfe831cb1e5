"""Codes of few bits as bit planes, and their product with tables of activations' sums.

Layouts: native/kernels/quant_lookup.hpp and activation.hpp. Wei et al., "T-MAC: CPU Renaissance via
Table Lookup for Low-Bit LLM Deployment on Edge", EuroSys 2025, arXiv 2407.00088.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.errors import ProgramError

TILE_ROWS = 32
BLOCK = 256
MOST_BITS = 4
_PAIRS = BLOCK // 8  # pairs of groups of four inputs, one byte a plane


def lookup_bytes(outputs: int, inputs: int, bits: int) -> int:
    """Bytes of a packed weight."""
    return -(-outputs // TILE_ROWS) * (inputs // BLOCK) * _block_bytes(bits)


def _block_bytes(bits: int) -> int:
    return 2 * TILE_ROWS + TILE_ROWS * BLOCK // 8 * bits


def _places(bits: int) -> NDArray[np.intp]:
    """[plane, row of a tile] → the byte of a pair's vectors that holds its two indices."""
    row = np.arange(TILE_ROWS)
    places = np.empty((bits, TILE_ROWS), np.intp)
    for plane in range(bits):
        if bits % 2 and plane == bits - 1:
            places[plane] = plane * 32 + row % 16 * 2 + row // 16
        else:
            places[plane] = (plane // 2 * 2 + row // 16) * 32 + row % 16 * 2 + plane % 2
    return places


def pack_lookup(codes: NDArray[np.uint8], scales: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """Codes [N, K] below 2^bits and scales [N, K / 256] → the bytes that matmul_lookup reads.

    Raises:
        ProgramError: the sizes or the codes do not fit.
    """
    outputs, inputs = codes.shape
    blocks, rest = divmod(inputs, BLOCK)
    if rest or not 1 <= bits <= MOST_BITS or scales.shape != (outputs, blocks):
        raise ProgramError(
            f"pack_lookup: {bits} bits, codes {codes.shape}, scales {scales.shape}: K must be a "
            f"multiple of {BLOCK} with one scale for each, and codes have 1 to {MOST_BITS} bits"
        )
    if codes.size and int(codes.max()) >> bits:
        raise ProgramError(f"pack_lookup: code {int(codes.max())} has more than {bits} bits")
    tiles = -(-outputs // TILE_ROWS)
    padded = np.zeros((tiles * TILE_ROWS, inputs), np.uint8)
    padded[:outputs] = codes
    half = np.zeros((tiles * TILE_ROWS, blocks), np.float16)
    half[:outputs] = scales
    raw = np.empty((tiles, blocks, _block_bytes(bits)), np.uint8)
    half = half.reshape(tiles, TILE_ROWS, blocks).transpose(0, 2, 1)
    raw[:, :, : 2 * TILE_ROWS] = np.ascontiguousarray(half).view(np.uint8)
    vectors = raw[:, :, 2 * TILE_ROWS :].reshape(tiles, blocks, _PAIRS, bits * 32)
    # [tile, row, block, pair, low or high half, input of a group]
    grouped = padded.reshape(tiles, TILE_ROWS, blocks, _PAIRS, 2, 4)
    powers = np.array([[1, 2, 4, 8], [16, 32, 64, 128]], np.uint8)
    for plane, places in enumerate(_places(bits)):
        both = ((grouped >> plane & 1) * powers).sum(axis=(4, 5), dtype=np.uint8)
        vectors[..., places] = both.transpose(0, 2, 3, 1)
    return raw.reshape(-1)


def unpack_lookup(
    raw: NDArray[np.uint8], outputs: int, inputs: int, bits: int
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The codes [N, K] and the scales [N, K / 256] again.

    Raises:
        ProgramError: the weight is shorter than these sizes.
    """
    needed = lookup_bytes(outputs, inputs, bits)
    if raw.size < needed:
        raise ProgramError(f"a packed weight has {raw.size} bytes, its sizes need {needed}")
    tiles, blocks = -(-outputs // TILE_ROWS), inputs // BLOCK
    whole = raw[:needed].reshape(tiles, blocks, _block_bytes(bits))
    vectors = whole[:, :, 2 * TILE_ROWS :].reshape(tiles, blocks, _PAIRS, bits * 32)
    codes = np.zeros((tiles, blocks, _PAIRS, TILE_ROWS, 8), np.uint8)
    for plane, places in enumerate(_places(bits)):
        codes |= (vectors[..., places, None] >> np.arange(8, dtype=np.uint8) & 1) << plane
    codes = codes.transpose(0, 3, 1, 2, 4).reshape(tiles * TILE_ROWS, inputs)[:outputs]
    half = np.ascontiguousarray(whole[:, :, : 2 * TILE_ROWS]).view(np.float16)
    scales = half.transpose(0, 2, 1).reshape(tiles * TILE_ROWS, blocks)[:outputs]
    return codes, scales.astype(np.float64)


def lookup_product(
    tables: NDArray[np.uint8],
    codes: NDArray[np.uint8],
    scales: NDArray[Any],
    bits: int,
    zero: int,
) -> NDArray[np.float64]:
    """Rows of tables [T, bytes] times scale * (code - zero) [N, K] → [T, N].

    The sum of u q is that of 2^b times what plane b looks up, four inputs at a time, plus 2^n - 1
    times the sum of the negative q, which entries have been freed of.
    """
    outputs, inputs = codes.shape
    groups, blocks = inputs // 4, inputs // BLOCK
    high = np.ascontiguousarray(tables[:, 4 * inputs : 4 * inputs + inputs // 2]).view(np.uint16)
    above = (high[:, :, None] >> np.arange(16) & 1).astype(np.int64)
    entries = tables[:, : 4 * inputs].reshape(len(tables), groups, 16) + 256 * above
    tail = np.ascontiguousarray(tables[:, 4 * inputs + inputs // 2 + 4 * blocks :])
    scale = tail[:, : 4 * blocks].copy().view(np.float32).astype(np.float64)[:, None, :]
    whole = tail[:, 4 * blocks :].copy().view(np.int32).astype(np.int64)[:, None, :]
    powers = np.array([1, 2, 4, 8])
    dot = ((1 << bits) - 1) * whole[..., :blocks] - zero * whole[..., blocks:]
    dot = np.repeat(dot, outputs, axis=1)
    for plane in range(bits):
        index = ((codes.reshape(outputs, groups, 4) >> plane & 1) * powers).sum(axis=2)
        found = entries[:, np.arange(groups), index].reshape(len(tables), outputs, blocks, -1)
        dot += found.sum(axis=3) << plane
    result: NDArray[np.float64] = (dot * scale * scales).sum(axis=2)
    return result
