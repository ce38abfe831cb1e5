"""Whole numbers, small widths, lone batch norms and states against the interpreter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from netwright.errors import PlanError, UnsupportedError
from netwright.graph.build import Builder
from netwright.graph.format import FP32, Format, format_of
from netwright.graph.graph import Graph
from netwright.graph.interpret import interpret
from netwright.graph.op import OpKind
from netwright.graph.ops.elementwise import Binary, Unary
from netwright.graph.ops.function import Function
from netwright.graph.ops.kinds import KINDS, TRAINING_KINDS
from netwright.graph.ops.linear import MatMul
from netwright.graph.ops.movement import Transpose
from netwright.graph.ops.norm import BatchNorm
from netwright.graph.ops.position import StateUpdate
from netwright.graph.ops.reduce import REDUCE_CODES, ArgReduce, CumulativeSum, Reduce
from netwright.graph.zoo.resnet import ResnetSizes, resnet
from netwright.job.job import Infer
from netwright.machine.load import library_machine
from netwright.plan.lower.step import bytes_of
from netwright.plan.lower.table import LOWERINGS
from netwright.plan.make import make_plan
from netwright.run.native import NativeRuntime
from netwright.run.reference import ReferenceRuntime

MACHINE = library_machine("raspberry-pi-5")
few = settings(max_examples=20, deadline=None)
shapes = st.lists(st.integers(1, 5), min_size=1, max_size=4).map(tuple)
forms = st.sampled_from(("int8", "uint8", "int16", "int32", "int64"))
FUNCTIONS = (
    Function("relu"), Function("clip", -2.0, 3.0), Function("abs"), Function("square"),
    Function("neg"), Function("sign"), Function("identity"),
)  # fmt: skip


def whole(form: str, *shape: int, high: int = 6) -> NDArray:
    low = 0 if form.startswith("u") else -high
    return np.random.default_rng(sum(shape)).integers(low, high, shape).astype(form)


def alone(
    kind: OpKind, arrays: Sequence[NDArray], formats: Sequence[Format] = ()
) -> tuple[Graph, dict[str, NDArray]]:
    b = Builder("one")
    given = {f"x{i}": array for i, array in enumerate(arrays)}
    places = [
        b.input(name, tuple((f"{name}d{d}", n) for d, n in enumerate(a.shape)), _form(a))
        for name, a in given.items()
    ]
    return b.finish(b.add_all(kind, places, "here", formats)), given


def _form(array: NDArray) -> Format:
    return FP32 if array.dtype.kind == "f" else format_of(array.dtype.name)


def agree(graph: Graph, inputs: Mapping[str, NDArray], bound: float = 0.0) -> None:
    expected, _ = interpret(graph, inputs, {}, {})
    program = make_plan(graph, MACHINE, Infer()).program
    for runtime in (NativeRuntime(program), ReferenceRuntime(program)):
        found = runtime.call("forward", inputs, {})
        for name, array in expected.items():
            np.testing.assert_allclose(found[name], array, rtol=bound, atol=bound)


def test_every_kind_of_operator_is_lowered() -> None:
    assert set(LOWERINGS) == set(KINDS) - set(TRAINING_KINDS)


@few
@given(shapes, forms, st.sampled_from(FUNCTIONS))
def test_functions(shape: tuple[int, ...], form: str, function: Function) -> None:
    if form.startswith("u") and function.name == "neg":
        function = Function("abs")
    agree(*alone(Unary(function), [whole(form, *shape)], [format_of(form)]))


@few
@given(shapes, forms, st.sampled_from(tuple(REDUCE_CODES)), st.data())
def test_reductions(shape: tuple[int, ...], form: str, function: str, data: st.DataObject) -> None:
    axes = tuple(d for d in range(len(shape)) if data.draw(st.booleans()))
    array = np.maximum(whole("int64", *shape, high=3), -2).astype("int64")
    array = np.abs(array) if form.startswith("u") else array
    kind = Reduce(function, axes, data.draw(st.booleans()))
    agree(*alone(kind, [array.astype(form)], [format_of("int64")]))
    axis = data.draw(st.integers(0, len(shape) - 1))
    agree(*alone(ArgReduce("max", axis), [array.astype(form)]))
    agree(*alone(CumulativeSum(axis), [array.astype(form)]))


@few
@given(
    st.lists(st.integers(1, 3), max_size=2).map(tuple),
    st.tuples(st.integers(1, 9), st.integers(1, 40), st.integers(1, 19)),
    st.sampled_from(("int8", "uint8", "int32", "int64")),
    st.booleans(),
)
def test_products(
    batch: tuple[int, ...], sizes: tuple[int, int, int], form: str, transposed: bool
) -> None:
    """int8 operands with sums in int32, as MatMulInteger has it."""
    m, k, n = sizes
    total = "int64" if form == "int64" else "int32"
    a, b = whole(form, *batch, m, k, high=127), whole(form, k, n, high=127)
    kind = MatMul(transpose_b=transposed)
    agree(*alone(kind, [a, b.T.copy() if transposed else b], [format_of(total)]))
    agree(*alone(MatMul(), [a, whole(form, k, high=9)], [format_of(total)]))


@few
@given(shapes, forms)
def test_operators_of_small_widths(shape: tuple[int, ...], form: str) -> None:
    a, b = whole(form, *shape), whole(form, *shape[1:])
    for operator in ("add", "mul", "max", "less"):
        formats = () if operator == "less" else [format_of(form)]
        agree(*alone(Binary(operator), [a, b], formats))


@pytest.mark.parametrize("form", ["int32", "int64"])
def test_whole_powers_of_reals(form: str) -> None:
    x = np.random.default_rng(0).uniform(0.5, 2, (3, 4)).astype(np.float32)
    agree(*alone(Binary("pow"), [x, whole(form, 4)]), bound=1e-5)


def test_a_scaled_product_of_whole_numbers_is_refused_by_name() -> None:
    graph, _ = alone(MatMul(scale=0.5), [whole("int64", 2, 3), whole("int64", 3, 2)])
    with pytest.raises(UnsupportedError, match=r"here .*multiply after it"):
        make_plan(graph, MACHINE, Infer())


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("shape", [(3, 4), (2, 4, 5), (2, 4, 3, 5), (1, 4, 2, 3, 2)])
def test_batch_norm(shape: tuple[int, ...], constant: bool) -> None:
    rng = np.random.default_rng(0)
    b = Builder("norm")
    x = b.input("x", tuple((f"d{d}", n) for d, n in enumerate(shape)))
    parts = {n: rng.uniform(0.5, 2, 4).astype(np.float32) for n in ("scale", "bias", "mean", "var")}
    dims = (("channel", 4),)
    places = [
        b.weight(n, dims, FP32, v) if constant else b.input(n, dims) for n, v in parts.items()
    ]
    y = b.add(Unary(Function("neg")), (b.add(BatchNorm(1e-3), (x, *places)),))
    array = rng.standard_normal(shape).astype(np.float32)
    agree(b.finish((y,)), {"x": array, **({} if constant else parts)}, bound=1e-5)


def test_a_format_that_no_kernel_reads_is_refused() -> None:
    assert bytes_of("int64") == 8
    with pytest.raises(UnsupportedError, match="uint32 here; cast it to one of fp64, fp32"):
        bytes_of("uint32")


def test_a_variance_below_zero_is_not_a_number() -> None:
    """As it would be at run time, in that channel alone."""
    b = Builder("norm")
    x = b.input("x", (("d0", 1), ("d1", 2)))
    parts = ([1.0, 1.0], [0.0, 0.0], [0.0, 0.0], [1.0, -1.0])
    places = [
        b.weight(n, (("channel", 2),), FP32, np.array(v, np.float32))
        for n, v in zip(("scale", "bias", "mean", "var"), parts, strict=True)
    ]
    y = b.add(Unary(Function("neg")), (b.add(BatchNorm(0.0), (x, *places)),))
    program = make_plan(b.finish((y,)), MACHINE, Infer()).program
    (found,) = (
        NativeRuntime(program).call("forward", {"x": np.ones((1, 2), np.float32)}, {}).values()
    )
    np.testing.assert_array_equal(found, [[-1.0, np.nan]])


def test_a_result_that_no_memory_holds_is_named() -> None:
    b = Builder("outer")
    wide, high = (
        b.input("wide", (("one", 1), ("n", 1 << 21))),
        b.input("high", (("m", 1 << 21), ("one", 1))),
    )
    y = b.add(Unary(Function("neg")), (b.add(Binary("add"), (wide, high), "sum"),))
    with pytest.raises(PlanError, match="17592186044416 bytes"):
        make_plan(b.finish((y,)), MACHINE, Infer())


def test_states_are_updated_after_their_readers() -> None:
    """A view of the old state is read after the update: it must still show the old values."""
    b = Builder("state")
    dims = (("a", 3), ("b", 3))
    x, state = b.input("x", dims), b.state("s", dims)
    old = b.add(Transpose((1, 0)), (state,))
    new = b.add(StateUpdate(), (state, b.add(Binary("add"), (old, x))))
    y = b.add(Binary("sub"), (new, old))
    graph = b.finish((y,))
    program = make_plan(graph, MACHINE, Infer()).program
    rng = np.random.default_rng(0)
    runtimes = (NativeRuntime(program), ReferenceRuntime(program))
    held = np.zeros((3, 3), np.float32)
    for _ in range(3):
        array = rng.standard_normal((3, 3)).astype(np.float32)
        before, held = held, held.T + array
        for runtime in runtimes:
            found = runtime.call("forward", {"x": array}, {})
            (result,) = found.values()
            np.testing.assert_allclose(result, held - before.T, rtol=1e-5, atol=1e-6)


def test_a_weight_without_data_is_named() -> None:
    graph = resnet(ResnetSizes(width=8, image=32), seed=None)
    with pytest.raises(PlanError, match=r"weight '.*' has no data.*or a seed"):
        make_plan(graph, MACHINE, Infer())
