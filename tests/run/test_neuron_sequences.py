"""Sequences of neurons [T, B, n] in the core: every convention, both forms, with products."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import UnsupportedError
from netwright.graph.build import Builder, encoded
from netwright.graph.format import FP64
from netwright.graph.graph import Graph
from netwright.graph.interpret import interpret
from netwright.graph.ops.linear import Linear
from netwright.graph.ops.neuron import CobaLif, CubaLif, If, Li, Lif
from netwright.graph.ops.neuron_each import alike, known_parameters
from netwright.graph.ops.neuron_rule import Discretisation, Method, Reset
from netwright.job.job import Infer
from netwright.machine.load import library_machine
from netwright.plan.lower.linear import MOST_SPIKES
from netwright.plan.make import make_plan
from netwright.run import native
from netwright.run.native import NativeRuntime
from netwright.run.reference import ReferenceRuntime

MACHINE = library_machine("raspberry-pi-5")
CORE = native.core


class Plain:
    """The core, as on a processor without AVX2."""

    def __getattr__(self, name: str) -> Any:
        return (lambda: False) if name == "has_avx2" else getattr(CORE, name)


@st.composite
def kinds(draw: Any) -> Any:
    holds = draw(st.integers(0, 2))
    rule = Discretisation(
        1e-3,
        draw(st.sampled_from(tuple(Method))),
        draw(st.sampled_from(tuple(Reset))),
        draw(st.sampled_from((-0.25, 0.0))),
        draw(st.booleans()) and not holds,
        draw(st.booleans()),
        holds,
        draw(st.sampled_from((None, 1.0, 0.75))),
        draw(st.sampled_from((None, 0.5))),
    )
    taus = tuple(draw(st.lists(st.sampled_from((2e-3, 4e-3, 8e-3)), min_size=1, max_size=4)))
    later = replace(rule, input_after=draw(st.booleans()))
    return draw(
        st.sampled_from(
            (
                Lif(8e-3, 0.5, rule, 0.25),
                If(0.5, replace(rule, input_scale=0.5)),
                Li(8e-3, replace(rule, refractory_steps=0)),
                CubaLif(8e-3, taus, 0.5, later, 0.25),
                CubaLif(8e-3, taus, 0.5, replace(later, refractory_steps=0), traced=True),
                CobaLif(8e-3, taus, tuple(3.0 - 2 * i for i in range(len(taus))), 0.5, later),
            )
        )
    )


def alone(kind: Any, shape: tuple[int, int, int]) -> tuple[Graph, dict[str, Any]]:
    random = np.random.default_rng(sum(shape))
    b = Builder("sequence")
    dims = tuple(zip("tbn", shape, strict=True))
    m = alike(kind).membrane()
    number = max(1, len(m.decays))
    given_ = {f"x{k}": random.integers(-2, 7, shape) / 8 for k in range(number)}
    operands: list[Any] = [b.input(name, dims) for name in given_]
    if kind.each:
        operands += [None] * (1 + len(m.decays) + bool(kind.rule.refractory_steps))
    for name in kind.each:
        own = np.atleast_1d(getattr(kind, name, -0.25))[:, None]
        values = np.where(np.isinf(own), own, own * random.uniform(0.5, 1.5, (len(own), shape[2])))
        values = values if isinstance(getattr(kind, name, 0.0), tuple) else values[0]
        operands.append(
            b.weight(
                name, tuple(zip("kn"[-values.ndim :], values.shape, strict=True)), FP64, values
            )
        )
    made = b.add_all(kind, operands, "neurons")
    return b.finish(made), given_


@settings(max_examples=40, deadline=None)
@given(
    kinds(),
    st.tuples(st.integers(1, 20), st.integers(1, 3), st.sampled_from((1, 5, 8, 63, 130, 520))),
    st.booleans(),
)
def test_native_follows_the_reference(kind: Any, shape: tuple[int, int, int], differ: bool) -> None:
    graph, inputs = alone(replace(kind, each=known_parameters(kind)) if differ else kind, shape)
    program = make_plan(graph, MACHINE, Infer()).program
    expected, _ = interpret(graph, inputs, {}, {})
    found = NativeRuntime(program).call("forward", inputs, {})
    slow = ReferenceRuntime(program).call("forward", inputs, {})
    native.core, kept = Plain(), native.core
    try:
        plain = NativeRuntime(program).call("forward", inputs, {})
    finally:
        native.core = kept
    spikes, *states = expected
    for name in expected:
        np.testing.assert_array_equal(plain[name], found[name])
    # A membrane within rounding of the threshold may fall on either side; then all after differ.
    same = (found[spikes] == expected[spikes]).mean() if spikes != "v" else 1.0
    assert same > 0.97 or np.allclose(found[spikes], expected[spikes], atol=1e-4)
    assert (slow[spikes] == expected[spikes]).mean() > 0.97 or np.allclose(
        slow[spikes], expected[spikes], atol=1e-4
    )
    for name in states:
        close = np.isclose(found[name], expected[name], rtol=1e-4, atol=1e-4)
        assert close.mean() > 0.9


@settings(max_examples=20, deadline=None)
@given(kinds(), st.sampled_from((1, 5, 130)))
def test_neurons_that_differ_in_nothing_are_a_population_bit_for_bit(kind: Any, size: int) -> None:
    shape = (9, 2, size)
    plain, inputs = alone(kind, shape)
    names = known_parameters(kind)
    graph, _ = alone(replace(kind, each=names), shape)
    tensors = list(graph.tensors)
    for place, tensor in enumerate(tensors):
        if tensor.name in names:
            value = getattr(kind, tensor.name, kind.rule.reset_value)
            own = np.broadcast_to(np.reshape(value, (*np.shape(value), 1)), tensor.shape)
            tensors[place] = replace(tensor, data=(encoded(FP64, own),))
    graph = replace(graph, tensors=tuple(tensors))
    one, each = (
        NativeRuntime(make_plan(g, MACHINE, Infer()).program).call("forward", inputs, {})
        for g in (plain, graph)
    )
    for ours, theirs in zip(each.values(), one.values(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("density", [0.02, 0.9])
def test_products_of_spikes_have_an_offer(density: float) -> None:
    """By declared density; whatever is picked, the spikes are those of the reference."""
    random = np.random.default_rng(0)
    x = (random.random((30, 1, 200)) < 0.05).astype(np.float64)
    b = Builder("layers")
    place = b.input("x", (("t", 30), ("b", 1), ("n", 200)))
    b.tensors[place] = replace(b.tensors[place], density=density)
    w = random.integers(-4, 9, (64, 200)) / 16
    weight = b.weight("w", (("o", 64), ("n", 200)), data=w)
    bias = b.weight("c", (("o", 64),), data=np.full(64, 0.125))
    current = b.add(Linear(), (place, weight, bias), "product")
    rule = Discretisation(1e-3, reset=Reset.SUBTRACT, input_scale=1.0)
    graph = b.finish((b.add(Lif(1e-2, 1.0, rule), (current,), "lif"),))
    plan = make_plan(graph, MACHINE, Infer())
    offered = any("rows of what is not zero" in str(d.alternatives) for d in plan.decisions)
    assert offered == (density < MOST_SPIKES)
    expected, _ = interpret(graph, {"x": x}, {}, {})
    found = NativeRuntime(plan.program).call("forward", {"x": x}, {})
    for name in expected:
        assert (found[name] != expected[name]).sum() <= 2
        assert expected[name].sum() > 50


def test_what_has_no_kernel_is_named() -> None:
    rule = Discretisation(1e-3, reset=Reset.SUBTRACT, most_spikes=0)
    graph, _ = alone(Lif(1e-2, 1.0, rule), (3, 1, 4))
    with pytest.raises(UnsupportedError, match="several spikes in a step"):
        make_plan(graph, MACHINE, Infer())
    graph, _ = alone(CubaLif(1e-2, (1e-3,) * 5), (3, 1, 4))
    with pytest.raises(UnsupportedError, match="5 receptors, and the kernel takes 4"):
        make_plan(graph, MACHINE, Infer())
