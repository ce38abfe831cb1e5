"""Tables of signed sums and their product with bit planes: against numpy, and in both forms."""

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
from netwright.program.reference.activation import encode_activation
from netwright.program.reference.lookup import (
    lookup_bytes,
    lookup_product,
    pack_lookup,
    unpack_lookup,
)

LUT4X256 = 42


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


def test_tables_are_the_bits_of_the_reference_in_both_forms() -> None:
    x = random_rows(32, 768, 3) * np.ldexp(np.float32(1), np.arange(-16, 16))[:, None]
    x[5], x[6, 40:] = 0.0, 0.0
    assert np.array_equal(tables_of(x), encode_activation(x, "lut4x256"))
    assert np.array_equal(tables_of(x), tables_of(x, avx2=False))


@settings(max_examples=40, deadline=None)
@given(
    bits=st.integers(1, 4),
    tokens=st.integers(1, 5),
    outputs=st.integers(1, 101),
    blocks=st.integers(1, 3),
    extra=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_products_are_alike_and_those_of_numpy(
    bits: int, tokens: int, outputs: int, blocks: int, extra: bool, seed: int
) -> None:
    inputs, zero = 256 * blocks, (1 << bits) / 2 - 0.5 * (bits == 1)
    codes, scales = random_codes(outputs, inputs, bits, seed)
    x = random_rows(tokens, inputs, seed + 1)
    raw, entries = pack_lookup(codes, scales, bits), tables_of(x)
    bias = random_rows(1, outputs, seed + 2)[0] if extra else None
    residual = random_rows(tokens, outputs, seed + 3) if extra else None
    found: list[NDArray[np.float32]] = []
    for avx2, parts in ((False, 1), (True, 1), (True, 3)):
        out = np.full((tokens, outputs), np.nan, np.float32)
        weight = (raw, 63, [raw.size], [1])
        given_ = [operand(out), tables(entries, inputs), weight, operand(bias), operand(residual)]
        name = "relu" if extra else "identity"
        parameters = [inputs, outputs, bits, float(zero), *function(name)]
        for part in range(parts):
            core.call("matmul_lookup", given_, parameters, part, parts, avx2)
        found.append(out)
    for other in found[1:]:
        assert np.array_equal(found[0].view(np.int32), other.view(np.int32))
    expected = lookup_product(entries, codes, scales, bits, zero)
    if extra:
        assert bias is not None and residual is not None
        expected = np.maximum(expected + bias + residual, 0)
    size = (np.abs(x).sum(axis=1) + 1)[:, None] * (1 << bits)
    assert np.all(np.abs(found[0] - expected) <= size * 2.0**-20)
    # Tables err by half a step of an entry, for each group and plane.
    weight = (codes - zero) * np.repeat(scales, 256, axis=1)
    step = np.abs(x).reshape(tokens, -1, 64, 4).sum(axis=3).max(axis=2) / 127
    bound = 0.5 * 0.5 * 64 * ((1 << bits) - 1) * (step[:, None] * np.abs(scales)).sum(axis=2)
    plain = lookup_product(entries, codes, scales, bits, zero)
    assert np.all(np.abs(plain - x @ weight.T) <= bound * 1.001 + 1e-4)


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
        ([256, 8, 5, 1.0], "1 to 4 bits"),
        ([256, 8, 2, float("nan")], "not finite"),
        ([512, 8, 2, 1.0], "do not agree"),
        ([256, 8, 3, 1.0], "too short"),
    ):
        operands = [operand(out), tables(entries, 256), (raw, 63, [raw.size], [1])]
        with pytest.raises(ValueError, match=match):
            core.call("matmul_lookup", operands, [*parameters, *function("identity")])
