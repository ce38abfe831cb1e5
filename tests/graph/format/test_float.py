"""IEEE floats and bfloat16 against numpy and exact arithmetic."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import FormatError
from netwright.graph.format import BF16, FP16, FP32, FP64, Float, plain_dtype

_DOUBLES = st.lists(st.floats(width=64), min_size=1, max_size=40)


@pytest.mark.parametrize("form", [FP16, FP32, FP64])
@given(values=_DOUBLES)
def test_ieee_floats_round_as_numpy(form: Float, values: list[float]):
    doubles = np.array(values)
    with np.errstate(all="ignore"):
        expected = doubles.astype(f"<f{form.bits // 8}")
    np.testing.assert_array_equal(form.encode(doubles).view(expected.dtype), expected)
    np.testing.assert_array_equal(form.decode(form.encode(doubles)), expected.astype(np.float64))
    assert plain_dtype(form) == expected.dtype


@given(values=_DOUBLES)
def test_bf16_rounds_once_to_nearest_even(values: list[float]):
    doubles = np.array(values)
    got = BF16.decode(BF16.encode(doubles))
    exponent = np.maximum(np.frexp(np.where(np.isfinite(doubles), doubles, 1))[1] - 1, -126)
    with np.errstate(all="ignore"):
        exact = np.ldexp(np.rint(np.ldexp(doubles, 7 - exponent)), exponent - 7)
    exact = np.where(np.abs(exact) > float(ml_dtypes.finfo("bfloat16").max), np.inf, np.abs(exact))
    np.testing.assert_array_equal(got, np.copysign(np.where(np.isnan(doubles), np.nan, exact), got))
    signs = np.signbit(doubles) == np.signbit(got)
    assert signs.all()


def test_bf16_does_not_round_twice():
    # Just above the midpoint of two bf16 values, but on it once rounded to fp32.
    value = 1 + 2.0**-8 + 2.0**-40
    assert BF16.decode(BF16.encode(np.array([value])))[0] == 1 + 2.0**-7


@pytest.mark.parametrize("form", [FP16, BF16])
def test_every_code_comes_back(form: Float):
    raw = np.arange(1 << 16, dtype="<u2").view(np.uint8)
    values = form.decode(raw)
    dtype = np.float16 if form is FP16 else ml_dtypes.bfloat16
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(values, raw.view(dtype).astype(np.float64))
    np.testing.assert_array_equal(form.decode(form.encode(values)), values)


@settings(max_examples=30)
@given(shape=st.lists(st.integers(0, 3), max_size=4))
def test_shapes_are_kept(shape: list[int]):
    values = np.zeros(shape)
    raw = BF16.encode(values)
    assert raw.shape == (*np.atleast_1d(values).shape[:-1], 2 * np.atleast_1d(values).shape[-1])
    assert BF16.decode(raw).shape == np.atleast_1d(values).shape


def test_a_torn_row_is_refused():
    with pytest.raises(FormatError, match="fp32: raw data"):
        FP32.decode(np.zeros(7, np.uint8))
    with pytest.raises(FormatError, match="a float of 12 bits"):
        Float(12)
