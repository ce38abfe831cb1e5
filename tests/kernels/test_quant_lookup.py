"""Tables of sums and their product with bit planes: as numpy and matmul_quant have it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.kernels.calls import function, operand

from netwright.errors import ProgramError
from netwright.graph.format import format_of
from netwright.native import core
from netwright.program.reference.activation import (
    decode_activation,
    encode_activation,
    sum_tables,
)
from netwright.program.reference.lookup import (
    lookup_bytes,
    lookup_product,
    pack_lookup,
    unpack_lookup,
)

ACT8X256, LUT4X256 = 41, 42


def random_codes(
    outputs: int, inputs: int, bits: int, seed: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 1 << bits, (outputs, inputs), dtype=np.uint8)
    scales = rng.uniform(-1, 1, (outputs, inputs // 256)).astype(np.float16).astype(np.float32)
    return codes, scales


def random_rows(tokens: int, inputs: int, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((tokens, inputs)).astype(np.float32)


def tables_of(x: NDArray[np.float32], *, avx2: bool = True) -> NDArray[np.uint8]:
    raw = np.zeros((len(x), core.activation_row_bytes(LUT4X256, x.shape[1])), np.uint8)
    core.call("quantize_rows", [tables(raw, x.shape[1]), operand(x)], [], avx2=avx2)
    return raw


def tables(raw: NDArray[np.uint8], inputs: int) -> Any:
    return (raw, LUT4X256, [len(raw), inputs], [raw.strides[0], 0])


def int8_rows(x: NDArray[np.float32]) -> NDArray[np.uint8]:
    raw = np.zeros((len(x), core.activation_row_bytes(ACT8X256, x.shape[1])), np.uint8)
    core.call("quantize_rows", [int8s(raw, x.shape[1]), operand(x)], [])
    return raw


def int8s(raw: NDArray[np.uint8], inputs: int) -> Any:
    return (raw, ACT8X256, [len(raw), inputs], [raw.strides[0], 0])


KINDS = ("normal", "outliers", "equal", "zeros", "largest")


def rows_of(kind: str, tokens: int, inputs: int, seed: int) -> NDArray[np.float32]:
    """Activations of which no, few, many or all groups have sums above a byte."""
    rng = np.random.default_rng(seed)
    if kind == "equal":
        return rng.choice([-1.0, 1.0], (tokens, inputs)).astype(np.float32)
    x = rng.standard_normal((tokens, inputs)).astype(np.float32)
    if kind == "outliers":
        x[:, :: inputs // 2] *= 50
    return x * {"zeros": 0, "largest": np.float32(1e36)}.get(kind, np.float32(1))


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(KINDS), st.integers(1, 5), st.integers(1, 3), st.integers(0, 1000))
def test_tables_are_the_bits_of_the_reference_however_they_are_made(
    kind: str, tokens: int, blocks: int, seed: int
) -> None:
    x = rows_of(kind, tokens, 256 * blocks, seed)
    expected = encode_activation(x, "lut4x256")
    assert np.array_equal(sum_tables(int8_rows(x), x.shape[1]), expected)
    for avx2 in (True, False):
        assert np.array_equal(tables_of(x, avx2=avx2), expected)
        for parts in (1, 3):
            raw = np.full_like(expected, 255)
            both = [tables(raw, x.shape[1]), int8s(int8_rows(x), x.shape[1])]
            for part in range(parts):
                core.call("quantize_rows", both, [], part, parts, avx2)
            assert np.array_equal(raw, expected)


@settings(max_examples=40, deadline=None)
@given(
    form=st.sampled_from((26, 27)),
    kind=st.sampled_from(KINDS),
    tokens=st.integers(1, 9),
    outputs=st.integers(8, 101),
    blocks=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_ternary_weights_laid_anew_give_the_bits_of_unpacking_them(
    form: int, kind: str, tokens: int, outputs: int, blocks: int, seed: int
) -> None:
    """Any bytes are ternary weights; code 3 of tq2_0 too, which no writer makes."""
    inputs, block = 256 * blocks, {26: 54, 27: 66}[form]
    rng = np.random.default_rng(seed)
    weight = rng.integers(0, 256, (outputs, blocks, block), dtype=np.uint8)
    scales = rng.uniform(-1, 1, (outputs, blocks, 1)).astype(np.float16)
    weight[..., -2:] = scales.view(np.uint8)
    weight = weight.reshape(outputs, -1)
    x = rows_of(kind, tokens, inputs, seed)
    unpacked = np.zeros((tokens, outputs), np.float32)
    looked_up = np.full_like(unpacked, np.nan)
    last = [None, None]
    shipped = (weight, form, [outputs, inputs], [weight.strides[0], 0])
    given_ = [operand(unpacked), int8s(int8_rows(x), inputs), shipped, *last]
    core.call("matmul_quant", given_, function("identity"))
    packed = np.frombuffer(core.pack_lookup(weight.reshape(-1), form, outputs, inputs), np.uint8)
    planes = (packed, 63, [packed.size], [1])
    given_ = [operand(looked_up), tables(tables_of(x), inputs), planes, *last]
    for part in range(2):
        core.call("matmul_lookup", given_, [inputs, outputs, 2, 1, *function("identity")], part, 2)
    assert np.array_equal(unpacked.view(np.int32), looked_up.view(np.int32))


def test_packing_in_the_core_is_that_of_the_reference() -> None:
    form = format_of("tq2_0")
    rng = np.random.default_rng(4)
    raw = form.encode(rng.standard_normal((45, 512))).reshape(45, 2, 66)
    scales = np.ascontiguousarray(raw[..., 64:]).view(np.float16)[..., 0]
    values = form.decode(raw.reshape(-1)).reshape(45, 2, 256)
    codes = np.rint(values / scales[..., None].astype(np.float64)) + 1
    expected = pack_lookup(codes.reshape(45, 512).astype(np.uint8), scales, 2)
    found = core.pack_lookup(np.ascontiguousarray(raw).reshape(-1), 27, 45, 512)
    assert np.array_equal(np.frombuffer(found, np.uint8), expected)
    for bad in ((np.zeros(65, np.uint8), 27, 1, 256), (np.zeros(66, np.uint8), 23, 1, 256)):
        with pytest.raises(ValueError, match=r"only tq1_0|not those"):
            core.pack_lookup(*bad)


@settings(max_examples=40, deadline=None)
@given(
    bits=st.integers(1, 4),
    kind=st.sampled_from(KINDS[:-1]),
    tokens=st.integers(1, 9),
    outputs=st.integers(1, 101),
    blocks=st.integers(1, 3),
    extra=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_products_are_alike_and_those_of_numpy(
    bits: int, kind: str, tokens: int, outputs: int, blocks: int, extra: bool, seed: int
) -> None:
    inputs, zero = 256 * blocks, (1 << bits) // 2
    codes, scales = random_codes(outputs, inputs, bits, seed)
    x = rows_of(kind, tokens, inputs, seed + 1)
    raw, entries = pack_lookup(codes, scales, bits), tables_of(x)
    bias = random_rows(1, outputs, seed + 2)[0] if extra else None
    residual = random_rows(tokens, outputs, seed + 3) if extra else None
    found: list[NDArray[np.float32]] = []
    for avx2, parts in ((False, 1), (True, 1), (True, 3)):
        out = np.full((tokens, outputs), np.nan, np.float32)
        weight = (raw, 63, [raw.size], [1])
        given_ = [operand(out), tables(entries, inputs), weight, operand(bias), operand(residual)]
        name = "relu" if extra else "identity"
        parameters = [inputs, outputs, bits, zero, *function(name)]
        for part in range(parts):
            core.call("matmul_lookup", given_, parameters, part, parts, avx2)
        found.append(out)
    for other in found[1:]:
        assert np.array_equal(found[0].view(np.int32), other.view(np.int32))
    weight = (codes.astype(np.float64) - zero) * np.repeat(scales, 256, axis=1)
    rounded = decode_activation(int8_rows(x), "act8x256", inputs)
    expected = lookup_product(entries, codes, scales, bits, zero)
    size = (np.abs(x).sum(axis=1) + 1)[:, None] * (1 << bits)
    assert np.all(np.abs(expected - rounded @ weight.T) <= size * 2.0**-40)
    if extra:
        assert bias is not None and residual is not None
        expected = np.maximum(expected + bias + residual, 0)
    assert np.all(np.abs(found[0] - expected) <= size * 2.0**-20)


@given(st.integers(1, 4), st.integers(1, 70), st.integers(1, 2), st.integers(0, 99))
def test_packing_round_trips(bits: int, outputs: int, blocks: int, seed: int) -> None:
    codes, scales = random_codes(outputs, 256 * blocks, bits, seed)
    raw = pack_lookup(codes, scales, bits)
    assert raw.size == lookup_bytes(outputs, 256 * blocks, bits)
    again, same = unpack_lookup(raw, outputs, 256 * blocks, bits)
    assert np.array_equal(codes, again)
    assert np.array_equal(scales, same)


def test_what_does_not_fit_is_refused() -> None:
    codes, scales = random_codes(8, 256, 2, 1)
    with pytest.raises(ProgramError, match="code 3 has more than 1 bits"):
        pack_lookup(np.full_like(codes, 3), scales, 1)
    with pytest.raises(ProgramError, match="multiple of 256"):
        pack_lookup(codes[:, :128], scales, 2)
    raw = pack_lookup(codes, scales, 2)
    with pytest.raises(ProgramError, match="its sizes need"):
        unpack_lookup(raw[:-1], 8, 256, 2)
    out, entries = np.zeros((1, 8), np.float32), tables_of(random_rows(1, 256, 1))
    for parameters, match in (
        ([256, 8, 5, 1], "1 to 4 bits"),
        ([256, 8, 2, 16], "is no code"),
        ([512, 8, 2, 1], "do not agree"),
        ([256, 8, 3, 1], "too short"),
    ):
        operands = [operand(out), tables(entries, 256), (raw, 63, [raw.size], [1])]
        with pytest.raises(ValueError, match=match):
            core.call("matmul_lookup", operands, [*parameters, *function("identity")])
