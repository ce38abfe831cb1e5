"""Codes of two bits, four a byte, and their product by a table of all products.

Layout: native/kernels/quant_codes.hpp. Ganji et al., "DeepGEMM: Accelerated Ultra Low-Precision
Inference on CPU Architectures using Lookup Tables", 2023, arXiv 2304.09049.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from netwright.errors import ProgramError

BLOCK = 128  # inputs of which the codes lie in 32 bytes
LEVELS = 4


def pack_codes(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Codes 0 to 3 [N, K] → the bytes that matmul_codes reads: a quarter of a byte each.

    Raises:
        ProgramError: a code is above 3.
    """
    if codes.size and int(codes.max()) >= LEVELS:
        raise ProgramError(f"pack_codes: code {int(codes.max())}; expected 0 to {LEVELS - 1}")
    outputs, inputs = codes.shape
    blocks = -(-inputs // BLOCK)
    padded = np.zeros((outputs, blocks * BLOCK), np.uint8)
    padded[:, :inputs] = codes
    fields = padded.reshape(outputs, blocks, LEVELS, BLOCK // LEVELS)
    shifts = np.array([0, 2, 4, 6], np.uint8)[:, None]
    return np.bitwise_or.reduce(fields << shifts, axis=2).reshape(-1)


def unpack_codes(raw: NDArray[np.uint8], outputs: int, inputs: int) -> NDArray[np.uint8]:
    """The codes [N, K] again.

    Raises:
        ProgramError: the weight is shorter than these sizes.
    """
    blocks = -(-inputs // BLOCK)
    needed = outputs * blocks * BLOCK // LEVELS
    if raw.size < needed:
        raise ProgramError(f"a packed weight has {raw.size} bytes, its sizes need {needed}")
    bytes_ = raw[:needed].reshape(outputs, blocks, 1, BLOCK // LEVELS)
    fields = bytes_ >> np.array([0, 2, 4, 6], np.uint8)[:, None] & np.uint8(LEVELS - 1)
    codes: NDArray[np.uint8] = fields.reshape(outputs, blocks * BLOCK)[:, :inputs]
    return codes


def products_of(
    weight_levels: NDArray[np.integer], activation_levels: NDArray[np.integer]
) -> NDArray[np.int8]:
    """What four codes of a weight and four of an activation stand for → their products [4, 4].

    Raises:
        ProgramError: there are not four levels, or a product is no int8.
    """
    found = np.multiply.outer(weight_levels.astype(np.int64), activation_levels.astype(np.int64))
    if found.shape != (LEVELS, LEVELS) or np.abs(found + 0.5).max() > 128:
        raise ProgramError(f"products of levels {found.tolist()}: expected 4 x 4 int8")
    return found.astype(np.int8)


def product_words(products: NDArray[np.int8]) -> tuple[int, int]:
    """Products [weight's code, activation's code] as the two parameters of matmul_codes."""
    low, high = np.ascontiguousarray(products, dtype="<i1").reshape(-1).view("<i8")
    return int(low), int(high)


def codes_product(
    x: NDArray[np.integer], codes: NDArray[np.uint8], words: tuple[int, int]
) -> NDArray[np.int64]:
    """Codes [T, K] (of each the lowest two bits) and codes [N, K] → sums of products [T, N]."""
    products = np.array(words, "<i8").view("<i1").reshape(LEVELS, LEVELS).astype(np.int64)
    chosen = x & (LEVELS - 1)
    found = np.zeros((len(x), len(codes)), np.int64)
    for weight in range(LEVELS):
        found += products[weight][chosen] @ (codes == weight).astype(np.int64).T
    return found
