"""Lowered gathers, scatters, norms and attention against the interpreter."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from netwright.graph.build import Builder
from netwright.graph.format import BOOL, FP32, INT64
from netwright.graph.graph import Graph
from netwright.graph.interpret import interpret
from netwright.graph.op import OpKind
from netwright.graph.ops.attention import Attention
from netwright.graph.ops.elementwise import Cast, Where
from netwright.graph.ops.gather import Gather, GatherElements, GatherNd, ScatterNd
from netwright.graph.ops.norm import GroupNorm, LayerNorm, LpNorm, RmsNorm
from netwright.job.job import Infer
from netwright.machine.load import library_machine
from netwright.plan.make import make_plan
from netwright.run.native import NativeRuntime
from netwright.run.reference import ReferenceRuntime

MACHINE = library_machine("raspberry-pi-5")
FORMS = {"f": FP32, "i": INT64, "b": BOOL}
few = settings(max_examples=25, deadline=None)


def agree(kind: OpKind, arrays: Mapping[str, NDArray], bound: float = 1e-5) -> None:
    """One operator on inputs; an array's kind of dtype says its format."""
    graph = alone(kind, arrays)
    expected, _ = interpret(graph, arrays, {}, {})
    program = make_plan(graph, MACHINE, Infer()).program
    for runtime in (NativeRuntime(program), ReferenceRuntime(program)):
        found = runtime.call("forward", arrays, {})
        for name, array in expected.items():
            np.testing.assert_allclose(found[name], array, rtol=bound, atol=bound)


def alone(kind: OpKind, arrays: Mapping[str, NDArray]) -> Graph:
    b = Builder("one")
    places = [
        b.input(name, tuple((f"{name}{d}", n) for d, n in enumerate(a.shape)), FORMS[a.dtype.kind])
        for name, a in arrays.items()
    ]
    return b.finish(b.add_all(kind, places))


def floats(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


shapes = st.lists(st.integers(1, 5), min_size=1, max_size=4).map(tuple)


@st.composite
def axes(draw: st.DrawFn) -> tuple[tuple[int, ...], int]:
    """A shape and an axis of it, counted from either end."""
    shape = draw(shapes)
    return shape, draw(st.integers(-len(shape), len(shape) - 1))


@few
@given(axes(), st.data())
def test_gather(place: tuple[tuple[int, ...], int], data: st.DataObject) -> None:
    shape, axis = place
    rng = np.random.default_rng(0)
    picked = data.draw(st.lists(st.integers(1, 3), max_size=2))
    size = shape[axis]
    agree(Gather(axis), {"x": floats(*shape), "i": rng.integers(-size, size, picked)})
    agree(GatherElements(axis), {"x": floats(*shape), "i": rng.integers(-size, size, shape)})


@few
@given(shapes, st.data())
def test_by_tuples(shape: tuple[int, ...], data: st.DataObject) -> None:
    rng = np.random.default_rng(0)
    depth = data.draw(st.integers(1, len(shape)))
    index = np.stack([rng.integers(-n, n, (3,)) for n in shape[:depth]], axis=-1)
    agree(GatherNd(), {"x": floats(*shape), "i": index})
    updates = floats(3, *shape[depth:])
    agree(ScatterNd(), {"x": floats(*shape), "i": index, "u": updates})
    if len(shape) > 1:
        inside = rng.integers(0, shape[1], (shape[0], 2, 1))
        agree(GatherNd(1), {"x": floats(*shape), "i": inside})


@few
@given(axes(), st.sampled_from((1, 2)))
def test_norms(place: tuple[tuple[int, ...], int], p: int) -> None:
    shape, axis = place
    agree(LpNorm(axis, p), {"x": floats(*shape)})
    last = floats(shape[-1])
    agree(RmsNorm(1e-3), {"x": floats(*shape), "w": last})
    for dims in range(1, len(shape) + 1):
        scale = floats(*shape[-dims:])
        agree(LayerNorm(dims, 1e-2), {"x": floats(*shape), "w": scale, "b": scale + 1}, 1e-4)
    if len(shape) > 2:
        channels = floats(shape[1])
        norm = {"x": floats(*shape), "w": channels, "b": channels + 1}
        for groups in {1, shape[1]}:
            agree(GroupNorm(groups, 1e-2), norm, 1e-4)


@pytest.mark.parametrize("mask", [None, (5, 7), (4, 1, 7), (1, 5, 1), (2, 4, 5, 7)])
@pytest.mark.parametrize("batch", [(), (2,)])
def test_attention(batch: tuple[int, ...], mask: tuple[int, ...] | None) -> None:
    if mask is not None and len(mask) == 4 and not batch:
        pytest.skip("a batch of masks needs a batch")
    arrays = {
        "q": floats(*batch, 5, 4, 8), "k": floats(*batch, 7, 2, 8), "v": floats(*batch, 7, 2, 16),
    }  # fmt: skip
    if mask is not None:
        arrays["m"] = floats(*mask)
    agree(Attention(0.3), arrays, 1e-4)
    agree(Attention(0.3, causal=True, window=3, softcap=5.0), arrays, 1e-4)


@few
@given(shapes, st.data())
def test_where_and_casts(shape: tuple[int, ...], data: st.DataObject) -> None:
    rng = np.random.default_rng(1)
    thin = tuple(1 if data.draw(st.booleans()) else n for n in shape)
    agree(Where(), {"c": rng.random(thin) > 0.5, "a": floats(*shape), "b": floats(*shape[1:])})
    agree(
        Where(),
        {
            "c": rng.random(shape) > 0.5,
            "a": rng.integers(0, 9, thin),
            "b": rng.integers(0, 9, shape),
        },
    )
    agree(Cast("int"), {"x": floats(*shape) * 5})
    agree(Cast("bool"), {"x": rng.integers(-1, 2, shape)})
    agree(Cast("float"), {"x": rng.random(shape) > 0.5})
