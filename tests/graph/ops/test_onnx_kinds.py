"""Kinds that ONNX has, against ONNX Runtime and onnx.reference."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.graph.ops.onnx_oracle import by_reference, by_runtime
from tests.graph.oracle import run

from netwright.errors import GraphError
from netwright.graph.extent import symbol
from netwright.graph.op import TensorType
from netwright.graph.ops.elementwise import Binary, Cast, FakeQuantise, Where
from netwright.graph.ops.gather import Gather, GatherElements, GatherNd, ScatterNd
from netwright.graph.ops.linear import MatMul
from netwright.graph.ops.movement import Concat, Expand, Pad, Reshape, Slice, Tile, Transpose
from netwright.graph.ops.norm import BatchNorm, GroupNorm, LayerNorm, LpNorm
from netwright.graph.ops.reduce import REDUCE_CODES, ArgReduce, CumulativeSum, Reduce, TopK
from netwright.graph.ops.softmax import Softmax

FAST = settings(max_examples=25, deadline=None)
RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((2, 3, 4, 5))
INTEGERS = RANDOM.integers(-7, 8, (3, 4))
DIVISORS = RANDOM.choice([-3, -2, -1, 1, 2, 3], (3, 4))
ONNX_NAMES = {
    "add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div", "pow": "Pow", "equal": "Equal",
    "less": "Less", "less_equal": "LessOrEqual", "greater": "Greater",
    "greater_equal": "GreaterOrEqual", "and": "And", "or": "Or", "xor": "Xor",
    "max": "Max", "min": "Min", "mod": "Mod",
}  # fmt: skip


@pytest.mark.parametrize("name", ONNX_NAMES)
def test_binary_on_integers_and_bools(name):
    a, b = INTEGERS, DIVISORS
    if name in ("and", "or", "xor"):
        a, b = a > 0, b > 0
    if name == "pow":
        b = np.abs(b)
    expected = by_runtime(ONNX_NAMES[name], a, b)[0]
    np.testing.assert_array_equal(run(Binary(name), a, b)[0], expected)


@pytest.mark.parametrize("name", [n for n in ONNX_NAMES if n not in ("and", "or", "xor")])
def test_binary_on_floats(name):
    a, b = np.abs(X) + 0.1, RANDOM.standard_normal((4, 1))
    attributes = {"fmod": 1} if name == "mod" else {}
    expected = by_runtime(ONNX_NAMES[name], a, b, **attributes)[0]
    np.testing.assert_allclose(run(Binary(name), a, b)[0], expected, rtol=1e-4, atol=1e-5)


def test_binary_refuses_mixed_classes():
    with pytest.raises(GraphError, match="add of float and int; cast one of them first"):
        Binary("add").infer([TensorType((2,)), TensorType((2,), "int")])
    with pytest.raises(GraphError, match=r"shapes \[2, n\], \[m\] do not broadcast"):
        Binary("add").infer([TensorType((2, symbol("n"))), TensorType((symbol("m"),))])


def test_where_and_cast():
    condition = X > 0
    np.testing.assert_array_equal(run(Where(), condition, X, np.zeros((1,)))[0], np.maximum(X, 0))
    np.testing.assert_array_equal(run(Cast("int"), np.array([-1.7, 1.7]))[0], [-1, 1])


ROUNDINGS = {
    "ROUND": [-2, -2, 0, 0, 2, 2], "CEIL": [-2, -1, 0, 1, 2, 3], "FLOOR": [-3, -2, -1, 0, 1, 2],
    "UP": [-3, -2, -1, 1, 2, 3], "DOWN": [-2, -1, 0, 0, 1, 2],
    "HALF_UP": [-2, -1, 0, 1, 2, 3], "HALF_DOWN": [-3, -2, -1, 0, 1, 2],
}  # fmt: skip


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_fake_quantise(rounding):
    x = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])
    kind = FakeQuantise(4, signed=True, narrow=False, rounding=rounding)
    found = run(kind, x * 0.5, np.array(0.5), np.array(0.0))[0]
    np.testing.assert_array_equal(found / 0.5, ROUNDINGS[rounding])
    assert FakeQuantise(4, signed=True, narrow=True).limits() == (-7, 7)
    assert FakeQuantise(4, signed=False, narrow=False).limits() == (0, 15)
    assert FakeQuantise(4, signed=False, narrow=True).limits() == (0, 14)


@pytest.mark.parametrize("function", REDUCE_CODES)
def test_reduce(function):
    names = {"sum": "Sum", "mean": "Mean", "max": "Max", "min": "Min", "prod": "Prod",
             "l1": "L1", "l2": "L2", "sum_square": "SumSquare"}  # fmt: skip
    axes = np.array([1, -1])
    expected = by_reference(f"Reduce{names[function]}", X, axes, keepdims=1, opset=18)[0]
    np.testing.assert_allclose(run(Reduce(function, (1, -1), True), X)[0], expected, rtol=1e-12)
    assert run(Reduce(function, (0, 1, 2, 3)), X)[0].shape == ()


@pytest.mark.parametrize("function", ["max", "min"])
def test_arg_reduce_takes_the_first(function):
    x = RANDOM.integers(0, 3, (3, 8)).astype(np.float64)
    expected = by_runtime(f"Arg{function.title()}", x, axis=-1, keepdims=0)[0]
    np.testing.assert_array_equal(run(ArgReduce(function, -1), x)[0], expected)


@pytest.mark.parametrize("largest", [0, 1])
def test_top_k_ties_go_to_the_lower_index(largest):
    x = RANDOM.integers(0, 4, (3, 9)).astype(np.float64)
    k = np.array([4])
    expected = by_runtime("TopK", x, k, outputs=2, axis=1, largest=largest)
    found = run(TopK(4, 1, bool(largest)), x)
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("exclusive", [0, 1])
@pytest.mark.parametrize("reverse", [0, 1])
def test_cumulative_sum(exclusive, reverse):
    expected = by_runtime("CumSum", X, np.array(2), exclusive=exclusive, reverse=reverse)[0]
    found = run(CumulativeSum(2, bool(exclusive), bool(reverse)), X)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_norms():
    scale, bias, mean = (RANDOM.standard_normal(3) for _ in range(3))
    variance = np.abs(RANDOM.standard_normal(3)) + 0.1
    t = torch.tensor
    expected = F.batch_norm(t(X), t(mean), t(variance), t(scale), t(bias), eps=1e-3)
    found = run(BatchNorm(1e-3), X, scale, bias, mean, variance)[0]
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-10)
    wide = RANDOM.standard_normal((2, 6, 4))
    six = [RANDOM.standard_normal(6) for _ in range(2)]
    expected = F.group_norm(t(wide), 3, t(six[0]), t(six[1]), 1e-3)
    np.testing.assert_allclose(run(GroupNorm(3, 1e-3), wide, *six)[0], expected.numpy(), rtol=1e-9)
    last = [RANDOM.standard_normal((4, 5)) for _ in range(2)]
    expected = F.layer_norm(t(X), (4, 5), t(last[0]), t(last[1]), 1e-3)
    np.testing.assert_allclose(run(LayerNorm(2, 1e-3), X, *last)[0], expected.numpy(), rtol=1e-9)
    for p in (1, 2):
        expected = F.normalize(t(X), p, 1)
        np.testing.assert_allclose(run(LpNorm(1, p), X)[0], expected.numpy(), rtol=1e-10)


def test_softmax():
    t = torch.tensor(X * 50)
    for axis in (1, -1):
        expected = (F.softmax(t, axis), F.log_softmax(t, axis))
        for log in (False, True):
            found = run(Softmax(axis, log), X * 50)[0]
            np.testing.assert_allclose(found, expected[log].numpy(), rtol=1e-10, atol=1e-300)
    np.testing.assert_array_equal(run(Softmax(-1), np.full((1, 3), -np.inf))[0], np.zeros((1, 3)))


@FAST
@given(st.data())
def test_matmul_equals_numpy(data):
    n, k, m = (data.draw(st.integers(1, 4)) for _ in range(3))
    batch = data.draw(st.sampled_from([((), ()), ((2,), (2,)), ((2, 1), (3,)), ((), (3,))]))
    turn = [data.draw(st.booleans()) for _ in range(2)]
    a = RANDOM.standard_normal((*batch[0], *((k, n) if turn[0] else (n, k))))
    b = RANDOM.standard_normal((*batch[1], *((m, k) if turn[1] else (k, m))))
    left, right = (np.swapaxes(v, -1, -2) if t else v for v, t in zip((a, b), turn, strict=True))
    np.testing.assert_allclose(run(MatMul(*turn), a, b)[0], left @ right, rtol=1e-12)


@FAST
@given(st.data())
def test_slice_equals_numpy(data):
    size, step = data.draw(st.integers(1, 9)), data.draw(st.sampled_from([-3, -2, -1, 1, 2, 3]))
    low, high = (0, size) if step > 0 else (-1, size - 1)
    start, stop = data.draw(st.integers(max(low, 0), high)), data.draw(st.integers(low, high))
    x = np.arange(size)
    expected = [i for i in range(start, stop, step) if 0 <= i < size]
    np.testing.assert_array_equal(run(Slice((start,), (stop,), (step,)), x)[0], expected)


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge"])
def test_pad(mode):
    pads = ((0, 0), (1, 2), (-1, 1), (2, -2))
    flat = np.array([b for b, _ in pads] + [a for _, a in pads])
    expected = by_runtime("Pad", X, flat, mode=mode)[0]
    np.testing.assert_allclose(run(Pad(pads, mode), X)[0], expected, rtol=1e-6)


def test_plain_movement():
    np.testing.assert_array_equal(run(Transpose((3, 1, 0, 2)), X)[0], X.transpose(3, 1, 0, 2))
    np.testing.assert_array_equal(run(Reshape((6, 20)), X)[0], X.reshape(6, 20))
    np.testing.assert_array_equal(run(Tile((1, 2, 1, 2)), X)[0], np.tile(X, (1, 2, 1, 2)))
    np.testing.assert_array_equal(run(Concat(-1), X, X)[0], np.concatenate((X, X), -1))
    one = X[:, :1]
    np.testing.assert_array_equal(run(Expand((2, 3, 4, 5)), one)[0], np.repeat(one, 3, 1))


@FAST
@given(st.data())
def test_gathers_and_scatter_equal_onnx(data):
    axis = data.draw(st.integers(-3, 2))
    x = RANDOM.standard_normal((3, 4, 5))
    size = x.shape[axis]
    pick = st.integers(-size, size - 1)
    indices = np.array(data.draw(st.lists(pick, min_size=1, max_size=5)))
    expected = by_reference("Gather", x, indices, axis=axis)[0]
    np.testing.assert_array_equal(run(Gather(axis), x, indices)[0], expected)
    shape = [2, 2, 2]
    each = RANDOM.integers(-size, size, shape)
    expected = torch.gather(torch.tensor(x), axis, torch.tensor(each % size)).numpy()
    np.testing.assert_array_equal(run(GatherElements(axis), x, each)[0], expected)
    depth, batch = data.draw(st.integers(1, 2)), data.draw(st.integers(0, 1))
    places = RANDOM.integers(0, 3, (*((3,) if batch else ()), 2, depth))
    expected = by_reference("GatherND", x, places, batch_dims=batch)[0]
    np.testing.assert_array_equal(run(GatherNd(batch), x, places)[0], expected)
    places = RANDOM.permutation(3)[:2].reshape(2, 1)
    updates = RANDOM.standard_normal((2, 4, 5))
    expected = by_reference("ScatterND", x, places, updates)[0]
    np.testing.assert_array_equal(run(ScatterNd(), x, places, updates)[0], expected)


def test_index_outside_is_named():
    with pytest.raises(GraphError, match=r"Gather: indices 0..4 are outside a dim of size 3"):
        Gather().reference([X[0], np.array([0, 4])])


def test_reshape_of_symbolic_shapes():
    n, m = symbol("n"), symbol("m")
    x = TensorType((n, 12))
    assert Reshape((n, 3, 4)).infer([x])[0].shape == (n, 3, 4)
    assert Reshape((2 * n, 6)).infer([x])[0].shape == (2 * n, 6)
    with pytest.raises(GraphError, match="differ in their element count"):
        Reshape((m, 12)).infer([x])
    with pytest.raises(GraphError, match="differ in their element count"):
        Reshape((n, 13)).infer([x])
