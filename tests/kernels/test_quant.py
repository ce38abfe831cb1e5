"""Opcodes 1-5 against numpy in float64, the two forms against each other bit for bit."""

from __future__ import annotations

from typing import Any

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from netwright.native import core
from netwright.program.reference.activation import encode_activation

FP32, FP16, INT32, INT64, ACT8X32, ACT8X256 = 0, 1, 7, 8, 40, 41
IDENTITY, RELU, SILU = 0, 1, 9

# name → (code, elements, bytes, code of its activations, offsets of the fp16 scales)
FORMATS: dict[str, tuple[int, int, int, int, tuple[int, ...]]] = {
    "q4_0": (16, 32, 18, ACT8X32, (0,)),
    "q4_1": (17, 32, 20, ACT8X32, (0, 2)),
    "q5_0": (18, 32, 22, ACT8X32, (0,)),
    "q5_1": (19, 32, 24, ACT8X32, (0, 2)),
    "q8_0": (20, 32, 34, ACT8X32, (0,)),
    "q2_k": (21, 256, 84, ACT8X256, (80, 82)),
    "q3_k": (22, 256, 110, ACT8X256, (108,)),
    "q4_k": (23, 256, 144, ACT8X256, (0, 2)),
    "q5_k": (24, 256, 176, ACT8X256, (0, 2)),
    "q6_k": (25, 256, 210, ACT8X256, (208,)),
    "tq1_0": (26, 256, 54, ACT8X256, (52,)),
    "tq2_0": (27, 256, 66, ACT8X256, (64,)),
}

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


def plain(array: NDArray[Any], code: int = FP32) -> tuple[NDArray[Any], int, list[int], list[int]]:
    return array, code, list(array.shape), list(array.strides)


def rows(raw: Bytes, code: int, inputs: int) -> tuple[Bytes, int, list[int], list[int]]:
    return raw, code, [raw.shape[0], inputs], [raw.strides[0], 0]


def random_weight(name: str, outputs: int, inputs: int, seed: int) -> Bytes:
    """Any bytes at all, but for the fp16 scales, which are kept finite."""
    _, elements, block_bytes, _, scales = FORMATS[name]
    random = np.random.default_rng(seed)
    raw = random.integers(0, 256, (outputs, inputs // elements, block_bytes), dtype=np.uint8)
    for offset in scales:
        values = random.uniform(-1, 1, (*raw.shape[:2], 1)).astype(np.float16)
        raw[:, :, offset : offset + 2] = values.view(np.uint8)
    return raw.reshape(outputs, -1)


def decoded(name: str, raw: Bytes) -> NDArray[np.float64]:
    kind = getattr(gguf.GGMLQuantizationType, name.upper())
    return gguf.quants.dequantize(raw, kind).astype(np.float64)


def random_rows(tokens: int, inputs: int, seed: int) -> Floats:
    return np.random.default_rng(seed).standard_normal((tokens, inputs)).astype(np.float32)


def quantized(x: Floats, code: int, *, avx2: bool = True) -> Bytes:
    out = np.zeros((len(x), core.activation_row_bytes(code, x.shape[1])), np.uint8)
    core.call("quantize_rows", [rows(out, code, x.shape[1]), plain(x)], [], avx2=avx2)
    return out


def activation_values(raw: Bytes, code: int, inputs: int) -> NDArray[np.float64]:
    """What the int8 rows stand for."""
    block = 32 if code == ACT8X32 else 256
    q = raw[:, :inputs].view(np.int8).astype(np.float64)
    at = inputs if code == ACT8X32 else inputs + inputs // 8
    scale = raw[:, at : at + inputs // block * 4].copy().view(np.float32).astype(np.float64)
    return q * np.repeat(scale, block, axis=1)


@pytest.mark.parametrize("code", [ACT8X32, ACT8X256])
def test_quantized_rows_are_within_half_a_step_and_alike(code: int) -> None:
    x = random_rows(5, 768, 1)
    x[2] = 0.0
    fast, slow = quantized(x, code), quantized(x, code, avx2=False)
    assert np.array_equal(fast, slow)
    block = 32 if code == ACT8X32 else 256
    step = np.repeat(np.abs(x).reshape(5, -1, block).max(axis=2) / 127, block, axis=1)
    # half a step of rounding; the fp16 rounding of the scale moves a q of 127 by 127 * 2^-11 more
    bound = step * (0.5 + 127 * 2.0**-11 + 1e-4)
    assert np.all(np.abs(activation_values(fast, code, 768) - x) <= bound)


@pytest.mark.parametrize("code", [ACT8X32, ACT8X256])
def test_quantized_rows_are_the_bits_of_the_reference(code: int) -> None:
    x = random_rows(64, 1536, 3) * np.ldexp(np.float32(1), np.arange(-32, 32))[:, None]
    x[5], x[6, 40:] = 0.0, 0.0
    name = "act8x32" if code == ACT8X32 else "act8x256"
    with np.errstate(over="ignore"):  # scales beyond fp16
        expected = encode_activation(x, name)
    assert np.array_equal(quantized(x, code), expected)


def test_sums_of_quantized_rows() -> None:
    x = random_rows(3, 512, 2)
    small, large = quantized(x, ACT8X32), quantized(x, ACT8X256)
    q = small[:, :512].view(np.int8).astype(np.int32).reshape(3, 16, 32)
    assert np.array_equal(small[:, 576:640].copy().view(np.int32), q.sum(axis=2))
    q = large[:, :512].view(np.int8).astype(np.int32).reshape(3, 32, 16)
    assert np.array_equal(large[:, 512:576].copy().view(np.int16), q.sum(axis=2))


def product(name: str, x: Bytes, raw: Bytes, inputs: int, *, avx2: bool, parts: int = 1) -> Floats:
    code, _, _, act, _ = FORMATS[name]
    out = np.full((len(x), len(raw)), np.nan, np.float32)
    operands = [plain(out), rows(x, act, inputs), rows(raw, code, inputs)]
    for part in range(parts):
        core.call("matmul_quant", operands, [IDENTITY, 0.0, 0.0], part, parts, avx2)
    return out


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=12, deadline=None)
@given(
    tokens=st.integers(1, 30),
    outputs=st.integers(1, 43),
    blocks=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_products(name: str, tokens: int, outputs: int, blocks: int, seed: int) -> None:
    _, elements, _, act, _ = FORMATS[name]
    inputs = blocks * elements
    raw = random_weight(name, outputs, inputs, seed)
    x = quantized(random_rows(tokens, inputs, seed + 1), act)
    fast = product(name, x, raw, inputs, avx2=True)
    assert np.array_equal(
        fast.view(np.int32), product(name, x, raw, inputs, avx2=False).view(np.int32)
    )
    values, weight = activation_values(x, act, inputs), decoded(name, raw)
    # fp32 rounding of each of the sums; and of ggml's fp16 sum of a block, where minimums meet it
    bound = 4e-6 * (np.abs(values) @ np.abs(weight).T) + 1e-6
    if name in ("q4_1", "q5_1"):
        sums = np.abs(values.reshape(tokens, blocks, 32).sum(axis=2)) * (2.0**-9) + 1e-6
        minimum = raw.reshape(outputs, blocks, -1)[:, :, 2:4].copy().view(np.float16)[:, :, 0]
        bound = bound + sums @ np.abs(minimum.astype(np.float64)).T
    assert np.all(np.abs(fast - values @ weight.T) <= bound * 4)


@pytest.mark.parametrize("name", FORMATS)
def test_any_cut_and_any_number_of_tokens_give_the_same_bits(name: str) -> None:
    _, _, _, act, _ = FORMATS[name]
    raw = random_weight(name, 61, 512, 3)
    # more than are widened at once, and than are unpacked in registers
    x = quantized(random_rows(150, 512, 4), act)
    whole = product(name, x, raw, 512, avx2=True)
    assert np.array_equal(whole, product(name, x, raw, 512, avx2=False))
    assert np.array_equal(whole, product(name, x, raw, 512, avx2=True, parts=5))
    for tokens in (1, 2, 3, 4, 5, 7, 8, 9, 11, 16, 24, 25, 129):
        assert np.array_equal(whole[:tokens], product(name, x[:tokens], raw, 512, avx2=True))


def test_more_rows_than_meet_several_turns_of_tokens_at_once() -> None:
    raw = random_weight("q8_0", 2 * 176 + 5, 512, 19)
    x = quantized(random_rows(11, 512, 20), ACT8X32)
    slow = product("q8_0", x, raw, 512, avx2=False)
    assert np.array_equal(slow, product("q8_0", x, raw, 512, avx2=True))


@pytest.mark.parametrize("avx2", [False, True])
@pytest.mark.parametrize(
    ("name", "tokens"), [("q4_1", 3), ("q4_1", 7), ("q8_0", 13), ("q8_0", 140)]
)
def test_bias_residual_and_function(name: str, tokens: int, avx2: bool) -> None:
    raw = random_weight(name, 21, 96, 5)
    x = quantized(random_rows(tokens, 96, 6), ACT8X32)
    bias, residual = random_rows(1, 21, 7)[0], random_rows(tokens, 40, 8)[:, :21]
    plain_product = product(name, x, raw, 96, avx2=avx2)
    expected = np.maximum(plain_product + bias + residual, 0)
    out = residual  # strided, and its own residual
    weight = rows(raw, FORMATS[name][0], 96)
    operands = [plain(out), rows(x, ACT8X32, 96), weight, plain(bias), plain(residual)]
    for part in range(3):
        core.call("matmul_quant", operands, [RELU, 0.0, 0.0], part, 3, avx2)
    assert np.array_equal(out, expected)


def test_strided_weights() -> None:
    raw = random_weight("q8_0", 24, 64, 9)
    wide = np.zeros((24, raw.shape[1] + 6), np.uint8)
    wide[:, : raw.shape[1]] = raw
    x = quantized(random_rows(2, 64, 10), ACT8X32)
    assert np.array_equal(
        product("q8_0", x, raw, 64, avx2=True), product("q8_0", x, wide, 64, avx2=True)
    )


@pytest.mark.parametrize("avx2", [False, True])
@pytest.mark.parametrize("name", FORMATS)
def test_gathered_rows_are_the_decoded_ones(name: str, avx2: bool) -> None:
    raw = random_weight(name, 7, 512, 11)
    ids = np.array([3, 0, 6, 3, 99, -5], np.int32)
    out = np.zeros((6, 512), np.float32)
    core.call(
        "gather_rows",
        [plain(out), rows(raw, FORMATS[name][0], 512), plain(ids, INT32)],
        [0.5],
        avx2=avx2,
    )
    expected = decoded(name, raw)[np.clip(ids, 0, 6)] * 0.5
    np.testing.assert_allclose(out, expected, rtol=1e-6, atol=1e-4 if name[-1] == "k" else 1e-7)


def test_gathered_plain_rows() -> None:
    table = random_rows(5, 33, 12)
    ids = np.array([4, 1], np.int64)
    for code, cast in ((FP32, table), (FP16, table.astype(np.float16))):
        out = np.zeros((2, 33), np.float32)
        core.call("gather_rows", [plain(out), plain(cast, code), plain(ids, INT64)], [1.0])
        assert np.array_equal(out, cast[ids].astype(np.float32))


@pytest.mark.parametrize("avx2", [False, True])
@pytest.mark.parametrize("inputs", [32, 576, 1000])
def test_rms_norm(inputs: int, avx2: bool) -> None:
    x, weight = random_rows(4, inputs, 13), random_rows(1, inputs, 14)[0]
    out = np.zeros_like(x)
    core.call("rms_norm", [plain(out), plain(x), plain(weight)], [1e-5], 0, 1, avx2)
    wide = x.astype(np.float64)
    expected = wide / np.sqrt((wide**2).mean(axis=1, keepdims=True) + 1e-5) * weight
    np.testing.assert_allclose(out, expected, rtol=4e-7)
    if inputs % 32 == 0:
        packed = np.zeros((4, core.activation_row_bytes(ACT8X32, inputs)), np.uint8)
        operands = [rows(packed, ACT8X32, inputs), plain(x), plain(weight)]
        core.call("rms_norm", operands, [1e-5], 0, 1, avx2)
        assert np.array_equal(packed, quantized(out, ACT8X32))


@pytest.mark.parametrize("avx2", [False, True])
@pytest.mark.parametrize("inputs", [64, 1536])
def test_glu(inputs: int, avx2: bool) -> None:
    gate, up = random_rows(3, inputs, 15), random_rows(3, inputs, 16)
    out = np.zeros_like(gate)
    for part in range(2):
        core.call("glu", [plain(out), plain(gate), plain(up)], [SILU, 0.0, 0.0], part, 2, avx2)
    wide = gate.astype(np.float64)
    np.testing.assert_allclose(out, wide / (1 + np.exp(-wide)) * up, rtol=2e-6, atol=1e-12)
    code = ACT8X256 if inputs % 256 == 0 else ACT8X32
    packed = np.zeros((3, core.activation_row_bytes(code, inputs)), np.uint8)
    core.call(
        "glu", [rows(packed, code, inputs), plain(gate), plain(up)], [SILU, 0.0, 0.0], 0, 1, avx2
    )
    assert np.array_equal(packed, quantized(out, code))


def test_bad_products_are_refused() -> None:
    raw = random_weight("q4_1", 8, 64, 17)
    x = quantized(random_rows(2, 64, 18), ACT8X32)
    out = np.zeros((2, 8), np.float32)
    good = [plain(out), rows(x, ACT8X32, 64), rows(raw, 17, 64)]
    none = [IDENTITY, 0.0, 0.0]
    core.call("matmul_quant", good, none)
    for index, bad, message in (
        (0, plain(np.zeros((2, 9), np.float32)), "shape of out"),
        (0, plain(np.zeros((2, 8), np.float16), FP16), "wrong format"),
        (1, rows(quantized(random_rows(2, 256, 1), ACT8X256), ACT8X256, 256), "other act8"),
        (1, rows(quantized(random_rows(2, 96, 1), ACT8X32), ACT8X32, 96), "do not agree"),
        (2, rows(raw, FP32, 8), "block"),
        (2, (raw, 17, [8, 64], [40, 1]), "innermost"),
        (2, (raw, 17, [8, 64], [20, 0]), "stride"),
    ):
        operands: list[Any] = list(good)
        operands[index] = bad
        with pytest.raises(ValueError, match=message):
            core.call("matmul_quant", operands, none)
    with pytest.raises(ValueError, match="function"):
        core.call("matmul_quant", good, [99, 0.0, 0.0])
    with pytest.raises(ValueError, match="outside"):
        core.call("matmul_quant", [*good[:2], rows(raw[:, :-1], 17, 64)], none)
