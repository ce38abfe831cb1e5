"""Gradients against torch autograd, in float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from netwright.errors import GraphError, UnsupportedError
from netwright.graph.build import Builder
from netwright.graph.evaluate import evaluate
from netwright.graph.format import FP64, INT64
from netwright.graph.graph import Graph
from netwright.graph.interpret import Interpreter, interpret
from netwright.graph.op import OpKind, TensorType
from netwright.graph.ops.attention import Attention
from netwright.graph.ops.elementwise import Binary, Glu, Unary, Where
from netwright.graph.ops.function import Function
from netwright.graph.ops.gather import Gather, GatherElements
from netwright.graph.ops.gradient import DIFFERENTIABLE
from netwright.graph.ops.linear import Linear, MatMul
from netwright.graph.ops.movement import Concat, Expand, Pad, Reshape, Slice, Tile, Transpose
from netwright.graph.ops.norm import LayerNorm, RmsNorm
from netwright.graph.ops.pool import Pool
from netwright.graph.ops.position import Rope
from netwright.graph.ops.reduce import Reduce
from netwright.graph.ops.softmax import Softmax
from netwright.graph.zoo import mlp
from netwright.transform.differentiate import Derivative, differentiate
from netwright.transform.gradients.linear import gradient

Array = NDArray
few = settings(max_examples=12, deadline=None)
sizes = st.integers(1, 4)
REAL = {"float": FP64, "int": INT64}


def run(
    derivative: Derivative, inputs: Mapping[str, Array], seeds: Sequence[Array]
) -> dict[int, Array]:
    """All tensors that the three graphs give, by place."""
    known: dict[int, Array] = {}
    graphs = (derivative.forward, derivative.input_gradient, derivative.weight_gradient)
    for place in derivative.forward.inputs:
        known[place] = inputs[derivative.forward[place].name]
    known.update({seed: a for (_, seed), a in zip(derivative.seeds, seeds, strict=True)})
    for graph in graphs:
        given = {graph[i].name: known[i] for i in graph.inputs}
        outputs, _ = interpret(graph, given, {}, {})
        known.update({i: outputs[graph[i].name] for i in graph.outputs})
    return known


def alone(kind: OpKind, arrays: Sequence[Array]) -> tuple[Graph, dict[str, Array]]:
    b = Builder("one")
    places, given = [], {}
    for i, a in enumerate(arrays):
        form = INT64 if a.dtype.kind == "i" else FP64
        places.append(b.input(f"x{i}", [(f"x{i}d{d}", n) for d, n in enumerate(a.shape)], form))
        given[f"x{i}"] = a
    return b.finish(b.add_all(kind, places, "here")[:1]), given


def agree(
    kind: OpKind, arrays: Sequence[Array], other: Callable[..., torch.Tensor], seed: int = 0
) -> None:
    """Value and gradients of one operator equal those of the torch function."""
    graph, inputs = alone(kind, arrays)
    derivative = differentiate(graph)
    leaves = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    y = other(*leaves)
    dy = np.random.default_rng(seed).standard_normal(y.shape)
    found = run(derivative, inputs, [dy])
    np.testing.assert_allclose(found[graph.outputs[0]], y.detach(), rtol=1e-9, atol=1e-11)
    y.backward(torch.tensor(dy))
    for place, of in derivative.inputs:
        leaf = leaves[place]
        assert leaf.grad is not None
        np.testing.assert_allclose(found[of], leaf.grad, rtol=1e-8, atol=1e-10)
    assert len(derivative.inputs) == sum(a.dtype.kind == "f" for a in arrays)


def normal(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed + sum(shape)).standard_normal(shape)


ALPHA, GAMMA = 1.67326319217681884765625, 1.05070102214813232421875  # as ONNX fixes them
TORCH: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "identity": lambda x: x * 1.0, "relu": F.relu, "clip": lambda x: x.clamp(-0.5, 0.7),
    "leaky_relu": lambda x: F.leaky_relu(x, 0.2), "elu": lambda x: F.elu(x, 0.7),
    "selu": lambda x: GAMMA * F.elu(x, ALPHA),
    "sigmoid": torch.sigmoid, "hard_swish": F.hardswish, "silu": F.silu, "gelu": F.gelu,
    "hard_sigmoid": lambda x: (0.2 * x + 0.5).clamp(0, 1),
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"), "tanh": torch.tanh, "exp": torch.exp,
    "log": torch.log, "sqrt": torch.sqrt, "rsqrt": torch.rsqrt, "reciprocal": torch.reciprocal,
    "abs": torch.abs, "neg": torch.neg, "floor": torch.floor, "ceil": torch.ceil,
    "round": torch.round, "sign": torch.sign, "erf": torch.erf, "sin": torch.sin,
    "cos": torch.cos, "softplus": F.softplus, "mish": F.mish, "square": torch.square,
    "scale": lambda x: 1.5 * x - 2.0, "scaled_hard_swish": lambda x: 1.5 * F.hardswish(x) + 0.1,
}  # fmt: skip
PARAMETERS = {
    "clip": (-0.5, 0.7), "leaky_relu": (0.2, 0.0), "elu": (0.7, 0.0), "hard_sigmoid": (0.2, 0.5),
    "scale": (1.5, -2.0), "scaled_hard_swish": (1.5, 0.1),
}  # fmt: skip


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_functions(name: str) -> None:
    x = normal(3, 40)
    x = np.abs(x) + 0.1 if name in ("log", "sqrt", "rsqrt", "reciprocal") else 2.5 * x
    agree(Unary(Function(name, *PARAMETERS.get(name, (0.0, 0.0)))), [x], TORCH[name])


@few
@given(st.sampled_from(("add", "sub", "mul", "div", "max", "min")), sizes, sizes, st.booleans())
def test_binary_with_broadcasting(operator: str, rows: int, width: int, swap: bool) -> None:
    other = {
        "add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div,
        "max": torch.maximum, "min": torch.minimum,
    }[operator]  # fmt: skip
    pair = [normal(2, rows, width), normal(1, width, seed=3) + 3.0]
    agree(Binary(operator, Function("tanh")), pair[::-1] if swap else pair,
          lambda a, b: torch.tanh(other(a, b)))  # fmt: skip


def test_equal_maxima_share_and_powers() -> None:
    x = np.array([[1.0, 2.0, 2.0], [3.0, 3.0, 3.0]])
    agree(Binary("max"), [x, np.full((2, 3), 2.0)], torch.maximum)
    agree(Reduce("max", (1,)), [x], lambda a: a.amax(1))
    agree(Binary("pow"), [np.abs(normal(4)) + 0.5, np.array([3])], torch.pow)


@few
@given(st.lists(sizes, max_size=2), sizes, sizes, st.booleans())
def test_linear(batch: list[int], k: int, n: int, input_major: bool) -> None:
    w = normal(k, n) if input_major else normal(n, k)
    agree(
        Linear(input_major, Function("gelu_tanh")),
        [normal(*batch, k), w, normal(n), normal(*batch, n, seed=9)],
        lambda x, w, b, r: F.gelu(x @ (w if input_major else w.T) + b + r, approximate="tanh"),
    )


@few
@given(
    st.lists(sizes, max_size=2), sizes, sizes, sizes, st.booleans(), st.booleans(), st.booleans()
)
def test_matmul(batch, m, k, n, left, right, shared) -> None:
    a = normal(*batch, *((k, m) if left else (m, k)))
    b = normal(*([] if shared else [1] * len(batch)), *((n, k) if right else (k, n)), seed=5)
    agree(
        MatMul(left, right, 0.7), [a, b],
        lambda a, b: 0.7 * (a.mT if left else a) @ (b.mT if right else b),
    )  # fmt: skip


@few
@given(sizes, sizes, sizes)
def test_the_gradient_of_an_einsum_is_an_einsum(m: int, k: int, n: int) -> None:
    """The swapped einsum, evaluated as written, against autograd."""
    kind, x, w = Linear(), normal(2, m, k), normal(n, k)
    types = [TensorType(a.shape) for a in (x, w)]
    (product,) = kind.einsums(types, kind.infer(types))
    leaves = [torch.tensor(a, requires_grad=True) for a in (x, w)]
    dy = normal(2, m, n)
    (leaves[0] @ leaves[1].T).backward(torch.tensor(dy))
    for index, leaf in enumerate(leaves):
        swapped = gradient(product, index, 9)
        given = {0: x, 1: w, 9: dy}
        del given[index]
        values = evaluate([swapped], given, {index: tuple(leaf.shape)}, {})
        np.testing.assert_allclose(values[index], leaf.grad, rtol=1e-10, atol=1e-12)
    total = Reduce("max", (0,)).einsums(types[1:], [TensorType((k,))])[0]
    with pytest.raises(UnsupportedError, match="no sum of products"):
        gradient(total, 0, 9)


@few
@given(sizes, st.integers(1, 6), st.booleans())
def test_rows(rows: int, width: int, log: bool) -> None:
    x, s, b = normal(2, rows, width), normal(width), normal(width, seed=1)
    agree(Softmax(1, log), [x], lambda a: (F.log_softmax if log else F.softmax)(a, 1))
    agree(LayerNorm(1, 1e-5), [x, s, b], lambda a, s, b: F.layer_norm(a, (width,), s, b, 1e-5))
    agree(LayerNorm(2, 1e-5), [x, normal(rows, width, seed=4)],
          lambda a, s: F.layer_norm(a, (rows, width), s, None, 1e-5))  # fmt: skip
    agree(RmsNorm(1e-5), [x, s], lambda a, s: F.rms_norm(a, (width,), s, 1e-5))
    reductions = {
        "sum": lambda a: a.sum((0, 2)), "mean": lambda a: a.mean((0, 2)),
        "sum_square": lambda a: (a * a).sum((0, 2)), "l1": lambda a: a.abs().sum((0, 2)),
        "l2": lambda a: (a * a).sum((0, 2)).sqrt(), "min": lambda a: a.amin((0, 2)),
    }  # fmt: skip
    for name, other in reductions.items():
        agree(Reduce(name, (0, -1), keepdims=False), [x], other)


@few
@given(st.integers(1, 3), st.integers(2, 5))
def test_movement(rows: int, width: int) -> None:
    x = normal(rows, width, 4)
    agree(Reshape((width, rows * 4)), [x], lambda a: a.reshape(width, -1))
    agree(Transpose((2, 0, 1)), [x], lambda a: a.permute(2, 0, 1))
    agree(Slice((0, 1, 0), (rows, width, 4), (1, 1, 2)), [x], lambda a: a[:, 1:, ::2])
    agree(Slice((rows - 1, 0, 3), (-1, width, -1), (-1, 1, -2)), [x],
          lambda a: a.flip(0, 2)[:, :, ::2])  # fmt: skip
    agree(Concat(1), [x, normal(rows, 3, 4)], lambda a, b: torch.cat((a, b), 1))
    agree(Expand((3, rows, width, 4)), [normal(rows, 1, 4)], lambda a: a.expand(3, rows, width, 4))
    agree(Tile((2, 1, 3)), [x], lambda a: a.tile(2, 1, 3))
    agree(Pad(((1, 0), (-1, 2), (0, 0)), value=7.0), [x],
          lambda a: F.pad(a, (0, 0, -1, 2, 1, 0), value=7.0))  # fmt: skip
    picks = np.random.default_rng(rows).integers(0, width, (2, 3))
    agree(Gather(1), [x, picks], lambda a, i: a[:, i])
    rows_of = np.random.default_rng(rows).integers(0, width, (rows, 2, 4))
    agree(GatherElements(1), [x, rows_of], lambda a, i: a.gather(1, i))


def test_where_gates_and_ropes() -> None:
    b = Builder("where")
    x = b.input("x", (("n", 4),), FP64)
    y = b.input("y", (("m", 1),), FP64)
    mask = b.add(Binary("greater"), (x, y))
    graph = b.finish((b.add(Where(), (mask, x, y)),))
    leaves = [torch.tensor(normal(4), requires_grad=True), torch.zeros(1, requires_grad=True)]
    leaves[1] = leaves[1].detach().double().requires_grad_()
    derivative = differentiate(graph)
    found = run(derivative, {"x": normal(4), "y": np.zeros(1)}, [np.arange(1.0, 5.0)])
    torch.where(leaves[0] > leaves[1], leaves[0], leaves[1]).backward(
        torch.arange(1.0, 5.0).double()
    )
    for place, of in derivative.inputs:
        np.testing.assert_allclose(found[of], leaves[place].grad)
    agree(Glu(Function("silu")), [normal(3, 4), normal(3, 4, seed=1)],
          lambda g, u: F.silu(g) * u)  # fmt: skip
    for interleaved in (False, True):
        kind = Rope(100.0, 4, 2, interleaved)
        agree(kind, [normal(3, 2, 6)], lambda x: _rope(kind, x))  # noqa: B023


def _rope(kind: Rope, x: torch.Tensor) -> torch.Tensor:
    """The rotation is linear: its matrix, column by column, from the reference."""
    count = x.numel()
    columns = [kind.reference([e.reshape(x.shape)])[0].reshape(-1) for e in np.eye(count)]
    return (torch.tensor(np.stack(columns, 1)) @ x.reshape(-1)).reshape(x.shape)


@few
@given(st.integers(1, 4), st.integers(0, 2), st.sampled_from((1, 2)), st.booleans(), st.booleans())
def test_attention(tokens: int, more: int, groups: int, causal: bool, capped: bool) -> None:
    cap = 2.0 if capped else None
    mask = normal(1, 1, tokens + more)

    def other(q, k, v, m):
        k, v = (a.repeat_interleave(4 // groups, -2).transpose(-2, -3) for a in (k, v))
        scores = 0.5 * q.transpose(-2, -3) @ k.mT
        scores = scores if cap is None else cap * torch.tanh(scores / cap)
        scores = scores + m
        if causal:
            hidden = torch.ones(tokens, tokens + more).tril(more) == 0
            scores = scores.masked_fill(hidden, -np.inf)
        return (scores.softmax(-1) @ v).transpose(-2, -3)

    q = normal(2, tokens, 4, 3)
    k, v = (normal(2, tokens + more, groups, w, seed=w) for w in (3, 5))
    agree(Attention(0.5, causal, softcap=cap), [q, k, v, mask], other)


@few
@given(st.lists(st.integers(1, 7), min_size=2, max_size=4), st.integers(1, 5))
def test_a_network(widths: list[int], batch: int) -> None:
    """Weights and input of an MLP; input gradients never wait for weight gradients."""
    graph = mlp(widths, batch)
    derivative = differentiate(graph)
    x = normal(batch, widths[0])
    weights = Interpreter(graph)
    leaves = {
        p: torch.tensor(weights.weight(p, 0), requires_grad=True) for p, _ in derivative.weights
    }
    y = leaves[graph.inputs[0]] = torch.tensor(x, requires_grad=True)
    ops = [op for op, _ in graph.ops()]
    for op in ops:
        y = F.linear(y, leaves[op.inputs[1]], leaves[op.inputs[2]])
        y = y if op is ops[-1] else F.relu(y)
    dy = normal(batch, widths[-1])
    y.backward(torch.tensor(dy))
    found = run(derivative, {"x": x}, [dy])
    for place, of in (*derivative.inputs, *derivative.weights):
        np.testing.assert_allclose(found[of], leaves[place].grad, rtol=1e-8, atol=1e-10)
    late = set(derivative.weight_gradient.outputs)
    assert not late & set(derivative.input_gradient.inputs)
    assert len(derivative.weights) == 2 * len(ops)


def test_what_has_no_gradient_says_so() -> None:
    graph, _ = alone(Pool("max", (2,), (2,), ((0, 0),), (1,)), [normal(1, 1, 4)])
    with pytest.raises(UnsupportedError, match="Pool has no gradient rule; covered: Binary"):
        differentiate(graph)
    b = Builder("loose")
    x = b.input("x", (("n", 2),))
    y = b.input("y", (("n", 2),))
    b.add(Binary("add"), (y, y), "unused")
    with pytest.raises(GraphError, match="no output depends on y"):
        differentiate(b.finish((b.add(Unary(Function("tanh")), (x,)),)))
    b = Builder("open")
    n = b.symbol("n", 1, 4)
    x = b.input("x", (("n", n),))
    with pytest.raises(UnsupportedError, match="symbolic size n; bind"):
        differentiate(b.finish((b.add(Reduce("sum", (0,)), (x,)),)))
    graph, _ = alone(
        Attention(1.0, causal=True), [normal(3, 1, 2), normal(2, 1, 2), normal(2, 1, 2)]
    )
    with pytest.raises(UnsupportedError, match="queries that see nothing"):
        differentiate(graph)
