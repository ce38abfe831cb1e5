"""Neurons on cores: limits hold, nothing is lost, and the certificate is right."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import PlanError, UnsupportedError
from netwright.graph.build import Builder
from netwright.graph.graph import Graph
from netwright.graph.ops.conv import Conv
from netwright.graph.ops.linear import Linear
from netwright.graph.ops.movement import Reshape
from netwright.graph.ops.neuron import Lif
from netwright.graph.zoo.mlp import mlp
from netwright.machine.load import machine
from netwright.machine.spiking import SpikingMesh
from netwright.plan.chip.axons import axons
from netwright.plan.chip.flat import chip_of
from netwright.plan.chip.make import map_graph
from netwright.plan.chip.place import demand, place
from netwright.plan.chip.synapse import CONVOLUTION, DENSE, SPARSE, Wiring
from netwright.plan.chip.wiring import wiring
from netwright.program.file import load as read_program
from netwright.program.file import save

LIF = Lif(0.02)


def layers(weights: list[np.ndarray]) -> Graph:
    """Linear and LIF, again and again, 2 steps of 3 samples."""
    builder = Builder("layers")
    x = builder.input("spikes", (("step", 2), ("batch", 3), ("input", weights[0].shape[1])))
    for n, values in enumerate(weights):
        dims = (("neuron", values.shape[0]), ("input", values.shape[1]))
        weight = builder.weight(f"w{n}", dims, data=values.astype(np.float32))
        bias = builder.weight(f"b{n}", dims[:1], data=np.ones(len(values), np.float32))
        x = builder.add(LIF, (builder.add(Linear(), (x, weight, bias)), None), f"layer{n}")
    return builder.finish([x])


def pairs(found: Wiring) -> set[tuple[int, int]]:
    return {
        (int(s), int(t)) for p in found.projections for s, t in zip(p.source, p.target, strict=True)
    }


def test_the_wiring_of_products_is_where_weights_are_not_zero() -> None:
    rng = np.random.default_rng(0)
    first = rng.standard_normal((5, 7)) * (rng.random((5, 7)) < 0.5)
    second = rng.standard_normal((4, 5))
    found = wiring(layers([first, second]))
    expected = {(int(s), 7 + int(t)) for t, s in zip(*np.nonzero(first), strict=True)}
    expected |= {(7 + s, 12 + t) for s in range(5) for t in range(4)}
    assert pairs(found) == expected
    assert [p.kind for p in found.projections] == [SPARSE, DENSE]
    assert (found.outside, found.size) == (7, 16)


def test_the_wiring_of_a_convolution_is_its_windows() -> None:
    builder = Builder("conv")
    x = builder.input("spikes", (("t", 1), ("b", 2), ("c", 1), ("h", 4), ("w", 4)))
    flat = builder.add(Reshape((2, 1, 4, 4)), (x,))
    weight = builder.weight(
        "w", (("o", 2), ("c", 1), ("h", 3), ("w", 3)), data=np.ones((2, 1, 3, 3), np.float32)
    )
    y = builder.add(Conv((1, 1), ((1, 1), (1, 1)), (1, 1)), (flat, weight))
    spikes = builder.add(LIF, (builder.add(Reshape((1, 2, 32)), (y,)), None), "conv")
    found = wiring(builder.finish([spikes]))
    expected = {
        (4 * i + j, 16 + 16 * o + 4 * p + q)
        for o in range(2) for p in range(4) for q in range(4)
        for i in range(max(p - 1, 0), min(p + 2, 4)) for j in range(max(q - 1, 0), min(q + 2, 4))
    }  # fmt: skip
    assert pairs(found) == expected
    assert [p.kind for p in found.projections] == [CONVOLUTION]


def small(mesh: SpikingMesh, **limits: int) -> SpikingMesh:
    return replace(mesh, **limits)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(3, 9), st.integers(20, 60), st.integers(12, 30))
def test_limits_hold_and_no_cut_in_order_needs_fewer_cores(
    seed: int, neurons: int, synapses: int, axons_in: int
) -> None:
    rng = np.random.default_rng(seed)
    sizes = (12, int(rng.integers(4, 16)), int(rng.integers(4, 12)))
    weights = [rng.standard_normal((o, i)) for i, o in pairwise(sizes)]
    for w in weights:
        w[rng.random(w.shape) < 0.4] = 0.0
    found = wiring(layers(weights))
    base = machine("loihi").spiking
    assert base is not None
    mesh = small(base, neurons=neurons, axons_in=axons_in)
    placed = place(found, mesh, synapses * 2)
    asked = demand(found)
    if placed.infeasible is not None:
        assert asked.synapses.max() > min(synapses, axons_in)
        return
    home = placed.home[found.outside :]
    sources = [asked.source[asked.start[n] : asked.start[n + 1]] for n in range(len(home))]

    def fits(low: int, high: int) -> bool:
        listened = set(np.concatenate(sources[low:high]).tolist())
        total = int(asked.synapses[low:high].sum())
        return high - low <= neurons and total <= synapses and len(listened) <= axons_in

    for c in range(placed.cores):
        here = np.flatnonzero(home == c)
        assert fits(int(here[0]), int(here[-1]) + 1) and len(here) == here[-1] - here[0] + 1
    least = [0] + [10**9] * len(home)
    for high in range(1, len(home) + 1):
        cuts = [least[low] + 1 for low in range(high) if fits(low, high)]
        least[high] = min(cuts, default=10**9)
    assert placed.cores == least[-1]
    assert placed.certificate.bound is not None and placed.certificate.bound <= placed.cores


def test_a_plan_names_its_cores_and_the_program_keeps_them(tmp_path: Path) -> None:
    graph = layers([np.ones((1500, 20)), np.ones((10, 1500))])
    mapped = map_graph(graph, machine("loihi"))
    tasks = mapped.plan.program.entries[0].tasks
    assert [(t.source, t.parameters[:2], t.worker) for t in tasks] == [
        ("layer0", (0, 1024), 0),
        ("layer0", (1024, 476), 1),
        ("layer1", (0, 10), 1),
    ]
    text = mapped.plan.explain()
    assert "2 cores of 128" in text and "optimal" in text
    path = tmp_path / "chip.nwprogram"
    save(mapped.plan.program, path)
    mesh = machine("loihi").spiking
    assert mesh is not None and mapped.axons is not None
    for program in (mapped.plan.program, read_program(path)):
        chip = chip_of(program)
        again = axons(mapped.wiring, chip.home, mesh)
        assert int(again.synapses.sum()) == 1500 * 30 and chip.steps == 6
        for name in ("start", "core", "synapses", "kind"):
            np.testing.assert_array_equal(getattr(chip.axons, name), getattr(again, name))
        assert [(p.name, p.size, p.outside) for p in chip.parts] == [
            ("spikes", 20, True), ("layer0", 1500, False), ("layer1", 10, False),
        ]  # fmt: skip


def test_what_does_not_fit_says_by_how_much() -> None:
    with pytest.raises(PlanError, match=r"synapses of one neuron against 4096"):
        map_graph(layers([np.ones((2, 5000))]), machine("loihi")).plan.lower()
    with pytest.raises(PlanError, match=r"of cores against 128 cores"):
        map_graph(layers([np.ones((3000, 3000))]), machine("loihi")).plan.lower()


def test_what_is_no_chip_or_no_spiking_network_is_refused() -> None:
    graph = layers([np.ones((2, 3))])
    with pytest.raises(UnsupportedError, match="no chip of spiking cores"):
        map_graph(graph, machine("h100-sxm"))
    with pytest.raises(UnsupportedError, match="no spiking neurons"):
        map_graph(mlp((3, 4, 2)), machine("loihi"))
