"""Torch against the interpreter: kind by kind, and a whole chunk's three graphs and optimiser."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from netwright.errors import GraphError, UnsupportedError
from netwright.graph.build import Builder
from netwright.graph.format import BOOL, FP32, INT64
from netwright.graph.graph import Graph
from netwright.graph.interpret import interpret
from netwright.graph.op import OpKind
from netwright.graph.ops.elementwise import Binary, Cast, Unary, Where
from netwright.graph.ops.function import Function
from netwright.graph.ops.gather import Gather, GatherElements
from netwright.graph.ops.gradient import DIFFERENTIABLE, FunctionGradient, ScatterAdd
from netwright.graph.ops.linear import Linear, MatMul
from netwright.graph.ops.movement import Concat, Expand, Pad, Reshape, Slice, Tile, Transpose
from netwright.graph.ops.norm import LayerNorm, RmsNorm
from netwright.graph.ops.pool import Pool
from netwright.graph.ops.reduce import Reduce
from netwright.graph.ops.softmax import Softmax
from netwright.graph.tensor import TensorId
from netwright.graph.zoo.gpt import GptSizes, gpt
from netwright.job.train import AdamW
from netwright.run.workers.executor import Executor, weight_values
from netwright.run.workers.torch_kinds import RUNS
from netwright.transform.differentiate import differentiate
from netwright.transform.loss import with_cross_entropy
from netwright.transform.optimise import optimiser_step

FORMS = {"f": FP32, "i": INT64, "b": BOOL}


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


def picks(most: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(most).integers(-most, most, shape)


def agree(kind: OpKind, *arrays: np.ndarray) -> None:
    b = Builder("one")
    given = {f"x{i}": a for i, a in enumerate(arrays)}
    places = [
        b.input(name, [(f"{name}d{d}", n) for d, n in enumerate(a.shape)], FORMS[a.dtype.kind])
        for name, a in given.items()
    ]
    graph = b.finish((b.add(kind, places, "y"),))
    expected, _ = interpret(graph, given, {}, {})
    values = {p: torch.tensor(a) for p, a in zip(places, arrays, strict=True)}
    Executor(graph)(values)
    np.testing.assert_allclose(values[graph.outputs[0]], expected["y"], rtol=2e-5, atol=1e-5)


X = normal(3, 4, 5)
CASES: list[tuple[OpKind, tuple[np.ndarray, ...]]] = [
    (Binary("max", Function("tanh")), (X, normal(4, 1))),
    (Cast("int"), (4 * X,)),
    (Concat(1), (X, normal(3, 2, 5))),
    (Expand((2, 3, 4, 5)), (normal(3, 1, 5),)),
    (FunctionGradient(Function("gelu")), (X, X[::-1].copy())),
    (Gather(0), (normal(6, 4), picks(6, 2, 3))),
    (Gather(1), (X, picks(4, 2))),
    (GatherElements(1), (X, picks(4, 3, 2, 5))),
    (LayerNorm(2, 1e-5), (X, normal(4, 5), normal(4, 5))),
    (Linear(function=Function("relu")), (X, normal(7, 5), normal(7))),
    (Linear(True), (X, normal(5, 7), normal(7), normal(3, 4, 7))),
    (MatMul(True, True, 0.5), (X, normal(3, 6, 4))),
    (Pad(((1, 0), (-1, 2), (0, 0)), value=2.0), (X,)),
    (Reduce("mean", (0, 2), True), (X,)),
    (Reduce("sum_square", (1,)), (X,)),
    (Reduce("l2", (1,)), (X,)),
    (Reduce("max", (0, 1)), (X,)),
    (Reshape((12, 5)), (X,)),
    (RmsNorm(1e-5), (X, normal(5))),
    (ScatterAdd(1, 6), (picks(6, 2, 2), normal(3, 2, 2, 4))),
    (Slice((2, 1, 3), (-1, 4, -1), (-1, 1, -2)), (X,)),
    (Softmax(1), (X,)),
    (Softmax(2, log=True), (X,)),
    (Tile((1, 2, 3)), (X,)),
    (Transpose((2, 0, 1)), (X,)),
    (Unary(Function("mish")), (X,)),
    (Where(), (X > 0, X, normal(5))),
]


@pytest.mark.parametrize(("kind", "arrays"), CASES, ids=[type(k).__name__ for k, _ in CASES])
def test_kinds(kind: OpKind, arrays: tuple[np.ndarray, ...]) -> None:
    agree(kind, *arrays)


def test_every_kind_is_tried() -> None:
    tried = {type(kind).__name__ for kind, _ in CASES} | {"StateUpdate"}
    assert tried == {kind.__name__ for kind in RUNS}


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_functions_and_slopes(name: str) -> None:
    x = np.abs(X) + 0.3 if name in ("log", "sqrt", "rsqrt", "reciprocal") else 2 * X
    pair = {"clip": (-1.0, 1.0), "scale": (1.5, -2.0), "scaled_hard_swish": (1.5, 0.1)}
    function = Function(name, *pair.get(name, (0.3, 0.4)))
    agree(Unary(function), x)
    agree(FunctionGradient(function), x, X)


def both(graph: Graph, values: dict[TensorId, torch.Tensor]) -> None:
    """Runs a graph in torch and by the interpreter, and compares what it leaves."""
    given = {graph[i].name: values[i].numpy() for i in graph.inputs}
    expected, _ = interpret(graph, given, {}, {})
    values.update(weight_values(graph))
    Executor(graph)(values)
    for i in graph.outputs:
        np.testing.assert_allclose(values[i], expected[graph[i].name], rtol=1e-3, atol=1e-5)


def test_a_network_with_its_gradients_and_optimiser() -> None:
    sizes = GptSizes(vocabulary=13, width=8, layers=1, heads=2, tokens=6, batch=2, tied=False)
    found = differentiate(with_cross_entropy(gpt(sizes)))
    values = {i: torch.tensor(np.abs(picks(13, 2, 6)) % 13) for i in found.forward.inputs}
    both(found.forward, values)
    values[found.seeds[0][1]] = torch.tensor(1.0)
    both(found.input_gradient, values)
    both(found.weight_gradient, values)
    weights = [found.forward[p] for p, _ in found.weights]
    step = optimiser_step(weights, AdamW())
    given = {step.inputs[0]: torch.tensor(0.01)}
    for index, (place, of) in enumerate(found.weights):
        given[step.inputs[1 + 2 * index]] = values[place]
        given[step.inputs[2 + 2 * index]] = values[of]
    for i, tensor in enumerate(step.tensors):
        if tensor.role.value == "optimiser":
            given[TensorId(i)] = torch.zeros(tuple(tensor.shape))  # type: ignore[arg-type]
    both(step, given)


def test_what_is_not_executed_says_so() -> None:
    b = Builder("pool")
    x = b.input("x", (("n", 1), ("c", 1), ("w", 4)))
    graph = b.finish((b.add(Pool("max", (2,), (2,), ((0, 0),), (1,)), (x,), "pool"),))
    with pytest.raises(UnsupportedError, match="pool: Pool is not executed in torch; covered: B"):
        Executor(graph)
    with pytest.raises(GraphError, match="has no data; give it a seed"):
        weight_values(gpt(GptSizes(), seed=None))
    b = Builder("sum")
    x, y = (b.input(name, (("n", 2),)) for name in "xy")
    graph = b.finish((b.add(Binary("add"), (x, y), "sum"),))
    with pytest.raises(GraphError, match="operator sum: The size of tensor"):
        Executor(graph)({x: torch.zeros(2), y: torch.zeros(3)})
