"""The spiking networks that are measured: recipes, wirings, expected spikes and gates.

Vogels and Abbott (2005) as in Brette et al. (2007), benchmark 2; Brunel (2000), model A of the NEST
example; 784-1000-10 leaky neurons over 100 steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from netwright.graph.build import Builder
from netwright.graph.circuit import Circuit
from netwright.graph.format import FP32
from netwright.graph.graph import Graph
from netwright.graph.ops.linear import Linear
from netwright.graph.ops.neuron import CobaLif, CubaLif, Lif
from netwright.graph.ops.neuron_rule import Discretisation, Method, Reset
from netwright.graph.synapses import Pairs


@dataclass(frozen=True)
class Case:
    """A circuit for one biological second; spikes expected, and the tolerance of the recipe."""

    make: Callable[[], Graph]
    spikes: int
    tolerance: float
    gate_seconds: float


def wiring(n: int) -> tuple[Any, ...]:
    """Sources of every target, and first membranes (the recipe's generator)."""
    r, excitatory = np.random.default_rng(42), int(0.8 * n)
    se = r.integers(0, excitatory, (n, 64))
    si = excitatory + r.integers(0, n - excitatory, (n, 16))
    return excitatory, se, si, r.uniform(-60, -50, n)


def vogels_abbott(n: int, conductances: bool) -> Graph:
    """CUBA or COBA of n neurons."""
    excitatory, se, si, v0 = wiring(n)
    rule = Discretisation(1e-4, Method.EXACT, Reset.VALUE, -60.0, refractory_steps=50)
    taus = (5e-3, 10e-3)
    if conductances:
        kind: Any = CobaLif(20e-3, taus, (0.0, -80.0), -50.0, rule, leak=-60.0, drive=20.0)
    else:
        kind = CubaLif(20e-3, taus, -50.0, rule, leak=-49.0)
    circuit = Circuit("coba" if conductances else "cuba", 1e-4)
    rate = 16.0 if conductances else 5.2
    cells = circuit.population("cells", n, kind, {"v": v0}, rate)
    jumps = (0.6, 6.7) if conductances else (1.62, -9.0)
    to = np.arange(n)
    circuit.project(cells[:excitatory], cells, Pairs(se.ravel(), to.repeat(64), jumps[0]), 0)
    circuit.project(
        cells[excitatory:], cells, Pairs(si.ravel() - excitatory, to.repeat(16), jumps[1]), 1
    )
    return circuit.graph()


def brunel() -> Graph:
    """12,500 neurons, 15.6 million synapses, delay 1.5 ms, Poisson input."""
    ne, ni, ce, ci = 10000, 2500, 1000, 250
    n, r = ne + ni, np.random.default_rng(42)
    se = r.integers(0, ne, (n, ce), dtype=np.int32)
    si = r.integers(0, ni, (n, ci), dtype=np.int32)
    rule = Discretisation(1e-4, Method.EXACT, Reset.ZERO, refractory_steps=20, input_scale=1.0)
    circuit = Circuit("brunel", 1e-4, seed=1)
    cells = circuit.population("cells", n, Lif(20e-3, 20.0, rule), rate_hz=32.0)
    circuit.noise(cells, 20_000.0, 0.1)
    to = np.arange(n, dtype=np.int32)
    circuit.project(cells[:ne], cells, Pairs(se.ravel(), to.repeat(ce), 0.1), 0, 15)
    circuit.project(cells[ne:], cells, Pairs(si.ravel(), to.repeat(ci), -0.5), 0, 15)
    return circuit.graph()


CASES: Mapping[str, Case] = {
    "cuba-4000": Case(lambda: vogels_abbott(4000, False), 20896, 0.05, 0.06),
    "cuba-40000": Case(lambda: vogels_abbott(40000, False), 209587, 0.03, 0.7),
    "coba-4000": Case(lambda: vogels_abbott(4000, True), 64227, 0.02, 0.407),
    "brunel": Case(brunel, 400156, 0.015, 2.0),
}

INFERENCE, HIDDEN_SPIKES, OUTPUT_SPIKES = "784-1000-10", 9523, 124
INFERENCE_GATE_SECONDS = 1.5e-3


def layers() -> tuple[Graph, np.ndarray]:
    """784-1000-10 over 100 steps, batch 1, and its input: 3 % of ones."""
    r = np.random.default_rng(0)
    w1 = r.normal(0, 1, (1000, 784)).astype(np.float32) * np.float32(0.15)
    w2 = r.normal(0, 1, (10, 1000)).astype(np.float32) * np.float32(0.05)
    x = (r.random((100, 1, 784)) < 0.03).astype(np.float32)
    rule = Discretisation(1e-3, Method.EULER, Reset.SUBTRACT, input_scale=1.0)
    lif = Lif(1e-3 / (1 - 0.9), 1.0, rule)
    b = Builder(INFERENCE)
    dims = (("step", 100), ("batch", 1), ("input", 784))
    given = b.input("x", dims, FP32)
    b.tensors[given] = _with_density(b, given, 0.03)
    first = b.weight("w1", (("hidden", 1000), ("input", 784)), FP32, w1)
    second = b.weight("w2", (("output", 10), ("hidden", 1000)), FP32, w2)
    hidden = b.add(lif, (b.add(Linear(), (given, first), "fc1"),), "lif1")
    b.tensors[hidden] = _with_density(b, hidden, 0.1)
    output = b.add(lif, (b.add(Linear(), (hidden, second), "fc2"),), "lif2")
    graph = b.finish((hidden, output))
    return graph, x


def _with_density(b: Builder, tensor: Any, density: float) -> Any:
    value = b.tensors[tensor]
    return type(value)(value.name, value.dims, value.format, value.role, density, value.data)
