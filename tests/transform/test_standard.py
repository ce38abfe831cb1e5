"""The standard rewrites keep the meaning: on real networks, and on every spelling of a pattern."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.frontends.onnx_oracle import NETWORKS, Network, difference, inputs, run_oracle

from netwright.frontends.onnx import load_onnx
from netwright.graph.build import Builder
from netwright.graph.format import INT64
from netwright.graph.graph import Graph
from netwright.graph.interpret import interpret
from netwright.graph.ops.attention import Attention
from netwright.graph.ops.conv import Conv, ConvTranspose
from netwright.graph.ops.elementwise import Binary, Cast, Unary
from netwright.graph.ops.function import Function
from netwright.graph.ops.linear import Linear, MatMul
from netwright.graph.ops.movement import Concat, Pad, Reshape, Transpose
from netwright.graph.ops.norm import BatchNorm, LayerNorm, RmsNorm
from netwright.graph.ops.pool import Pool
from netwright.graph.ops.reduce import Reduce
from netwright.graph.ops.softmax import Softmax
from netwright.graph.tensor import Role, TensorId
from netwright.graph.verify import verify
from netwright.graph.zoo.llama import LlamaSizes, llama
from netwright.transform.standard import standard

Array: TypeAlias = NDArray[Any]


class Sketch:
    """A graph under construction with one input x."""

    def __init__(self, *shape: int) -> None:
        self.builder = Builder("sketch")
        self.x = self.builder.input("x", [(f"d{i}", n) for i, n in enumerate(shape)])
        self.rng = np.random.default_rng(0)

    def weight(self, *shape: int, low: float = -1.0) -> TensorId:
        return self.constant(self.rng.uniform(low, 1.0, shape))

    def constant(self, values: Any) -> TensorId:
        array = np.asarray(values, dtype=np.float32).astype(np.float64)
        dims = [(f"d{i}", n) for i, n in enumerate(array.shape)]
        return self.builder.weight("w", dims, data=array)

    def unary(self, name: str, x: TensorId, *parameters: float) -> TensorId:
        return self.builder.add(Unary(Function(name, *parameters)), [x])

    def binary(self, operator: str, a: TensorId, b: TensorId | float) -> TensorId:
        other = self.constant(b) if isinstance(b, float) else b
        return self.builder.add(Binary(operator), [a, other])

    def mean(self, x: TensorId, axes: tuple[int, ...] = (-1,)) -> TensorId:
        return self.builder.add(Reduce("mean", axes, keepdims=True), [x])


def check(sketch: Sketch, y: TensorId, expected: dict[str, int], tolerance: float = 1e-6) -> Graph:
    """Rewritten, the graph has exactly these kinds, is valid and gives the same."""
    before = sketch.builder.finish([y])
    after, records = standard(before)
    assert Counter(type(op.kind).__name__ for op, _ in after.ops()) == expected
    assert all(record.count > 0 for record in records)
    x = np.random.default_rng(1).uniform(-2, 2, before[sketch.x].shape)
    name = before[y].name
    wanted = interpret(before, {"x": x}, {}, {})[0][name]
    got = interpret(after, {"x": x}, {}, {})[0][name]
    np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance)
    again, nothing = standard(after)
    assert nothing == ()
    assert again == after
    return after


@pytest.mark.network
@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: n.sibling or n.name)
def test_a_real_network_still_equals_onnx_runtime(network: Network) -> None:
    path = network.path()
    if path is None:
        pytest.skip(f"the package of {network.name} is not installed")
    graph = load_onnx(path, network.dims, network.values)
    after, records = standard(graph)
    assert len(after.body) < len(graph.body)
    assert records
    given_ = inputs(graph, network, seed=1)
    fixed = {k: np.array(v) for k, v in network.values.items()}
    expected = run_oracle(path, {**given_, **fixed})
    got = interpret(after, given_, {}, {})[0]
    for name, values in expected.items():
        assert difference(got[name], values) < 1e-4


def hard_swish_then_divide(s: Sketch) -> TensorId:
    gate = s.unary("clip", s.binary("add", s.x, 3.0), 0.0, 6.0)
    return s.binary("div", s.binary("mul", s.x, gate), 6.0)


def hard_swish_divided_gate(s: Sketch) -> TensorId:
    gate = s.binary("div", s.unary("clip", s.binary("add", s.x, 3.0), 0.0, 6.0), 6.0)
    return s.binary("mul", gate, s.x)


def hard_swish_by_minimum(s: Sketch) -> TensorId:
    gate = s.binary("min", s.unary("relu", s.binary("add", s.x, 3.0)), 6.0)
    return s.binary("mul", s.binary("mul", s.x, gate), 1 / 6)


def hard_swish_by_hard_sigmoid(s: Sketch) -> TensorId:
    return s.binary("mul", s.x, s.unary("hard_sigmoid", s.x, 1 / 6, 0.5))


def gelu(s: Sketch) -> TensorId:
    erf = s.unary("erf", s.binary("div", s.x, math.sqrt(2)))
    return s.binary("mul", s.binary("mul", s.x, s.binary("add", erf, 1.0)), 0.5)


def gelu_half_first(s: Sketch) -> TensorId:
    erf = s.unary("erf", s.binary("mul", s.x, math.sqrt(0.5)))
    return s.binary("mul", s.binary("mul", s.x, 0.5), s.binary("add", erf, 1.0))


def gelu_half_gate(s: Sketch) -> TensorId:
    erf = s.unary("erf", s.binary("mul", s.x, math.sqrt(0.5)))
    return s.binary("mul", s.x, s.binary("mul", s.binary("add", erf, 1.0), 0.5))


def gelu_tanh_by_power(s: Sketch) -> TensorId:
    cube = s.binary("mul", s.binary("pow", s.x, 3.0), 0.044715)
    inner = s.binary("mul", s.binary("add", s.x, cube), math.sqrt(2 / math.pi))
    gate = s.binary("add", s.unary("tanh", inner), 1.0)
    return s.binary("mul", s.binary("mul", s.x, 0.5), gate)


def gelu_tanh_by_products(s: Sketch) -> TensorId:
    cube = s.binary("mul", s.x, s.binary("mul", s.x, s.binary("mul", s.x, 0.044715)))
    inner = s.binary("mul", s.binary("add", cube, s.x), math.sqrt(2 / math.pi))
    gate = s.binary("mul", s.binary("add", s.unary("tanh", inner), 1.0), 0.5)
    return s.binary("mul", gate, s.x)


def gelu_tanh_factored(s: Sketch) -> TensorId:
    square = s.binary("mul", s.binary("mul", s.x, s.x), 0.044715)
    inner = s.binary("mul", s.x, s.binary("add", square, 1.0))
    tanh = s.unary("tanh", s.binary("mul", inner, math.sqrt(2 / math.pi)))
    return s.binary("mul", s.binary("mul", s.x, s.binary("add", tanh, 1.0)), 0.5)


def silu(s: Sketch) -> TensorId:
    return s.binary("mul", s.x, s.unary("sigmoid", s.binary("mul", s.x, 1.0)))


def mish(s: Sketch) -> TensorId:
    return s.binary("mul", s.unary("tanh", s.unary("softplus", s.x)), s.x)


def hard_sigmoid(s: Sketch) -> TensorId:
    return s.unary("clip", s.binary("add", s.binary("mul", s.x, 0.2), 0.5), 0.0, 1.0)


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (hard_swish_then_divide, "hard_swish"),
        (hard_swish_divided_gate, "hard_swish"),
        (hard_swish_by_minimum, "hard_swish"),
        (hard_swish_by_hard_sigmoid, "hard_swish"),
        (gelu, "gelu"),
        (gelu_half_first, "gelu"),
        (gelu_half_gate, "gelu"),
        (gelu_tanh_by_power, "gelu_tanh"),
        (gelu_tanh_by_products, "gelu_tanh"),
        (gelu_tanh_factored, "gelu_tanh"),
        (silu, "silu"),
        (mish, "mish"),
        (hard_sigmoid, "hard_sigmoid"),
    ],
)
def test_every_spelling_of_an_activation(build: Callable[[Sketch], TensorId], name: str) -> None:
    sketch = Sketch(3, 40)
    after = check(sketch, build(sketch), {"Unary": 1})
    (op,) = after.body
    assert op.kind.function.name == name  # type: ignore[union-attr]


def test_what_only_looks_like_an_activation_stays() -> None:
    sketch = Sketch(3, 4)
    gate = sketch.unary("clip", sketch.binary("add", sketch.x, 2.0), 0.0, 6.0)
    y = sketch.binary("div", sketch.binary("mul", sketch.x, gate), 6.0)
    check(sketch, y, {"Unary": 2, "Glu": 1})


@pytest.mark.parametrize("square", ["square", "pow", "mul"])
@pytest.mark.parametrize("root", ["div", "rsqrt"])
def test_layer_norm_in_its_spellings(square: str, root: str) -> None:
    s = Sketch(2, 5, 8)
    centred = s.binary("sub", s.x, s.mean(s.x))
    if square == "square":
        squared = s.unary("square", centred)
    else:
        squared = s.binary(square, centred, 2.0 if square == "pow" else centred)
    variance = s.binary("add", s.mean(squared), 1e-5)
    if root == "div":
        normal = s.binary("div", centred, s.unary("sqrt", variance))
    else:
        normal = s.binary("mul", s.unary("rsqrt", variance), centred)
    y = s.binary("add", s.binary("mul", normal, s.weight(8)), s.weight(1, 1, 8))
    after = check(s, y, {"LayerNorm": 1})
    (op,) = after.body
    assert isinstance(op.kind, LayerNorm)  # type: ignore[union-attr]


def test_layer_norm_as_tensorflow_writes_it() -> None:
    s = Sketch(2, 5, 8)
    mean = s.mean(s.x)
    centred = s.binary("sub", s.x, mean)
    variance = s.binary("add", s.mean(s.unary("square", centred)), 1e-3)
    gain = s.binary("mul", s.unary("rsqrt", variance), s.weight(8))
    shift = s.binary("sub", s.weight(8), s.binary("mul", mean, gain))
    check(s, s.binary("add", s.binary("mul", s.x, gain), shift), {"LayerNorm": 1}, 1e-5)


def test_rms_norm() -> None:
    s = Sketch(2, 8)
    root = s.unary("sqrt", s.binary("add", s.mean(s.binary("pow", s.x, 2.0)), 1e-6))
    y = s.binary("mul", s.binary("mul", s.x, s.binary("div", s.constant(1.0), root)), s.weight(8))
    (op,) = check(s, y, {"RmsNorm": 1}).body
    assert isinstance(op.kind, RmsNorm)  # type: ignore[union-attr]


@pytest.mark.parametrize("peak", [True, False])
def test_softmax_from_exponentials(peak: bool) -> None:
    s = Sketch(2, 3, 8)
    add = s.builder.add
    shifted = s.binary("sub", s.x, add(Reduce("max", (1,), True), [s.x])) if peak else s.x
    powers = s.unary("exp", shifted)
    total = add(Reduce("sum", (1,), True), [powers])
    (op,) = check(s, s.binary("div", powers, total), {"Softmax": 1}).body
    assert op.kind == Softmax(1)  # type: ignore[union-attr]


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize("transposed", [True, False])
def test_attention(mask: bool, transposed: bool) -> None:
    """As exporters write it: heads split by reshape and transpose, keys transposed at once."""
    s = Sketch(2, 6, 12)
    add = s.builder.add

    def heads(order: tuple[int, ...]) -> TensorId:
        projected = add(MatMul(), [s.x, s.weight(12, 12)])
        return add(Transpose(order), [add(Reshape((2, 6, 3, 4)), [projected])])

    q = heads((0, 2, 1, 3))
    k = heads((0, 2, 1, 3) if transposed else (0, 2, 3, 1))
    scores = add(MatMul(transpose_b=transposed), [q, k])
    scores = s.binary("div", scores, 2.0)
    if mask:
        scores = s.binary("add", scores, s.weight(2, 1, 1, 6))
    mixed = add(MatMul(), [add(Softmax(3), [scores]), heads((0, 2, 1, 3))])
    y = add(Reshape((2, 6, 12)), [add(Transpose((0, 2, 1, 3)), [mixed])])
    after = check(s, y, {"Attention": 1, "Linear": 3, "Reshape": 4})
    (kind,) = [op.kind for op, _ in after.ops() if isinstance(op.kind, Attention)]
    assert kind.scale == 0.5


def statistics(s: Sketch, channels: int) -> list[TensorId]:
    parts = [s.weight(channels) for _ in range(3)]
    return [*parts, s.weight(channels, low=0.1)]


@settings(max_examples=25, deadline=None)
@given(
    groups=st.sampled_from([1, 2]),
    transpose=st.booleans(),
    bias=st.booleans(),
    function=st.sampled_from(["relu", "hard_swish", "sigmoid"]),
    residual=st.booleans(),
)
def test_a_layer_takes_in_what_follows(
    groups: int, transpose: bool, bias: bool, function: str, residual: bool
) -> None:
    s = Sketch(2, 4, 5, 5)
    add = s.builder.add
    weights: list[TensorId | None] = [s.weight(4, 4 // groups, 3, 3)]
    if bias:
        weights.append(s.weight(4))
    ones, around = (1, 1), ((1, 1), (1, 1))
    if transpose:
        y = add(ConvTranspose(ones, around, ones, (0, 0), groups), [s.x, *weights])
    else:
        y = add(Conv(ones, around, ones, groups), [s.x, *weights])
    y = add(BatchNorm(1e-5), [y, *statistics(s, 4)])
    y = s.binary("add", s.binary("mul", y, s.weight(1, 4, 1, 1)), s.weight(4, 1, 1))
    fused = residual and not transpose
    if fused:
        y = s.binary("add", s.unary("tanh", s.x), y)
    y = s.unary(function, y)
    expected = {"ConvTranspose" if transpose else "Conv": 1}
    check(s, y, {**expected, "Unary": 1} if fused else expected, 1e-5)


def test_a_linear_layer_takes_in_what_follows() -> None:
    s = Sketch(3, 6)
    add = s.builder.add
    y = add(BatchNorm(1e-5), [add(MatMul(), [s.x, s.weight(6, 5)]), *statistics(s, 5)])
    y = s.unary("relu", s.binary("sub", y, s.weight(5)))
    (op,) = check(s, y, {"Linear": 1}, 1e-5).body
    assert isinstance(op.kind, Linear)  # type: ignore[union-attr]


def test_a_result_that_two_read_stays() -> None:
    s = Sketch(3, 6)
    y = s.builder.add(MatMul(), [s.x, s.weight(6, 6)])
    check(s, s.binary("mul", y, s.unary("tanh", y)), {"Linear": 1, "Glu": 1})


def test_a_batch_norm_alone_is_a_depthwise_convolution() -> None:
    s = Sketch(2, 4, 3, 3)
    y = s.builder.add(BatchNorm(1e-5), [s.x, *statistics(s, 4)])
    y = s.binary("add", s.binary("mul", y, s.weight(4, 1, 1)), s.weight(4, 1, 1))
    check(s, s.unary("relu", y), {"Conv": 1}, 1e-5)


def test_a_batch_norm_of_rows_is_a_product_and_a_sum() -> None:
    s = Sketch(5, 4)
    y = s.builder.add(BatchNorm(1e-5), [s.x, *statistics(s, 4)])
    check(s, s.unary("relu", y), {"Binary": 2})


def test_nested_joins_are_one() -> None:
    s = Sketch(2, 3)
    add = s.builder.add
    inner = add(Concat(1), [s.x, s.unary("tanh", s.x)])
    y = add(Concat(-1), [s.unary("neg", s.x), inner, s.x])
    check(s, y, {"Concat": 1, "Unary": 2})


@pytest.mark.parametrize("values", [[[0], [6], [2]], [[-1], [7], [100]]])
def test_one_hot_products_are_gathers(values: list[list[int]]) -> None:
    """Indices outside the matrix give what they gave before: the bias alone."""
    builder = Builder("one_hot")
    x = builder.input("x", [("t", 3), ("one", 1)], INT64)
    steps = builder.weight("steps", [("v", 7)], INT64, np.arange(7))
    weight = np.random.default_rng(0).uniform(-1, 1, (7, 4)).astype(np.float32)
    hot = builder.add(Cast("float"), [builder.add(Binary("equal"), [x, steps])])
    table = builder.weight("w", [("v", 7), ("n", 4)], data=weight.astype(np.float64))
    bias = builder.weight("b", [("n", 4)], data=np.ones(4))
    y = builder.add(Binary("add"), [builder.add(MatMul(), [hot, table]), bias], "y")
    before = builder.finish([y])
    after, _ = standard(before)
    found = Counter(type(op.kind).__name__ for op, _ in after.ops())
    assert found == {"Binary": 2, "Gather": 1, "Reshape": 1}
    given_ = {"x": np.array(values)}
    got, wanted = (interpret(g, given_, {}, {})[0]["y"] for g in (after, before))
    np.testing.assert_allclose(got, wanted, atol=1e-6)


def test_a_factor_before_a_convolution_is_taken_in() -> None:
    s = Sketch(1, 4, 5, 5)
    around, none = ((1, 1), (1, 1)), ((0, 0), (0, 0))
    y = s.unary("scale", s.unary("tanh", s.x), 0.5, 2.0)
    y = s.builder.add(Conv((1, 1), none, (1, 1)), [y, s.weight(6, 4, 1, 1)])
    y = s.unary("scale", s.unary("tanh", y), 0.5, 0.0)
    y = s.builder.add(Conv((1, 1), around, (1, 1)), [y, s.weight(6, 6, 3, 3)])
    check(s, y, {"Unary": 1, "Conv": 2}, 1e-5)


def test_a_bias_is_taken_in_through_a_squeeze() -> None:
    s = Sketch(2, 4, 1, 6)
    y = s.builder.add(Conv((1, 1), ((0, 0), (0, 0)), (1, 1)), [s.x, s.weight(3, 4, 1, 2)])
    y = s.builder.add(Reshape((2, 3, 5)), [y])
    check(s, s.binary("add", y, s.weight(1, 3, 1)), {"Conv": 1, "Reshape": 1}, 1e-5)


def test_padding_is_taken_in() -> None:
    s = Sketch(1, 4, 6, 6)
    add = s.builder.add
    padded = add(Pad(((0, 0), (0, 0), (0, 1), (2, 1))), [s.x])
    y = add(Conv((2, 2), ((1, 1), (0, 0)), (1, 1)), [padded, s.weight(4, 4, 3, 3)])
    padded = add(Pad(((0, 0), (0, 0), (1, 1), (1, 1))), [y])
    y = add(Pool("average", (3, 3), (1, 1), ((0, 0), (0, 0)), (1, 1)), [padded])
    check(s, y, {"Conv": 1, "Pool": 1})


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_chains_of_movement_and_numbers_keep_their_meaning(data: st.DataObject) -> None:
    """Random chains: whatever is merged or dropped, the values stay."""
    s = Sketch(2, 3, 4)
    y, shape = s.x, [2, 3, 4]
    for _ in range(data.draw(st.integers(1, 8))):
        step = data.draw(st.sampled_from(["reshape", "transpose", "number", "function", "linear"]))
        if step == "reshape":
            shape = data.draw(st.permutations(shape))
            y = s.builder.add(Reshape(tuple(shape)), [y])
        elif step == "transpose":
            order = tuple(data.draw(st.permutations(range(3))))
            shape = [shape[d] for d in order]
            y = s.builder.add(Transpose(order), [y])
        elif step == "number":
            operator = data.draw(st.sampled_from(["add", "sub", "mul", "div", "max", "min"]))
            y = s.binary(operator, y, data.draw(st.sampled_from([-2.0, 0.5, 1.0, 3.0])))
        elif step == "function":
            y = s.unary(data.draw(st.sampled_from(["relu", "tanh", "square", "neg"])), y)
        else:
            y = s.builder.add(MatMul(), [y, s.weight(shape[-1], shape[-1])])
    before = s.builder.finish([y])
    after, _ = standard(before)
    x = np.random.default_rng(2).uniform(-1, 1, (2, 3, 4))
    name = before[y].name
    wanted = interpret(before, {"x": x}, {}, {})[0][name]
    got = interpret(after, {"x": x}, {}, {})[0][name]
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5 * np.abs(wanted).max())


def test_a_folded_network_with_caches_is_kept_valid() -> None:
    """Blocks, caches and symbols: nothing that another call sees may go."""
    graph = llama(LlamaSizes())
    after, _ = standard(graph)
    verify(after)
    kept = [
        Counter(t.role for t in g.tensors if t.role in (Role.CACHE, Role.INPUT))
        for g in (graph, after)
    ]
    assert kept[0] == kept[1]
    tokens = {"tokens": np.array([3, 1, 4])}
    symbols = {"n_tokens": 3, "n_past": 0}
    wanted, caches = interpret(graph, tokens, symbols, {})
    got, same = interpret(after, tokens, symbols, {})
    np.testing.assert_allclose(got["logits"], wanted["logits"], rtol=1e-9)
    assert caches.keys() == same.keys()
