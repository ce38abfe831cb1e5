"""One kernel as a Program: what it is given, and what comes back."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.errors import ProgramError
from netwright.program.one_task import Given, one_task
from netwright.program.reference.codes import codes_product, pack_codes, product_words
from netwright.run.native import NativeRuntime
from netwright.run.reference import ReferenceRuntime


def test_inputs_constants_and_outputs() -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(0, 4, (6, 150), dtype=np.uint8)
    codes = rng.integers(0, 4, (35, 150), dtype=np.uint8)
    table = rng.integers(-128, 128, (4, 4), dtype=np.int8)
    raw, scale = pack_codes(codes), rng.standard_normal(35).astype(np.float32)
    given = (
        Given("out", "fp32", (6, 35)),
        Given("x", "uint8", (6, 150)),
        Given("weight", "bytes", (raw.size,), raw),
        Given("scale", "fp32", (35,), scale),
        None,
    )
    parameters = (150, 35, *product_words(table), 1, 0.0, 0.0)  # relu
    program = one_task("matmul_codes", given, parameters, parts=3, repeats=2, threads=2)
    sums = codes_product(x, codes, product_words(table))
    expected = np.maximum(sums * scale.astype(np.float64), 0)
    for runtime in (NativeRuntime(program), ReferenceRuntime(program)):
        found = runtime.call("forward", {"x": x}, {})["out"]
        assert np.allclose(found, expected, rtol=1e-6, atol=0)


def test_rows_of_activations_are_zeros_until_they_are_written() -> None:
    rows = Given("x", "act8x32", (3, 96))
    assert rows.stride_bytes() == (192, 0)
    weight = Given("weight", "q8_0", (8, 96), np.full(8 * 3 * 34, 1, np.uint8))
    out = Given("out", "fp32", (3, 8))
    program = one_task("matmul_quant", (out, rows, weight), (0, 0.0, 0.0))
    assert not NativeRuntime(program).call("forward", {}, {})["out"].any()
    assert Given("a", "fp32", (2, 3, 5)).stride_bytes() == (60, 20, 4)
    assert Given("a", "fp32", (2, 3, 5)).size_bytes() == 120


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ProgramError, match="no rows of 'q8_0'"):
        Given("weight", "q8_0", (8, 33)).stride_bytes()
    with pytest.raises(ProgramError, match="no rows of 'q9'"):
        Given("weight", "q9", (8, 32)).stride_bytes()
    with pytest.raises(ProgramError, match="its shape needs 16"):
        one_task("fill", (Given("a", "fp32", (4,), np.zeros(3, np.float32)),), (0.0,))
    with pytest.raises(ProgramError, match="what it writes"):
        one_task("fill", (None,), (0.0,))
