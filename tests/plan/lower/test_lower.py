"""Lowered operators against the interpreter, over drawn shapes and attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from netwright.graph.build import Builder
from netwright.graph.format import FP32, INT64
from netwright.graph.graph import Graph
from netwright.graph.interpret import interpret
from netwright.graph.op import OpKind
from netwright.graph.ops.conv import Conv, ConvTranspose
from netwright.graph.ops.elementwise import Binary, Unary
from netwright.graph.ops.function import Function
from netwright.graph.ops.linear import MatMul
from netwright.graph.ops.movement import Concat, Expand, Pad, Reshape, Slice, Tile, Transpose
from netwright.graph.ops.pool import Pool
from netwright.graph.ops.reduce import ArgReduce, CumulativeSum, Reduce, TopK
from netwright.graph.ops.resize import COORDINATE_CODES, Resize
from netwright.graph.ops.softmax import Softmax
from netwright.job.job import Infer
from netwright.machine.load import library_machine
from netwright.plan.make import make_plan
from netwright.run.native import NativeRuntime
from netwright.run.reference import ReferenceRuntime

MACHINE = library_machine("raspberry-pi-5")
SHAPES = st.lists(st.integers(1, 5), min_size=1, max_size=4).map(tuple)
few = settings(max_examples=25, deadline=None)


def graph_of(shapes: Sequence[tuple[int, ...]], kind: OpKind, around: bool) -> Graph:
    """The operator alone on inputs, or between two computed activations."""
    b = Builder("one")
    places = [
        b.input(f"x{i}", tuple((f"d{i}{d}", n) for d, n in enumerate(shape)))
        for i, shape in enumerate(shapes)
    ]
    if around:
        places = [b.add(Unary(Function("scale", 2.0, 1.0)), (p,)) for p in places]
    out = b.add_all(kind, places)
    if around:
        out = tuple(
            b.add(Unary(Function("neg")), (p,)) if b.tensors[p].format == FP32 else p for p in out
        )
    return b.finish(tuple(out))


def agree(graph: Graph, inputs: Mapping[str, NDArray], bound: float = 1e-5) -> None:
    expected, _ = interpret(graph, inputs, {}, {})
    program = make_plan(graph, MACHINE, Infer()).program
    for runtime in (NativeRuntime(program), ReferenceRuntime(program)):
        found = runtime.call("forward", inputs, {})
        assert found.keys() == expected.keys()
        for name, array in expected.items():
            assert found[name].shape == array.shape
            np.testing.assert_allclose(found[name], array, rtol=bound, atol=bound)


def one(shapes: Sequence[tuple[int, ...]], kind: OpKind, around: bool = False) -> None:
    rng = np.random.default_rng(sum(map(sum, shapes)))
    inputs = {f"x{i}": rng.standard_normal(s).astype(np.float32) for i, s in enumerate(shapes)}
    agree(graph_of(shapes, kind, around), inputs)


@few
@given(SHAPES, st.randoms(use_true_random=False), st.booleans())
def test_transpose_then_reshape(shape: tuple[int, ...], random, around: bool) -> None:
    order = list(range(len(shape)))
    random.shuffle(order)
    one([shape], Transpose(tuple(order)), around)
    b = Builder("two")
    x = b.input("x0", tuple((f"d{d}", n) for d, n in enumerate(shape)))
    y = b.add(Reshape((int(np.prod(shape)),)), (b.add(Transpose(tuple(order)), (x,)),))
    array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    agree(b.finish((y,)), {"x0": array})


@few
@given(SHAPES, st.booleans(), st.booleans())
def test_reshape(shape: tuple[int, ...], split: bool, around: bool) -> None:
    size = int(np.prod(shape))
    one([shape], Reshape((1, size, 1) if split else tuple(reversed(shape))), around)


@few
@given(SHAPES, st.data(), st.booleans())
def test_slice(shape: tuple[int, ...], data: st.DataObject, around: bool) -> None:
    starts = tuple(data.draw(st.integers(0, n - 1)) for n in shape)
    ends = tuple(data.draw(st.integers(s + 1, n)) for s, n in zip(starts, shape, strict=True))
    steps = tuple(data.draw(st.integers(1, 2)) for _ in shape)
    one([shape], Slice(starts, ends, steps), around)


@few
@given(SHAPES, st.data(), st.booleans())
def test_concat(shape: tuple[int, ...], data: st.DataObject, around: bool) -> None:
    axis = data.draw(st.integers(0, len(shape) - 1))
    sizes = data.draw(st.lists(st.integers(1, 4), min_size=2, max_size=3))
    one([(*shape[:axis], n, *shape[axis + 1 :]) for n in sizes], Concat(axis), around)


@few
@given(SHAPES, st.sampled_from(("constant", "reflect", "edge")), st.data(), st.booleans())
def test_pad(shape: tuple[int, ...], mode: str, data: st.DataObject, around: bool) -> None:
    pads: list[tuple[int, int]] = []
    for size in shape:
        most = size - 1 if mode == "reflect" else 3
        pads.append((data.draw(st.integers(0, most)), data.draw(st.integers(0, most))))
    one([shape], Pad(tuple(pads), mode, 1.5 if mode == "constant" else 0.0), around)


@few
@given(SHAPES, st.data(), st.booleans())
def test_expand_and_tile(shape: tuple[int, ...], data: st.DataObject, around: bool) -> None:
    small = tuple(1 if data.draw(st.booleans()) else n for n in shape)
    one([small], Expand((2, *shape)), around)
    one([shape], Tile(tuple(data.draw(st.integers(1, 3)) for _ in shape)), around)


@few
@given(SHAPES, st.data(), st.booleans(), st.booleans())
def test_reduce(shape: tuple[int, ...], data: st.DataObject, keep: bool, around: bool) -> None:
    function = data.draw(
        st.sampled_from(("sum", "mean", "max", "min", "prod", "l1", "l2", "sum_square"))
    )
    axes = data.draw(st.sets(st.integers(0, len(shape) - 1), min_size=1))
    one([shape], Reduce(function, tuple(sorted(axes)), keep), around)


@few
@given(SHAPES, st.data(), st.booleans(), st.booleans())
def test_along_one_axis(
    shape: tuple[int, ...], data: st.DataObject, flag: bool, around: bool
) -> None:
    axis = data.draw(st.integers(0, len(shape) - 1))
    one([shape], ArgReduce("max" if flag else "min", axis, flag), around)
    one([shape], Softmax(axis, flag), around)
    one([shape], CumulativeSum(axis, flag, not flag), around)
    one([shape], TopK(data.draw(st.integers(1, shape[axis])), axis, flag), around)


@few
@given(st.data(), st.booleans())
def test_binary_broadcast(data: st.DataObject, around: bool) -> None:
    shape = data.draw(SHAPES)
    a = tuple(1 if data.draw(st.booleans()) else n for n in shape)
    b = tuple(1 if data.draw(st.booleans()) else n for n in shape)
    operator = data.draw(st.sampled_from(("add", "sub", "mul", "max", "min")))
    one([a, b[data.draw(st.integers(0, len(b))) :]], Binary(operator), around)


@few
@given(st.data(), st.booleans(), st.booleans(), st.booleans())
def test_matmul_broadcast(data: st.DataObject, left: bool, right: bool, around: bool) -> None:
    batch = data.draw(st.lists(st.integers(1, 3), max_size=2).map(tuple))
    m, k, n = (data.draw(st.integers(1, 9)) for _ in range(3))
    wide = tuple(1 if data.draw(st.booleans()) else size for size in batch)
    a, b = ((k, m) if left else (m, k)), ((n, k) if right else (k, n))
    one([(*batch, *a), (*wide, *b)], MatMul(left, right), around)
    one([(*batch, *a), b], MatMul(left, right), around)


@pytest.mark.parametrize("around", [False, True])
@pytest.mark.parametrize(
    "shapes", [((4,), (4,)), ((4,), (4, 3)), ((2, 4), (4,)), ((4,), (2, 4, 3)), ((2, 5, 4), (4,))]
)
def test_matmul_of_vectors(shapes: tuple[tuple[int, ...], ...], around: bool) -> None:
    one(shapes, MatMul(), around)


@pytest.mark.parametrize("around", [False, True])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("coordinates", COORDINATE_CODES)
def test_resize(coordinates: str, mode: str, around: bool) -> None:
    for sizes, scales in (((6, 10), (2.0, 2.0)), ((4, 3), (4 / 3, 0.6))):
        kind = Resize((1, 2, *sizes), (1.0, 1.0, *scales), mode, coordinates)
        one([(1, 2, 3, 5)], kind, around)


@few
@given(st.data(), st.sampled_from(("max", "average")), st.booleans(), st.booleans())
def test_pool(data: st.DataObject, mode: str, count_pad: bool, around: bool) -> None:
    kernel = tuple(data.draw(st.integers(1, 3)) for _ in range(2))
    strides = tuple(data.draw(st.integers(1, 2)) for _ in range(2))
    pads = tuple(
        (data.draw(st.integers(0, k - 1)), data.draw(st.integers(0, k - 1))) for k in kernel
    )
    one([(1, 3, 5, 6)], Pool(mode, kernel, strides, pads, (1, 1), count_pad), around)


def test_integers_are_moved_too() -> None:
    b = Builder("ids")
    x = b.input("x0", (("a", 3), ("b", 4)), INT64)
    y = b.add(Slice((1, 0), (4, 3), (1, 2)), (b.add(Transpose((1, 0)), (x,)),))
    agree(b.finish((y,)), {"x0": np.arange(12).reshape(3, 4)})


def convolved(kind: Conv | ConvTranspose, x: tuple[int, ...], weight: tuple[int, ...]) -> None:
    rng = np.random.default_rng(sum(weight))
    outputs = weight[0] if isinstance(kind, Conv) else weight[1] * kind.groups
    b = Builder("conv")
    image = b.input("x0", tuple((f"d{d}", n) for d, n in enumerate(x)))
    table = b.weight(
        "w", tuple((f"w{d}", n) for d, n in enumerate(weight)), FP32, (rng.standard_normal(weight),)
    )
    bias = b.weight("b", (("o", outputs),), FP32, (rng.standard_normal(outputs),))
    y = b.add(kind, (image, table, bias))
    agree(b.finish((y,)), {"x0": rng.standard_normal(x).astype(np.float32)}, 1e-4)


@few
@given(st.data())
def test_convolutions(data: st.DataObject) -> None:
    groups = data.draw(st.sampled_from((1, 1, 2, 3)))
    inputs, outputs = (groups * data.draw(st.integers(1, n)) for n in (4, 9))
    kernel, strides, dilations = (
        tuple(data.draw(st.integers(1, most)) for _ in range(2)) for most in (3, 3, 2)
    )
    pads = tuple((data.draw(st.integers(0, 2)), data.draw(st.integers(0, 2))) for _ in range(2))
    kind = Conv(strides, pads, dilations, groups, Function("relu"))
    convolved(kind, (2, inputs, 7, 8), (outputs, inputs // groups, *kernel))
    line = Conv(strides[:1], pads[:1], dilations[:1], groups)
    convolved(line, (1, inputs, 11), (outputs, inputs // groups, kernel[0]))


@few
@given(st.data())
def test_transposed_convolutions(data: st.DataObject) -> None:
    groups = data.draw(st.sampled_from((1, 1, 2)))
    inputs, outputs = groups * data.draw(st.integers(1, 4)), data.draw(st.integers(1, 9))
    kernel = tuple(data.draw(st.integers(1, 3)) for _ in range(2))
    # Windows that tile the output are packed another way.
    strides = (
        kernel if data.draw(st.booleans()) else tuple(data.draw(st.integers(1, 3)) for _ in "hw")
    )
    pads = tuple(
        (data.draw(st.integers(0, k - 1)), data.draw(st.integers(0, k - 1))) for k in kernel
    )
    extra = tuple(data.draw(st.integers(0, s - 1)) for s in strides)
    kind = ConvTranspose(strides, pads, (1, 1), extra, groups)
    convolved(kind, (2, inputs, 4, 5), (inputs, outputs, *kernel))
