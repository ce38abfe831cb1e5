"""Opcode 9 against numpy in float64."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from netwright.native import core

CODES = {"float32": 0, "float16": 1, "bfloat16": 2}
CASTS: dict[str, Any] = {
    "float32": np.float32,
    "float16": np.float16,
    "bfloat16": ml_dtypes.bfloat16,
}
SQUARE = 28


def plain(array: NDArray[Any]) -> tuple[NDArray[Any], int, list[int], list[int]]:
    code = CODES[array.dtype.name]
    held = array.view(np.uint16) if code == CODES["bfloat16"] else array
    return held, code, list(array.shape), list(array.strides)


def product(
    x: NDArray[Any],
    weight: NDArray[Any],
    extra: tuple[NDArray[Any], ...] = (),
    function: int = 0,
    *,
    avx2: bool = True,
    parts: int = 1,
) -> NDArray[np.float32]:
    out = np.full((len(x), len(weight)), np.nan, np.float32)
    operands = [plain(out), plain(x), plain(weight), *(plain(each) for each in extra)]
    for part in range(parts):
        core.call("matmul_dense", operands, [function, 0.0, 0.0], part, parts, avx2)
    return out


@pytest.mark.parametrize("avx2", [False, True])
@pytest.mark.parametrize("name", CODES)
@settings(max_examples=15, deadline=None)
@given(
    tokens=st.integers(1, 8),
    outputs=st.integers(1, 40),
    inputs=st.integers(1, 70),
    seed=st.integers(0, 1000),
)
def test_products(name: str, avx2: bool, tokens: int, outputs: int, inputs: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    x = random.standard_normal((tokens, inputs)).astype(np.float32)
    weight = random.standard_normal((outputs, inputs)).astype(CASTS[name])
    bias = random.standard_normal(outputs).astype(np.float32)
    residual = random.standard_normal((tokens, outputs)).astype(np.float32)
    whole = product(x, weight, (bias, residual), SQUARE, avx2=avx2)
    wide = weight.astype(np.float64)
    expected = x.astype(np.float64) @ wide.T + bias + residual
    size = np.abs(x.astype(np.float64)) @ np.abs(wide).T + np.abs(bias) + np.abs(residual)
    # one rounding of fp32 for each addition of the longest chain, then the square doubles it
    bound = (inputs / 8 + 8) * 2.0**-24 * size * 2 * (np.abs(expected) + 1e-3)
    assert np.all(np.abs(whole - expected**2) <= bound + 2.0**-23 * expected**2)
    cut = product(x, weight, (bias, residual), SQUARE, avx2=avx2, parts=3)
    assert np.array_equal(whole, cut)
    assert np.array_equal(
        whole[:1], product(x[:1], weight, (bias, residual[:1]), SQUARE, avx2=avx2)
    )
