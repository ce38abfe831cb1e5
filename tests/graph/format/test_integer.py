"""Plain integers and booleans against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.errors import FormatError, UnsupportedError
from netwright.graph.format import (
    BOOL,
    FORMATS,
    INT8,
    INT16,
    INT32,
    INT64,
    UINT8,
    Integer,
    format_of,
    plain_dtype,
)

_INTEGERS = [INT8, INT16, INT32, INT64, UINT8, format_of("uint16"), format_of("uint32")]


@pytest.mark.parametrize("form", _INTEGERS)
@given(raw=st.binary(min_size=8, max_size=64).map(lambda b: b[: len(b) // 8 * 8]))
def test_every_integer_comes_back(form: Integer, raw: bytes):
    stored = np.frombuffer(raw, np.uint8)
    values = form.decode(stored)
    assert values.dtype == np.int64
    dtype = plain_dtype(form)
    assert dtype is not None
    np.testing.assert_array_equal(values, stored.view(dtype))
    np.testing.assert_array_equal(form.encode(values), stored)


@pytest.mark.parametrize("form", _INTEGERS)
@given(values=st.lists(st.floats(allow_nan=False), min_size=1, max_size=30))
def test_reals_round_half_to_even_and_saturate(form: Integer, values: list[float]):
    dtype = plain_dtype(form)
    assert dtype is not None
    limits = np.iinfo(dtype)

    def exact(value: float) -> int:
        if np.isinf(value):
            return limits.max if value > 0 else limits.min
        return min(max(round(value), limits.min), limits.max)

    assert form.decode(form.encode(np.array(values))).tolist() == [exact(v) for v in values]


def test_not_a_number_is_refused():
    with pytest.raises(FormatError, match="int8: a value is not a number"):
        INT8.encode(np.array([np.nan]))
    with pytest.raises(FormatError, match="integer of 24 bits"):
        Integer(24, signed=True)
    with pytest.raises(FormatError, match="uint64"):
        Integer(64, signed=False)


def test_booleans():
    assert BOOL.decode(np.array([0, 1, 7], np.uint8)).tolist() == [False, True, True]
    assert BOOL.encode(np.array([0.0, -0.5, np.nan])).tolist() == [0, 1, 1]


def test_names_lead_back_to_their_formats():
    assert all(format_of(form.name) == form for form in FORMATS)
    with pytest.raises(UnsupportedError, match=r"'q9_9'.*q4_0"):
        format_of("q9_9")
