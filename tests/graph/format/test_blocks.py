"""Laws that every format with a shared scale obeys, and oracles where there are any."""

from __future__ import annotations

import gguf
import gguf.quants
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from netwright.errors import FormatError, UnsupportedError
from netwright.graph.format import (
    FORMATS,
    FP16,
    FP64,
    MXFP4,
    NF4,
    AffineGroup,
    BlockFloat,
    Format,
    Microscaling,
    PowerOfTwo,
    Special,
    Spike,
    SymmetricGroup,
    Ternary,
    format_of,
)

_SCALED = [
    form
    for form in FORMATS
    if isinstance(
        form, SymmetricGroup | AffineGroup | Microscaling | BlockFloat | PowerOfTwo | Ternary | NF4
    )
]
_seeds = st.integers(0, 2**32 - 1)


def _normal(seed: int, form: Format, exponent: int = 0) -> np.ndarray:
    shape = (3, 4 * form.block_elements)
    return np.random.default_rng(seed).standard_normal(shape) * 2.0**exponent


def _step(form: Format, values: np.ndarray) -> np.ndarray:
    """The largest error that the format's docstring allows, [blocks, 1]."""
    most = np.abs(values).max(axis=1, keepdims=True)
    floor = np.floor(np.log2(most))
    match form:
        case SymmetricGroup(bits):
            return most / (2 ** (bits - 1) - 1) / 2 * 1.001
        case AffineGroup(bits):
            # The scale's rounding (2^-11 with fp16) acts over all codes of the range.
            span = np.maximum(values.max(1), 0) - np.minimum(values.min(1), 0)
            return span[:, None] / (2**bits - 1) * (0.5 + 2.0**-11 * 2**bits) * 1.001
        case BlockFloat(bits):
            return 2 ** (floor - bits + 2)
        case Microscaling(element):
            # What saturation cuts off at the top: a step, and two where the last code is NaN.
            lost = 2.0**-element.mantissa_bits
            return 2**floor * lost * (2 if element.special is Special.NAN_ONLY else 1)
        case PowerOfTwo():
            return most / 3 * 1.001
        case Ternary():
            return most
        case NF4():
            return most * 0.1521
        case _:
            raise AssertionError(form)


@pytest.mark.parametrize("form", _SCALED, ids=lambda f: f.name)
@settings(max_examples=10, deadline=None)
@given(seed=_seeds, exponent=st.integers(-8, 8))
def test_error_is_within_the_stated_bound(form: Format, seed: int, exponent: int):
    values = _normal(seed, form, exponent)
    off = np.abs(form.decode(form.encode(values)) - values).reshape(-1, form.block_elements)
    assert (off <= _step(form, values.reshape(-1, form.block_elements))).all()


@pytest.mark.parametrize("form", _SCALED, ids=lambda f: f.name)
@settings(max_examples=10, deadline=None)
@given(seed=_seeds, exponent=st.integers(-6, 6))
def test_encoding_is_a_projection(form: Format, seed: int, exponent: int):
    once = form.decode(form.encode(_normal(seed, form, exponent)))
    twice = form.decode(form.encode(once))
    if isinstance(form, AffineGroup):
        # The range after rounding need not be the range before: then the grid moves a little.
        np.testing.assert_allclose(twice, once, atol=np.abs(once).max() / 2 ** (form.bits - 1))
    else:
        np.testing.assert_array_equal(twice, once)


@pytest.mark.parametrize("form", _SCALED, ids=lambda f: f.name)
def test_zeros_subnormals_and_what_is_refused(form: Format):
    zeros = np.zeros((2, form.block_elements))
    assert not form.decode(form.encode(zeros)).any()
    small = np.full(form.block_elements, 5e-324)
    assert np.abs(form.decode(form.encode(small))).max() < 1e-38
    with pytest.raises(FormatError, match="no multiple of the block"):
        form.encode(np.zeros(form.block_elements + 1))
    with pytest.raises(FormatError, match="multiple of the block"):
        form.decode(np.zeros(form.block_bytes + 1, np.uint8))
    for bad in (np.nan, np.inf):
        with pytest.raises(FormatError, match="not a number"):
            form.encode(np.full(form.block_elements, bad))
    empty = np.zeros((0, form.block_elements))
    assert form.decode(form.encode(empty)).shape == empty.shape


@pytest.mark.parametrize("form", _SCALED, ids=lambda f: f.name)
@settings(max_examples=10, deadline=None)
@given(seed=_seeds)
def test_any_bytes_decode(form: Format, seed: int):
    raw = np.random.default_rng(seed).integers(0, 256, (2, 3 * form.block_bytes), dtype=np.uint8)
    assert form.decode(raw).shape == (2, 3 * form.block_elements)


@settings(max_examples=20, deadline=None)
@given(seed=_seeds)
def test_mxfp4_is_that_of_gguf(seed: int):
    rng = np.random.default_rng(seed)
    raw = rng.integers(0, 256, (4, 3 * 17), dtype=np.uint8)
    raw[:, ::17] %= 250  # beyond lie values that fp32 cannot hold, and NaN
    kind = gguf.GGMLQuantizationType.MXFP4
    np.testing.assert_array_equal(
        MXFP4.decode(raw).astype(np.float32), gguf.quants.dequantize(raw, kind)
    )
    values = rng.standard_normal((4, 96)).astype(np.float32)
    expected = gguf.quants.dequantize(gguf.quants.quantize(values, kind), kind)
    np.testing.assert_array_equal(MXFP4.decode(MXFP4.encode(values)), expected)


def test_shared_exponent_255_is_not_a_number():
    raw = np.full(17, 255, np.uint8)
    assert np.isnan(MXFP4.decode(raw)).all()


def test_mxint8_is_block_float_of_8_bits():
    # OCP MX v1.0, section 5.3.4: 1 sign, 1 integer and 6 fraction bits; element 0x41 is 65 / 64.
    form = BlockFloat(8, 32)
    raw = np.full(33, 0x41, np.uint8)
    raw[0] = 128
    assert (form.decode(raw) == 2 * 65 / 64).all()
    assert form.bits_per_element == 8.25


def test_nf4_table_is_that_of_the_paper():
    codes = np.arange(16, dtype=np.uint8)
    head = np.array([1.0], "<f4").view(np.uint8)
    raw = np.concatenate([head, np.tile(codes[::2] << 4 | codes[1::2], 4)])
    table = NF4().decode(raw)[:16]
    # Appendix E: quantiles of two halves of a normal distribution, 7 below zero and 8 above.
    above = norm.ppf(np.linspace(0.9677083, 0.5, 9)[:-1])
    below = norm.ppf(np.linspace(0.9677083, 0.5, 8)[:-1])
    expected = np.sort(np.concatenate([above, [0], -below]) / above.max())
    np.testing.assert_allclose(table, expected, atol=2e-7)


@settings(max_examples=20, deadline=None)
@given(seed=_seeds)
def test_ternary_support_is_optimal(seed: int):
    values = np.random.default_rng(seed).standard_normal(8)
    off = ((Ternary(8).decode(Ternary(8).encode(values)) - values) ** 2).sum()
    supports = (np.arange(1, 256)[:, None] >> np.arange(8)) & 1
    means = (supports * np.abs(values)).sum(1) / supports.sum(1)
    best = ((values**2).sum() - supports.sum(1) * means**2).min()
    assert off <= best * 1.0001 + 1e-6


def test_powers_of_two_are_nearest_in_value():
    form = PowerOfTwo(3, 8)  # a sign and 1, 1/2, 1/4 times the largest
    values = np.array([4.0, 2.9, 3.1, -2.0, 1.4, 0.6, 0.4, 0.0])
    assert form.decode(form.encode(values)).tolist() == [4, 2, 4, -2, 1, 1, 0, 0]


def test_spikes():
    form = Spike()
    raw = form.encode(np.array([1, 0, 0, 1, 0.5, 0.51, -3, 9]))
    assert raw.tolist() == [0b10101001]
    assert form.decode(raw).tolist() == [1, 0, 0, 1, 0, 1, 0, 1]
    assert form.bits_per_element == 1


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("int4_g128_fp16", 4 + 16 / 128),
        ("uint4_g32_fp32", 4 + 40 / 32),
        ("nf4", 4.5),
        ("mxfp4", 4.25),
        ("mxfp6_e2m3", 6.25),
        ("mxfp8_e5m2", 8.25),
        ("bfp4_b16", 4.5),
        ("pow2_4_b32", 4.25),
        ("ternary_g64", 2.25),
        ("int8_g48_fp16", 8 + 16 / 48),
    ],
)
def test_true_bits_with_overhead(name: str, bits: float):
    form = format_of(name)
    assert form.name == name
    assert form.bits_per_element == pytest.approx(bits, rel=1e-15)


def test_names_are_unique_and_families_check_their_sizes():
    assert len({form.name for form in FORMATS}) == len(FORMATS)
    for name in ("int3_g32_fp16", "int4_g3_fp16", "bfp1_b32", "bfp8_b0", "bfp8_b9999999"):
        with pytest.raises(FormatError, match="expected"):
            format_of(name)
    for name in ("pow2_9_b32", "pow2_4_b9999999", "ternary_g0"):
        with pytest.raises(FormatError, match="expected"):
            format_of(name)
    with pytest.raises(FormatError, match="fp64 scale"):
        SymmetricGroup(4, 32, FP64)
    with pytest.raises(UnsupportedError):
        format_of("int4_g32_fp8")


def test_a_scale_beyond_fp16_is_refused():
    with pytest.raises(FormatError, match="beyond fp16"):
        SymmetricGroup(8, 32, FP16).encode(np.full(32, 1e9))
