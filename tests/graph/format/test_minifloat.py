"""Floats of 4, 6 and 8 bits against ml_dtypes and torch."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from netwright.errors import FormatError
from netwright.graph.format import (
    FP4_E2M1,
    FP6_E2M3,
    FP6_E3M2,
    FP8_E4M3FN,
    FP8_E5M2,
    MiniFloat,
    Special,
)

_ORACLE = {
    FP8_E4M3FN: ml_dtypes.float8_e4m3fn,
    FP8_E5M2: ml_dtypes.float8_e5m2,
    FP6_E3M2: ml_dtypes.float6_e3m2fn,
    FP6_E2M3: ml_dtypes.float6_e2m3fn,
    FP4_E2M1: ml_dtypes.float4_e2m1fn,
}
_ALL = list(_ORACLE)


def _every_code(form: MiniFloat) -> np.ndarray:
    """Raw bytes that hold every code once."""
    codes = np.arange(1 << form.bits, dtype=np.uint64).reshape(-1, form.block_elements)
    words = (codes << np.arange(form.block_elements, dtype=np.uint64) * np.uint64(form.bits)).sum(1)
    return words.astype("<u8")[:, None].view(np.uint8)[:, : form.block_bytes].reshape(-1)


@pytest.mark.parametrize("form", _ALL)
def test_every_code_decodes_as_ml_dtypes(form: MiniFloat):
    expected = np.arange(1 << form.bits, dtype=np.uint8).view(_ORACLE[form]).astype(np.float64)
    np.testing.assert_array_equal(form.decode(_every_code(form)), expected)


@pytest.mark.parametrize("form", _ALL)
def test_every_code_comes_back(form: MiniFloat):
    values = form.decode(_every_code(form))
    again = form.decode(form.encode(values))
    np.testing.assert_array_equal(again, values)
    np.testing.assert_array_equal(np.signbit(again), np.signbit(values))


@pytest.mark.parametrize("form", _ALL)
@given(
    values=st.lists(
        st.floats(-1e6, 1e6, width=32) | st.floats(-8, 8, width=32), min_size=4, max_size=40
    )
)
def test_reals_round_as_ml_dtypes(form: MiniFloat, values: list[float]):
    reals = np.array(values[: len(values) // 4 * 4])
    with np.errstate(all="ignore"):
        expected = reals.astype(np.float32).astype(_ORACLE[form]).astype(np.float64)
    np.testing.assert_array_equal(form.decode(form.encode(reals)), expected)


@pytest.mark.parametrize(
    ("form", "dtype"), [(FP8_E4M3FN, torch.float8_e4m3fn), (FP8_E5M2, torch.float8_e5m2)]
)
def test_fp8_bytes_equal_torch(form: MiniFloat, dtype: torch.dtype):
    values = np.random.default_rng(0).standard_normal(4096) * 50
    expected = torch.from_numpy(values.astype(np.float32)).to(dtype).view(torch.uint8).numpy()
    np.testing.assert_array_equal(form.encode(values.astype(np.float32)), expected)


def test_overflow_and_what_is_not_a_number():
    over = np.array([1e300, -1e300, np.inf, np.nan])
    assert FP8_E5M2.decode(FP8_E5M2.encode(over)).tolist()[:3] == [np.inf, -np.inf, np.inf]
    assert np.isnan(FP8_E4M3FN.decode(FP8_E4M3FN.encode(over))).all()
    assert FP4_E2M1.decode(FP4_E2M1.encode(over[:2])).tolist() == [6, -6]
    with pytest.raises(FormatError, match="fp6_e3m2: a value is not a number"):
        FP6_E3M2.encode(over)
    with pytest.raises(FormatError, match="no multiple of the block of 4"):
        FP6_E3M2.encode(np.zeros(6))
    with pytest.raises(FormatError, match="a float with 6 exponent"):
        MiniFloat(6, 2, Special.NONE)
