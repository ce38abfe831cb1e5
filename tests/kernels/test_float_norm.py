"""softmax, layer_norm and reduce against numpy float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.native import core

from .calls import operand, run_all

REDUCTIONS = {
    "sum": lambda x: x.sum(1),
    "mean": lambda x: x.mean(1),
    "max": lambda x: x.max(1),
    "min": lambda x: x.min(1),
    "prod": lambda x: x.prod(1),
    "l1": lambda x: np.abs(x).sum(1),
    "l2": lambda x: np.sqrt(np.square(x).sum(1)),
    "sum_square": lambda x: np.square(x).sum(1),
}
widths = st.sampled_from([1, 2, 7, 8, 9, 31, 64, 300])


@settings(max_examples=30, deadline=None)
@given(
    rows=st.integers(0, 5),
    width=widths,
    log=st.booleans(),
    scale=st.sampled_from([1.0, 60.0]),
    seed=st.integers(0, 99),
)
def test_softmax(rows: int, width: int, log: bool, scale: float, seed: int) -> None:
    x = (np.random.default_rng(seed).standard_normal((rows, width + 3)) * scale).astype(np.float32)[
        :, :width
    ]
    shifted = x.astype(np.float64) - x.max(1, keepdims=True)
    expected = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    for (out,) in run_all(
        "softmax", lambda: [np.full((rows, width), np.nan, np.float32)], [x], [int(log)]
    ):
        if log:
            np.testing.assert_allclose(out, expected, rtol=3e-7, atol=1e-6)
        else:
            # Rounding x - max to fp32 is amplified by the exponential.
            bound = np.exp(expected) * (np.abs(shifted) + 16) * 2.0**-23 + 1e-37
            assert (np.abs(out - np.exp(expected)) <= bound).all()


def test_softmax_of_masked_entries_is_zero() -> None:
    x = np.full((2, 11), -np.inf, np.float32)
    x[:, 3:5] = 2.0
    for (out,) in run_all("softmax", lambda: [np.empty_like(x)], [x], [0]):
        np.testing.assert_array_equal(out, np.where(np.isinf(x), 0, np.float32(0.5)))


@settings(max_examples=30, deadline=None)
@given(
    rows=st.integers(0, 5),
    width=widths,
    bias=st.booleans(),
    residual=st.booleans(),
    seed=st.integers(0, 99),
)
def test_layer_norm(rows: int, width: int, bias: bool, residual: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, other = (rng.standard_normal((rows, width)).astype(np.float32) + 3 for _ in range(2))
    scale, shift = rng.standard_normal((2, width)).astype(np.float32)
    total = x.astype(np.float64) + (other if residual else 0)
    centred = total - total.mean(1, keepdims=True)
    expected = centred / np.sqrt(np.square(centred).mean(1, keepdims=True) + 1e-5) * scale + (
        shift if bias else 0
    )
    # Rounding of the mean (about 6) is amplified by 1 / deviation.
    atol = 3e-5 if width > 2 else 2e-3
    outs = run_all(
        "layer_norm",
        lambda: [np.full((rows, width), np.nan, np.float32)],
        [x, scale, shift if bias else None, other if residual else None],
        [1e-5],
    )
    for (out,) in outs:
        np.testing.assert_allclose(out, expected, rtol=1e-5, atol=atol)


@settings(max_examples=80, deadline=None)
@given(
    name=st.sampled_from(sorted(REDUCTIONS)),
    outer=st.integers(1, 3),
    middle=st.sampled_from([1, 2, 9, 65, 700]),
    inner=st.sampled_from([1, 2, 8, 33, 64]),
    order=st.permutations(range(3)),
    seed=st.integers(0, 99),
)
def test_reduce(
    name: str, outer: int, middle: int, inner: int, order: list[int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    shape = (outer, middle, inner)
    x = (
        rng.standard_normal([shape[d] for d in order])
        .astype(np.float32)
        .transpose(np.argsort(order))
    )
    if name == "prod":
        x = np.sign(x) + x / 512
    wide = x.astype(np.float64)
    expected = REDUCTIONS[name](wide)
    # Blocks of 64: error <= (64 + middle / 64 + 8) roundings of the sum of magnitudes.
    bound = (
        (80 + middle / 64) * 2.0**-24 * REDUCTIONS["l1"](wide if name != "sum_square" else wide**2)
    )
    if name == "prod":
        bound = middle * 2.0**-23 * np.abs(expected)
    if name in ("max", "min"):
        bound = np.zeros_like(expected)
    outs = run_all(
        "reduce",
        lambda: [np.full((outer, inner), np.nan, np.float32)],
        [x],
        [list(REDUCTIONS).index(name)],
    )
    for (out,) in outs:
        assert (np.abs(out - expected) <= bound).all()


def test_a_mean_over_many_keeps_its_digits() -> None:
    x = np.full((1, 100_000, 8), 0.1, np.float32)
    for (out,) in run_all("reduce", lambda: [np.empty((1, 8), np.float32)], [x], [1]):
        np.testing.assert_allclose(out, 0.1, rtol=3e-6)


@pytest.mark.parametrize(
    ("name", "shapes", "parameters", "message"),
    [
        ("softmax", [(2, 3), (2, 4)], [0], "shapes"),
        ("softmax", [(2, 0), (2, 0)], [0], "empty"),
        ("softmax", [(2, 3), (2, 3)], [2], "log"),
        ("layer_norm", [(2, 3), (2, 3), (4,)], [1e-5], "vector"),
        ("layer_norm", [(2, 3), (2, 3), (3,), (3,), (2, 4)], [1e-5], "residual"),
        ("reduce", [(2, 3), (2, 4, 5)], [0], "outer"),
        ("reduce", [(2, 5), (2, 4, 5)], [8], "code"),
        ("reduce", [(2, 5), (2, 20)], [0], "rank"),
    ],
)
def test_refuses(
    name: str, shapes: list[tuple[int, ...]], parameters: list[int | float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        core.call(name, [operand(np.zeros(shape, np.float32)) for shape in shapes], parameters)
