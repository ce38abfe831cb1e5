"""A quantised network and its spiking form: equal where they must be, and near where they may."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import GraphError, UnsupportedError
from netwright.graph.build import Builder
from netwright.graph.graph import Graph
from netwright.graph.interpret import interpret
from netwright.graph.ops.elementwise import Unary
from netwright.graph.ops.function import Function
from netwright.graph.ops.linear import Linear
from netwright.graph.ops.quantise import FakeQuantise
from netwright.graph.tensor import TensorId
from netwright.job.job import Infer
from netwright.machine.load import library_machine
from netwright.plan.make import make_plan
from netwright.run.native import NativeRuntime
from netwright.transform.spike import Coding, encode, spike

SCALE = 1 / 16


def activation(b: Builder, x: TensorId, bits: int, signed: bool = False) -> TensorId:
    given_ = [
        b.weight(f"q{i}", (("one", 1),), data=np.array([v])) for i, v in enumerate((SCALE, 0))
    ]
    return b.add(FakeQuantise(bits, signed, False, "HALF_UP"), (x, *given_))


def layer(b: Builder, x: TensorId, sizes: tuple[int, int], random: np.random.Generator) -> TensorId:
    w = random.integers(-8, 9, sizes[::-1]) / 16
    bias = b.weight("b", (("n", sizes[1]),), data=random.integers(-8, 9, sizes[1]) / 64)
    return b.add(Linear(), (x, b.weight("w", (("n", sizes[1]), ("k", sizes[0])), data=w), bias))


def network(bits: int, layers: int, batch: int = 3) -> Graph:
    random, b = np.random.default_rng(bits), Builder("net")
    x = activation(b, b.input("x", (("batch", batch), ("n", 8))), bits)
    for _ in range(layers):
        x = activation(b, layer(b, x, (8, 8), random), bits)
    return b.finish((layer(b, x, (8, 4), random),))


def answer(graph: Graph, x: np.ndarray) -> np.ndarray:
    (found,) = interpret(graph, {"x": x}, {}, {})[0].values()
    return found


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(((1, 1, 1), (2, 3, 1), (2, 1, 2), (3, 7, 1), (4, 15, 1), (4, 5, 2))), st.data()
)
def test_one_activation_is_exact(form: tuple[int, int, int], data: st.DataObject) -> None:
    """Any value, below zero and above the top too, ties included."""
    bits, steps, spike_bits = form
    values = data.draw(st.lists(st.integers(-400, 1500), min_size=12, max_size=12))
    x = np.array(values).reshape(3, 4) / 1024
    b = Builder("one")
    graph = b.finish((activation(b, b.input("x", (("batch", 3), ("n", 4))), bits),))
    spiking = spike(graph, Coding(steps, spike_bits))
    counts = answer(spiking, x).sum(0)
    np.testing.assert_array_equal(counts * SCALE, answer(graph, x))
    if spike_bits == 1:
        program = make_plan(spiking, library_machine("raspberry-pi-5"), Infer()).program
        (found,) = NativeRuntime(program).call("forward", {"x": x}, {}).values()
        np.testing.assert_array_equal(found, answer(spiking, x))


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_one_step_of_many_bits_is_the_network_itself(bits: int) -> None:
    graph = network(bits, 2)
    x = np.random.default_rng(0).uniform(0, 1, (3, 8))
    np.testing.assert_allclose(
        answer(spike(graph, Coding(1, bits)), x)[0], answer(graph, x), rtol=0, atol=1e-6
    )


def test_one_layer_is_exact_in_depth_one() -> None:
    """The products of spikes add up to the products of counts: the order of steps is no matter."""
    graph = network(3, 0)
    x = np.random.default_rng(1).uniform(0, 1, (3, 8))
    found = answer(spike(graph, Coding(7)), x)
    np.testing.assert_allclose(found.mean(0), answer(graph, x), rtol=0, atol=1e-6)


@pytest.mark.parametrize("spike_bits", [1, 2])
def test_spikes_in_are_values_in(spike_bits: int) -> None:
    """`encode` is the neuron that the network would have had there."""
    graph, x = network(4, 1), np.random.default_rng(2).uniform(-0.2, 1.2, (3, 8))
    x = np.round(x * 1024) / 1024
    steps = 15 if spike_bits == 1 else 5
    top = 15 * SCALE
    coded = encode(x, top, Coding(steps, spike_bits))
    assert coded.max() <= (1 << spike_bits) - 1
    np.testing.assert_array_equal(coded.sum(0), np.clip(np.floor(x / SCALE + 0.5), 0, 15))
    inside = answer(spike(graph, Coding(steps, spike_bits)), x)
    outside = answer(spike(graph, Coding(steps, spike_bits, from_spikes=True)), coded)
    level = np.clip(np.floor(x / SCALE + 0.5), 0, 15) * SCALE
    np.testing.assert_allclose(
        outside, answer(spike(graph, Coding(steps, spike_bits)), level), atol=1e-6
    )
    assert inside.shape == outside.shape


def test_more_steps_come_closer() -> None:
    graph, x = network(4, 2), np.random.default_rng(3).uniform(0, 1, (3, 8))
    errors = [
        float(np.abs(answer(spike(graph, Coding(t)), x).mean(0) - answer(graph, x)).mean())
        for t in (4, 480)
    ]
    assert errors[1] < errors[0] / 3


def test_what_has_no_spiking_form_is_named() -> None:
    with pytest.raises(GraphError, match="0 steps"):
        Coding(0)
    b = Builder("signed")
    graph = b.finish((activation(b, b.input("x", (("batch", 1), ("n", 4))), 3, signed=True),))
    with pytest.raises(UnsupportedError, match="not unsigned"):
        spike(graph, Coding(3))
    b = Builder("smooth")
    x = b.input("x", (("batch", 1), ("n", 4)))
    graph = b.finish((b.add(Unary(Function("gelu")), (x,), "bend"),))
    with pytest.raises(UnsupportedError, match="bend"):
        spike(graph, Coding(3))
    b = Builder("plain")
    out = layer(b, b.input("x", (("batch", 1), ("n", 8))), (8, 4), np.random.default_rng(0))
    with pytest.raises(UnsupportedError, match="unquantised"):
        spike(b.finish((out,)), Coding(3, from_spikes=True))
