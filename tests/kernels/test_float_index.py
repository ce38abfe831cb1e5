"""Index and axis kernels against the references of their graph kinds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.graph.ops.gather import Gather, GatherElements, GatherNd, ScatterNd
from netwright.graph.ops.norm import GroupNorm, LpNorm
from netwright.graph.ops.reduce import ArgReduce, CumulativeSum, TopK
from netwright.native import core

from .calls import Array, operand, run_all

formats = st.sampled_from(["float32", "int64", "int32"])
index_formats = st.sampled_from(["int32", "int64"])


def layouts(array: Array, permute: bool) -> Array:
    """The same values, stored in reversed order of dims when `permute`."""
    return np.ascontiguousarray(array.T).T if permute else array


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(*[st.integers(1, 4)] * 3), st.integers(0, 5), formats, index_formats, st.booleans()
)
def test_gather(
    shape: tuple[int, int, int], count: int, kind: str, index_kind: str, permute: bool
) -> None:
    rng = np.random.default_rng(count)
    table = layouts(rng.integers(-99, 99, shape).astype(kind), permute)
    indices = rng.integers(-shape[1], shape[1], count).astype(index_kind)
    (expected,) = Gather(1).reference([table, indices])
    outs = run_all("gather", lambda: [np.zeros(expected.shape, kind)], [table, indices], [])
    for (out,) in outs:
        np.testing.assert_array_equal(out, expected)


def test_a_hostile_index_is_held_inside() -> None:
    table = np.arange(4, dtype=np.float32).reshape(1, 4, 1)
    indices = np.array([2**62, -(2**62), 4, -5], np.int64)
    for (out,) in run_all("gather", lambda: [np.zeros((1, 4, 1), "f4")], [table, indices], []):
        np.testing.assert_array_equal(out.ravel(), [3, 0, 3, 0])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.data(), index_formats, st.booleans())
def test_gather_elements(
    shape: list[int], data: st.DataObject, index_kind: str, permute: bool
) -> None:
    rng = np.random.default_rng(0)
    axis = data.draw(st.integers(0, len(shape) - 1))
    x = layouts(rng.standard_normal(shape).astype(np.float32), permute)
    index_shape = [data.draw(st.integers(1, n)) if d != axis else 3 for d, n in enumerate(shape)]
    indices = rng.integers(-shape[axis], shape[axis], index_shape).astype(index_kind)
    (expected,) = GatherElements(axis).reference([x, indices])
    outs = run_all("gather_elements", lambda: [np.zeros(index_shape, "f4")], [x, indices], [axis])
    for (out,) in outs:
        np.testing.assert_array_equal(out, expected)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.data(), index_formats, st.booleans())
def test_gather_nd_and_scatter_nd(
    shape: list[int], data: st.DataObject, index_kind: str, permute: bool
) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))
    x = layouts(rng.standard_normal(shape).astype(np.float32), permute)
    batch = data.draw(st.integers(0, len(shape) - 1))
    depth = data.draw(st.integers(1, len(shape) - batch))
    sizes = shape[batch : batch + depth]
    middle = data.draw(st.lists(st.integers(1, 3), min_size=1 if batch == 0 else 0, max_size=2))
    lead = [*shape[:batch], *middle]
    if len(lead) + len(shape) - batch - depth > 6:
        return
    columns = [rng.integers(-n, n, lead) for n in sizes]
    indices = np.stack(columns, -1).astype(index_kind)
    (expected,) = GatherNd(batch).reference([x, indices])
    outs = run_all("gather_nd", lambda: [np.zeros(expected.shape, "f4")], [x, indices], [batch])
    for (out,) in outs:
        np.testing.assert_array_equal(out, expected)
    if batch == 0:
        updates = rng.standard_normal(expected.shape).astype(np.float32)
        (expected,) = ScatterNd().reference([x, indices, updates])
        inputs = [x, indices, updates]
        for (out,) in run_all("scatter_nd", lambda: [np.zeros(shape, "f4")], inputs, []):
            np.testing.assert_array_equal(out, expected)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.data(), formats, st.booleans())
def test_along_an_axis(shape: list[int], data: st.DataObject, kind: str, permute: bool) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))
    axis = data.draw(st.integers(0, len(shape) - 1))
    x = layouts(rng.integers(-3, 4, shape).astype(kind), permute)
    flags = [data.draw(st.booleans()), data.draw(st.booleans())]
    (expected,) = CumulativeSum(axis, *flags).reference([x])
    parameters = [axis, *map(int, flags)]
    for (out,) in run_all("cumulative_sum", lambda: [np.zeros(shape, kind)], [x], parameters):
        np.testing.assert_array_equal(out, expected)
    k = data.draw(st.integers(0, shape[axis]))
    values, places = TopK(k, axis, flags[0]).reference([x])
    for out in run_all(
        "top_k",
        lambda: [np.zeros(values.shape, kind), np.zeros(values.shape, np.int64)],
        [x],
        [axis, int(flags[0])],
    ):
        np.testing.assert_array_equal(out[0], values)
        np.testing.assert_array_equal(out[1], places)
    if kind == "float32":
        p = data.draw(st.integers(1, 2))
        (expected,) = LpNorm(axis, p).reference([x.astype(np.float64)])
        for (out,) in run_all("lp_norm", lambda: [np.zeros(shape, "f4")], [x], [axis, p]):
            np.testing.assert_allclose(out, expected, rtol=2e-7)


@settings(max_examples=20, deadline=None)
@given(st.tuples(*[st.integers(1, 5)] * 3), st.sampled_from(["max", "min"]), formats)
def test_arg_reduce(shape: tuple[int, int, int], name: str, kind: str) -> None:
    x = np.random.default_rng(sum(shape)).integers(-2, 3, shape).astype(kind)
    (expected,) = ArgReduce(name, 1).reference([x])
    parameters = [2 if name == "max" else 3]
    outs = run_all("arg_reduce", lambda: [np.zeros(expected.shape, np.int64)], [x], parameters)
    for (out,) in outs:
        np.testing.assert_array_equal(out, expected)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 2),
    st.sampled_from([1, 2, 8, 24]),
    st.sampled_from([1, 5, 64, 700]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_group_norm(
    batch: int, channels: int, places: int, per_channel: bool, last: bool, out_last: bool
) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, channels, places)).astype(np.float32) + 2
    if last:
        x = np.ascontiguousarray(x.swapaxes(1, 2)).swapaxes(1, 2)
    scale, bias = rng.standard_normal((2, channels)).astype(np.float32)
    groups = channels if per_channel else max(channels // 4, 1)
    (expected,) = GroupNorm(groups, 1e-3).reference(
        [a.astype(np.float64) for a in (x, scale, bias)]
    )

    def outputs() -> list[Array]:
        if out_last:
            return [np.zeros((batch, places, channels), "f4").swapaxes(1, 2)]
        return [np.zeros(x.shape, "f4")]

    for (out,) in run_all("group_norm", outputs, [x, scale, bias], [groups, 1e-3]):
        np.testing.assert_allclose(out, expected, rtol=0, atol=3e-5)


@pytest.mark.parametrize(
    ("name", "shapes", "parameters", "message"),
    [
        ("gather", ["f132", "f142", "i2"], [], "agree"),
        ("gather", ["f102", "f142", "f0"], [], "int32"),
        ("gather", ["f122", "f102", "i2"], [], "empty"),
        ("gather_elements", ["f34", "f24", "i34"], [1], "beyond"),
        ("gather_elements", ["f34", "f34", "i34"], [2], "axis"),
        ("gather_nd", ["f3", "f34", "i31"], [0], "fit"),
        ("gather_nd", ["f3", "f34", "i33"], [0], "fit"),
        ("gather_nd", ["f3", "f34", "i32"], [2], "batch"),
        ("scatter_nd", ["f34", "f34", "i21", "f23"], [], "agree"),
        ("cumulative_sum", ["f34", "f34"], [2, 0, 0], "axis"),
        ("top_k", ["f5", "l5", "f4"], [0, 1], "fit"),
        ("lp_norm", ["f5", "f5"], [0, 3], "p is"),
        ("arg_reduce", ["l11", "f131"], [0], "function"),
        ("group_norm", ["f132", "f132", "f3", "f3"], [2, 1e-5], "groups"),
    ],
)
def test_refuses(name: str, shapes: list[str], parameters: list[int | float], message: str) -> None:
    types = {"f": np.float32, "i": np.int32, "l": np.int64}
    arrays = [np.zeros([int(n) for n in each[1:]], types[each[0]]) for each in shapes]
    with pytest.raises(ValueError, match=message):
        core.call(name, [operand(each) for each in arrays], parameters)
