"""matmul_batched against numpy float64 and the graph kind's rule on broadcasting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.native import core

from .calls import Array, operand, run_all


def strided(rng: np.random.Generator, shape: tuple[int, ...], kind: str) -> Array:
    """Random values laid out plain, with the last two dims swapped, outermost last, or stepped."""
    if kind == "swapped":
        return (
            rng.standard_normal((*shape[:-2], shape[-1], shape[-2])).astype("f4").swapaxes(-1, -2)
        )
    if kind == "outer_last":
        return np.moveaxis(rng.standard_normal((*shape[1:], shape[0])).astype("f4"), -1, 0)
    if kind == "stepped":
        return rng.standard_normal((*shape[:-1], shape[-1] * 3)).astype("f4")[..., ::3]
    return rng.standard_normal(shape).astype("f4")


kinds = st.sampled_from(["plain", "swapped", "outer_last", "stepped"])


@settings(max_examples=60, deadline=None)
@given(
    batch=st.lists(st.integers(1, 3), max_size=3).map(tuple),
    rows=st.integers(0, 20),
    inputs=st.sampled_from([0, 1, 5, 8, 40, 800]),
    outputs=st.sampled_from([1, 7, 8, 16, 23, 40]),
    kind_a=kinds,
    kind_b=kinds,
    shared=st.booleans(),
    seed=st.integers(0, 99),
)
def test_equals_float64(
    batch: tuple[int, ...],
    rows: int,
    inputs: int,
    outputs: int,
    kind_a: str,
    kind_b: str,
    shared: bool,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    a = strided(rng, (*batch, rows, inputs), kind_a)
    b = strided(rng, (inputs, outputs) if shared else (*batch, inputs, outputs), kind_b)
    b = np.broadcast_to(b, (*batch, inputs, outputs))
    exact = 0.25 * np.matmul(a.astype(np.float64), b.astype(np.float64))
    magnitude = np.matmul(np.abs(a).astype(np.float64), np.abs(b).astype(np.float64))
    outs = run_all(
        "matmul_batched",
        lambda: [np.full((*batch, rows, outputs), np.nan, np.float32)],
        [a, b],
        [0.25],
    )
    for (out,) in outs:
        assert (np.abs(out - exact) <= (inputs + 4) * 2.0**-24 * magnitude + 1e-7).all()


def test_heads_of_attention_are_views() -> None:
    """Scores and context of 4 heads straight from [tokens, heads * size] activations."""
    rng = np.random.default_rng(0)
    tokens, heads, size = 33, 4, 24
    q, k, v = (rng.standard_normal((tokens, heads, size)).astype(np.float32) for _ in range(3))
    exact = np.einsum("thd,shd->hts", q.astype(np.float64), k) / size**0.5
    context = np.einsum("hts,shd->thd", exact, v)
    for (scores,) in run_all(
        "matmul_batched",
        lambda: [np.empty((heads, tokens, tokens), np.float32)],
        [q.transpose(1, 0, 2), k.transpose(1, 2, 0)],
        [size**-0.5],
    ):
        np.testing.assert_allclose(scores, exact, rtol=0, atol=2e-5)
        out = np.empty((tokens, heads, size), np.float32)
        operands = [operand(out.transpose(1, 0, 2)), operand(scores), operand(v.transpose(1, 0, 2))]
        core.call("matmul_batched", operands, [1.0])
        np.testing.assert_allclose(out, context, rtol=0, atol=3e-4)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([(2, 3), (2, 4), (5, 3)], "shapes"),
        ([(2, 3), (2, 4), (4, 4)], "shapes"),
        ([(1, 2, 3), (2, 2, 4), (2, 4, 3)], "batches"),
        ([(2, 3), (1, 2, 4), (4, 3)], "rank"),
        ([(3,), (4,), (4,)], "rank"),
    ],
)
def test_refuses(shapes: list[tuple[int, ...]], message: str) -> None:
    operands = [operand(np.zeros(shape, np.float32)) for shape in shapes]
    with pytest.raises(ValueError, match=message):
        core.call("matmul_batched", operands, [1.0])


def test_refuses_an_output_with_strided_rows() -> None:
    out, a, b = np.zeros((2, 6), np.float32)[:, ::2], np.zeros((2, 4), "f4"), np.zeros((4, 3), "f4")
    with pytest.raises(ValueError, match="contiguous"):
        core.call("matmul_batched", [operand(out), operand(a), operand(b)], [1.0])
