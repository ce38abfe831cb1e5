"""lstm and gru against torch in float64 (whose gate orders differ) and a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.native import core

from .calls import Array, operand, run_all


def drawn(rng: np.random.Generator, *shape: int) -> Array:
    return (rng.standard_normal(shape) * 0.5).astype(np.float32)


def tensor(array: Array, order: list[int] | None = None) -> torch.Tensor:
    """Float64, with the gates (equal parts of dim 0) reordered to torch's order."""
    wide = torch.from_numpy(array.astype(np.float64))
    if order is None:
        return wide
    gates = torch.chunk(wide, len(order))
    return torch.cat([gates[i] for i in order])


steps = st.sampled_from([1, 2, 8, 11, 21])
hidden_sizes = st.sampled_from([1, 7, 8, 20])


@settings(max_examples=25, deadline=None)
@given(
    steps,
    st.integers(1, 3),
    st.sampled_from([1, 5, 16]),
    hidden_sizes,
    st.booleans(),
    st.booleans(),
    st.integers(0, 99),
)
def test_lstm(
    length: int, batch: int, inputs: int, hidden: int, reverse: bool, bare: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    x, w, r = (
        drawn(rng, length, batch, inputs),
        drawn(rng, 4 * hidden, inputs),
        drawn(rng, 4 * hidden, hidden),
    )
    bias = None if bare else drawn(rng, 8 * hidden)
    start = [None, None] if bare else [drawn(rng, batch, hidden), drawn(rng, batch, hidden)]
    network = torch.nn.LSTM(inputs, hidden, bias=not bare, dtype=torch.float64)
    order = [0, 2, 3, 1]  # torch: i f g o; ONNX: i o f c
    with torch.no_grad():
        network.weight_ih_l0.copy_(tensor(w, order))
        network.weight_hh_l0.copy_(tensor(r, order))
        if bias is not None:
            network.bias_ih_l0.copy_(tensor(bias[: 4 * hidden], order))
            network.bias_hh_l0.copy_(tensor(bias[4 * hidden :], order))
        first = None if bare else (tensor(start[0])[None], tensor(start[1])[None])
        y, (h, c) = network(tensor(x[::-1].copy() if reverse else x), first)
    expected = [torch.flip(y, [0]) if reverse else y, h[0], c[0]]
    outs = run_all(
        "lstm",
        lambda: [
            np.full((length, batch, hidden), np.nan, "f4"),
            np.zeros((batch, hidden), "f4"),
            np.zeros((batch, hidden), "f4"),
        ],
        [x, w, r, bias, *start],
        [int(reverse)],
    )
    for out in outs:
        for got, want in zip(out, expected, strict=True):
            np.testing.assert_allclose(got, want.numpy(), rtol=0, atol=2e-5)


@settings(max_examples=25, deadline=None)
@given(
    steps,
    st.integers(1, 3),
    st.sampled_from([1, 5, 16]),
    hidden_sizes,
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.integers(0, 99),
)
def test_gru(
    length: int,
    batch: int,
    inputs: int,
    hidden: int,
    reverse: bool,
    before_reset: bool,
    bare: bool,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    x, w, r = (
        drawn(rng, length, batch, inputs),
        drawn(rng, 3 * hidden, inputs),
        drawn(rng, 3 * hidden, hidden),
    )
    bias = None if bare else drawn(rng, 6 * hidden)
    start = None if bare else drawn(rng, batch, hidden)
    (wz, wr, wh), (rz, rr, rh) = (np.split(m.astype(np.float64), 3) for m in (w, r))
    wbz, wbr, wbh, rbz, rbr, rbh = np.split(
        (np.zeros(6 * hidden) if bias is None else bias).astype(np.float64), 6
    )
    h = np.zeros((batch, hidden)) if start is None else start.astype(np.float64)
    expected = np.zeros((length, batch, hidden))
    for t in reversed(range(length)) if reverse else range(length):
        z = 1 / (1 + np.exp(-(x[t] @ wz.T + h @ rz.T + wbz + rbz)))
        s = 1 / (1 + np.exp(-(x[t] @ wr.T + h @ rr.T + wbr + rbr)))
        inner = s * (h @ rh.T + rbh) if before_reset else (s * h) @ rh.T + rbh
        h = (1 - z) * np.tanh(x[t] @ wh.T + wbh + inner) + z * h
        expected[t] = h
    outs = run_all(
        "gru",
        lambda: [np.full((length, batch, hidden), np.nan, "f4"), np.zeros((batch, hidden), "f4")],
        [x, w, r, bias, start],
        [int(reverse), int(before_reset)],
    )
    for y, last in outs:
        np.testing.assert_allclose(y, expected, rtol=0, atol=2e-5)
        np.testing.assert_allclose(last, h, rtol=0, atol=2e-5)


def test_y_may_be_absent() -> None:
    rng = np.random.default_rng(0)
    x, w, r = drawn(rng, 5, 1, 3), drawn(rng, 16, 3), drawn(rng, 16, 4)
    full = [np.zeros((5, 1, 4), "f4"), np.zeros((1, 4), "f4"), np.zeros((1, 4), "f4")]
    last = [np.zeros((1, 4), "f4"), np.zeros((1, 4), "f4")]
    inputs = [operand(each) for each in (x, w, r)]
    core.call("lstm", [operand(each) for each in full] + inputs, [0])
    core.call("lstm", [None, *(operand(each) for each in last), *inputs], [0])
    np.testing.assert_array_equal(full[1], last[0])
    np.testing.assert_array_equal(full[0][-1], last[0])


@pytest.mark.parametrize(
    ("index", "shape", "message"),
    [
        (0, (5, 1, 3), "y"),
        (1, (2, 4), "shape"),
        (4, (16, 4), "shape"),
        (5, (15, 4), "shape"),
        (6, (31,), "vector"),
        (7, (1, 3), "shape"),
    ],
)
def test_refuses(index: int, shape: tuple[int, ...], message: str) -> None:
    shapes = [(5, 1, 4), (1, 4), (1, 4), (5, 1, 3), (16, 3), (16, 4), (32,), (1, 4), (1, 4)]
    shapes[index] = shape
    with pytest.raises(ValueError, match=message):
        core.call("lstm", [operand(np.zeros(each, np.float32)) for each in shapes], [0])
