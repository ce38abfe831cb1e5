"""gemm_packed against numpy float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.native import core

from .calls import function, operand, run_all


def test_packed_layout_pads_outputs_to_eight_and_widens_the_last_panel() -> None:
    weight = np.arange(21 * 2, dtype=np.float32).reshape(21, 2)
    packed = np.frombuffer(core.pack_gemm(weight), np.float32)
    assert packed.nbytes == core.packed_bytes(21, 2) == 24 * 2 * 4
    np.testing.assert_array_equal(packed.reshape(2, 24)[:, :21], weight.T)
    assert not packed.reshape(2, 24)[:, 21:].any()


def test_a_transposed_weight_packs_as_its_copy_does() -> None:
    weight = np.random.default_rng(0).standard_normal((13, 37)).astype(np.float32)
    assert core.pack_gemm(weight.T) == core.pack_gemm(np.ascontiguousarray(weight.T))


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(0, 30),
    inputs=st.sampled_from([1, 3, 16, 50, 130, 1100]),
    outputs=st.integers(1, 90),
    has_bias=st.booleans(),
    has_residual=st.booleans(),
    name=st.sampled_from(["identity", "relu", "clip", "gelu", "hard_swish"]),
    pitch=st.integers(0, 5),
    seed=st.integers(0, 99),
)
def test_equals_float64(
    rows: int,
    inputs: int,
    outputs: int,
    has_bias: bool,
    has_residual: bool,
    name: str,
    pitch: int,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, inputs + pitch)).astype(np.float32)[:, :inputs]
    weight = rng.standard_normal((outputs, inputs)).astype(np.float32)
    bias = rng.standard_normal(outputs).astype(np.float32) if has_bias else None
    residual = rng.standard_normal((rows, outputs)).astype(np.float32) if has_residual else None
    exact = x.astype(np.float64) @ weight.T.astype(np.float64)
    exact = exact + (0 if bias is None else bias) + (0 if residual is None else residual)
    exact = {
        "identity": lambda v: v,
        "relu": lambda v: np.maximum(v, 0),
        "clip": lambda v: np.clip(v, -0.5, 0.75),
        "gelu": lambda v: (
            v * 0.5 * (1 + np.vectorize(__import__("math").erf, otypes=[float])(v / 2**0.5))
        ),
        "hard_swish": lambda v: v * np.clip(v / 6 + 0.5, 0, 1),
    }[name](exact)
    # k products and sums round: |error| <= k 2^-24 sum |x w|; f is 1.2-Lipschitz here.
    bound = (inputs + 4) * 2.0**-23 * (np.abs(x).astype(np.float64) @ np.abs(weight).T + 4) + 1e-6
    outs = run_all(
        "gemm_packed",
        lambda: [np.full((rows, outputs + pitch), np.nan, np.float32)[:, :outputs]],
        [x, core.pack_gemm(weight), bias, residual],
        [inputs, outputs, *function(name, -0.5, 0.75)],
    )
    for (out,) in outs:
        assert (np.abs(out - exact) <= bound).all()


def test_out_may_be_the_residual_and_rows_do_not_depend_on_their_number() -> None:
    rng = np.random.default_rng(1)
    x, weight = (
        rng.standard_normal((9, 700)).astype(np.float32),
        rng.standard_normal((40, 700)).astype(np.float32),
    )
    residual, packed = rng.standard_normal((9, 40)).astype(np.float32), core.pack_gemm(weight)
    parameters = [700, 40, *function("identity")]
    alone = np.empty((9, 40), np.float32)
    core.call(
        "gemm_packed", [operand(each) for each in (alone, x, packed, None, residual)], parameters
    )
    inplace = residual.copy()
    core.call(
        "gemm_packed", [operand(each) for each in (inplace, x, packed, None, inplace)], parameters
    )
    np.testing.assert_array_equal(alone, inplace)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": 5}, "shapes"),
        ({"outputs": 9}, "shapes"),
        ({"weight": bytes(8)}, "too short"),
        ({"bias": np.zeros(3, np.float32)}, "vector"),
        ({"residual": np.zeros((2, 3), np.float32)}, "residual"),
        ({"code": 99}, "function"),
        ({"code": 31}, "float result"),
        ({"x": np.zeros((2, 8), np.float32)[:, ::2]}, "contiguous"),
        ({"x": np.zeros((2, 4), np.float64)}, "format"),
        ({"x": np.zeros((3, 4), np.float32)}, "shapes"),
    ],
)
def test_refuses(change: dict[str, object], message: str) -> None:
    base: dict[str, object] = {
        "inputs": 4,
        "outputs": 8,
        "code": 0,
        "bias": None,
        "residual": None,
        "x": np.zeros((2, 4), np.float32),
        "weight": core.pack_gemm(np.zeros((8, 4), np.float32)),
    }
    case = base | change
    operands = [
        np.zeros((2, 8), np.float32),
        case["x"],
        case["weight"],
        case["bias"],
        case["residual"],
    ]
    with pytest.raises(ValueError, match=message):
        core.call(
            "gemm_packed",
            [operand(o) for o in operands],
            [case["inputs"], case["outputs"], case["code"], 0.0, 0.0],
        )  # type: ignore[arg-type]
