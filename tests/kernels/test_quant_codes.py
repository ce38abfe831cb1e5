"""Products of codes of two bits by a table of all products: against integers, and in both forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.kernels.calls import function, operand

from netwright.errors import ProgramError
from netwright.native import core
from netwright.program.reference.codes import (
    codes_product,
    pack_codes,
    product_words,
    products_of,
    unpack_codes,
)

UNIFORM = products_of(np.arange(-2, 2), np.arange(4))


def called(
    x: NDArray[np.uint8],
    codes: NDArray[np.uint8],
    products: NDArray[np.int8],
    scale: NDArray[np.float32] | None = None,
    bias: NDArray[np.float32] | None = None,
    name: str = "identity",
    parts: int = 1,
    avx2: bool = True,
) -> NDArray[np.float32]:
    """f(scale * sum + bias), of which every element is written."""
    (tokens, inputs), outputs = x.shape, len(codes)
    out = np.full((tokens, outputs + 3), np.nan, np.float32)[:, :outputs]
    raw = pack_codes(codes)
    scale = np.ones(outputs, np.float32) if scale is None else scale
    operands: list[Any] = [operand(out), operand(x), (raw, 63, [raw.size], [1]), operand(scale)]
    parameters = [inputs, outputs, *product_words(products), *function(name)]
    for part in range(parts):
        core.call("matmul_codes", [*operands, operand(bias)], parameters, part, parts, avx2)
    return out


@settings(max_examples=60, deadline=None)
@given(
    tokens=st.integers(1, 23),
    inputs=st.integers(1, 700),
    outputs=st.integers(1, 41),
    table=st.binary(min_size=16, max_size=16),
    narrow=st.integers(0, 7),
    seed=st.integers(0, 1000),
)
def test_sums_are_exact_for_any_table_and_alike_in_both_forms(
    tokens: int, inputs: int, outputs: int, table: bytes, narrow: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    # Rows lie apart, begin anywhere, and have other bits beside the two that count.
    x = rng.integers(0, 256, (tokens, inputs + 5), dtype=np.uint8)[:, 1 : 1 + inputs]
    codes = rng.integers(0, 4, (outputs, inputs), dtype=np.uint8)
    products = np.frombuffer(table, np.int8).reshape(4, 4) >> narrow
    # Row by row in plain integers: no table's words, no packing.
    expected = np.array([[products[w, t & 3].sum(dtype=np.int64) for w in codes] for t in x])
    assert np.array_equal(codes_product(x, codes, product_words(products)), expected)
    for avx2, parts in ((False, 1), (False, 3), (True, 1), (True, 3)):
        found = called(x, codes, products, parts=parts, avx2=avx2)
        assert np.array_equal(found, expected)


@pytest.mark.parametrize("extreme", [-128, 127])
@pytest.mark.parametrize("inputs", [128, 4608, 25088])
def test_bytes_never_overflow(extreme: int, inputs: int) -> None:
    # All inputs meet the product that lies furthest from the least one.
    products = np.full((4, 4), -1 - extreme, np.int8)
    products[3, 3] = extreme
    x, codes = np.full((5, inputs), 3, np.uint8), np.full((2, inputs), 3, np.uint8)
    for avx2 in (False, True):
        assert np.all(called(x, codes, products, avx2=avx2) == extreme * inputs)


def test_levels_need_not_be_even() -> None:
    rng = np.random.default_rng(2)
    x = rng.integers(0, 4, (9, 300), dtype=np.uint8)
    codes = rng.integers(0, 4, (17, 300), dtype=np.uint8)
    weights, activations = np.array([-9, -2, 1, 10]), np.array([0, 1, 3, 12])
    expected = activations[x] @ weights[codes].T
    assert np.array_equal(called(x, codes, products_of(weights, activations)), expected)


@settings(max_examples=20, deadline=None)
@given(tokens=st.integers(1, 9), outputs=st.integers(1, 40), seed=st.integers(0, 99))
def test_scale_bias_and_function_are_the_same_bits(tokens: int, outputs: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 4, (tokens, 200), dtype=np.uint8)
    codes = rng.integers(0, 4, (outputs, 200), dtype=np.uint8)
    scale, bias = (rng.standard_normal(outputs).astype(np.float32) for _ in range(2))
    plain = codes_product(x, codes, product_words(UNIFORM)).astype(np.float64) * scale + bias
    found = [
        called(x, codes, UNIFORM, scale, bias, "relu", parts, avx2)
        for avx2, parts in ((False, 1), (True, 1), (True, 4))
    ]
    # One rounding: a fused multiply-add of an exact sum.
    assert np.array_equal(found[0], np.maximum(plain, 0).astype(np.float32))
    for other in found[1:]:
        assert np.array_equal(found[0].view(np.int32), other.view(np.int32))


@given(st.integers(1, 20), st.integers(1, 400), st.integers(0, 99))
def test_packing_round_trips(outputs: int, inputs: int, seed: int) -> None:
    codes = np.random.default_rng(seed).integers(0, 4, (outputs, inputs), dtype=np.uint8)
    raw = pack_codes(codes)
    assert raw.size == outputs * -(-inputs // 128) * 32
    assert np.array_equal(unpack_codes(raw, outputs, inputs), codes)


def test_what_does_not_fit_is_refused() -> None:
    codes = np.zeros((8, 256), np.uint8)
    with pytest.raises(ProgramError, match="code 4"):
        pack_codes(codes + 4)
    with pytest.raises(ProgramError, match="its sizes need"):
        unpack_codes(pack_codes(codes)[:-1], 8, 256)
    with pytest.raises(ProgramError, match="expected 4 x 4 int8"):
        products_of(np.array([-64, 0, 1, 2]), np.arange(4))
    raw, scale = pack_codes(codes), operand(np.ones(8, np.float32))
    out, x = np.zeros((1, 8), np.float32), np.zeros((1, 256), np.uint8)
    packed, words = (raw, 63, [raw.size], [1]), product_words(UNIFORM)
    given_ = [operand(out), operand(x), packed, scale]
    sizes = [256, 8, *words, *function("identity")]
    for operands, parameters, match in (
        (given_, [0, *sizes[1:]], "K is out of range"),
        (given_, [255, *sizes[1:]], "do not agree"),
        ([*given_[:2], (raw, 63, [raw.size - 1], [1]), scale], sizes, "too short"),
        ([*given_[:3], None], sizes, "absent"),
        ([*given_[:3], operand(np.ones(7, np.float32))], sizes, "wrong length"),
        ([given_[0], operand(x.view(np.int8)), *given_[2:]], sizes, "wrong format"),
        ([given_[0], operand(x.repeat(2, axis=1)[:, ::2]), *given_[2:]], sizes, "not contiguous"),
        ([*given_, operand(out[0])], sizes, "overlaps"),
    ):
        with pytest.raises(ValueError, match=match):
            core.call("matmul_codes", operands, parameters)
