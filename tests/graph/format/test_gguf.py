"""GGUF's formats against the `gguf` package, an independent decoder and encoder."""

from __future__ import annotations

import gguf
import gguf.quants
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import FormatError
from netwright.graph.format import Format, format_of

_ENCODED_ALIKE = ("q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "tq1_0", "tq2_0")
_SEARCHED = ("q2_k", "q3_k", "q4_k", "q5_k", "q6_k")
_ALL = _ENCODED_ALIKE + _SEARCHED
# Relative RMS error of N(0, 1), from the step of a uniform quantiser over the group's range,
# step / sqrt(12), with 15 % for the rounding of the scales.
_SEARCHED_ERROR = {"q2_k": 0.33, "q3_k": 0.18, "q4_k": 0.08, "q5_k": 0.04, "q6_k": 0.02}


def _type(form: Format) -> gguf.GGMLQuantizationType:
    return gguf.GGMLQuantizationType[form.name.upper()]


@pytest.mark.parametrize("name", _ALL)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 4), blocks=st.integers(1, 5))
def test_any_bytes_decode_as_gguf_decodes_them(name: str, seed: int, rows: int, blocks: int):
    form = format_of(name)
    raw = np.random.default_rng(seed).integers(
        0, 256, (rows, blocks * form.block_bytes), dtype=np.uint8
    )
    with np.errstate(all="ignore"):
        expected = gguf.quants.dequantize(raw, _type(form))
        got = form.decode(raw).astype(np.float32)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("name", _ENCODED_ALIKE)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), exponent=st.integers(-6, 3))
def test_encoded_bytes_equal_gguf(name: str, seed: int, exponent: int):
    form = format_of(name)
    rng = np.random.default_rng(seed)
    values = (rng.standard_normal((3, 512)) * 10.0**exponent).astype(np.float32)
    values[0, :256] = 0
    with np.errstate(all="ignore"):
        expected = gguf.quants.quantize(values, _type(form))
    np.testing.assert_array_equal(form.encode(values.astype(np.float64)), expected)


@pytest.mark.parametrize("name", _SEARCHED)
def test_searched_scales_reach_the_error_of_their_width(name: str):
    form = format_of(name)
    values = np.random.default_rng(1).standard_normal((8, 2048))
    off = form.decode(form.encode(values)) - values
    assert np.sqrt((off**2).mean() / (values**2).mean()) < _SEARCHED_ERROR[name]
    assert not form.decode(form.encode(np.zeros((2, 256)))).any()


@pytest.mark.parametrize("name", _SEARCHED)
def test_values_on_the_grid_stay_near_it(name: str):
    form = format_of(name)
    values = form.decode(form.encode(np.random.default_rng(2).standard_normal((4, 1024))))
    off = form.decode(form.encode(values)) - values
    assert np.sqrt((off**2).mean() / (values**2).mean()) < _SEARCHED_ERROR[name] / 2


@pytest.mark.parametrize("name", _ENCODED_ALIKE)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_encoding_is_a_projection(name: str, seed: int):
    form = format_of(name)
    once = form.decode(form.encode(np.random.default_rng(seed).standard_normal((2, 512))))
    np.testing.assert_array_equal(form.decode(form.encode(once)), once)


@pytest.mark.parametrize("name", _ALL)
def test_block_sizes_equal_gguf(name: str):
    form = format_of(name)
    sizes = gguf.GGML_QUANT_SIZES[_type(form)]
    assert (form.block_elements, form.block_bytes) == sizes
    assert form.bits_per_element == 8 * sizes[1] / sizes[0]


@pytest.mark.parametrize("name", _ALL)
def test_what_cannot_be_written_is_refused(name: str):
    form = format_of(name)
    with pytest.raises(FormatError, match="no multiple of the block"):
        form.encode(np.zeros((2, form.block_elements + 1)))
    with pytest.raises(FormatError, match="multiple of the block"):
        form.decode(np.zeros(form.block_bytes + 1, np.uint8))
    for bad in (np.nan, np.inf, 1e39):
        with pytest.raises(FormatError, match="not a number or beyond"):
            form.encode(np.full(form.block_elements, bad))
    with pytest.raises(FormatError, match="beyond fp16's 65504"):
        form.encode(np.linspace(-1e30, 1e30, form.block_elements))
