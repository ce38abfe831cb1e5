"""E8M0: a power of two in a byte, shared by a block. Code 255 is NaN."""

from __future__ import annotations

import numpy as np

from netwright.graph.format.blocks import Bytes, Numbers

_BIAS = 127
_LARGEST_CODE = 254


def exponent_bytes(exponents: Numbers) -> Bytes:
    """Codes of integer exponents [n, 1], saturating. OCP MX v1.0, section 5.4.1."""
    return (exponents + _BIAS).clip(0, _LARGEST_CODE).astype(np.uint8)


def exponents_of(codes: Bytes) -> Numbers:
    """Integer exponents [n, 1]; that of NaN has no meaning."""
    return codes.astype(np.int32) - _BIAS


def scale_by(values: Numbers, codes: Bytes) -> Numbers:
    """Values [n, k] times 2^exponent of codes [n, 1]."""
    scaled = np.ldexp(values, exponents_of(codes))
    return np.where(codes > _LARGEST_CODE, np.nan, scaled)


def floor_exponents(blocks: Numbers) -> Numbers:
    """floor(log2(max |value|)) of each block [n, 1], and the least exponent for all zeros."""
    most = np.abs(blocks).max(axis=1, keepdims=True)
    return np.where(most > 0, np.frexp(most)[1] - 1, -_BIAS - 1024)
