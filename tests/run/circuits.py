"""Small random circuits, and plain numpy loops of events that say what they must do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from netwright.graph.circuit import Circuit
from netwright.graph.graph import Graph
from netwright.graph.ops.neuron import CobaLif, CubaLif, If, Lif
from netwright.graph.ops.neuron_rule import Discretisation, Method, Reset
from netwright.graph.synapses import Chance, Convolution, Matrix, Pairs
from netwright.job.job import Limits, Stream
from netwright.machine.load import library_machine
from netwright.plan.make import make_plan
from netwright.plan.plan import Plan
from netwright.program.program import Program
from netwright.run.runtime import Runtime

MACHINE = library_machine("raspberry-pi-5")
DT = 1e-3


def planned(graph: Graph, steps: int, threads: int = 1) -> Plan:
    return make_plan(graph, MACHINE, Stream(steps=steps, limits=Limits(threads=threads)))


def rasters(
    runtime: Runtime, program: Program, neurons: Mapping[str, int], calls: int = 1
) -> dict[str, NDArray[Any]]:
    """Booleans [steps, neurons] of the last of so many calls."""
    if any(entry.name == "start" for entry in program.entries):
        runtime.call("start", {}, {})
    rows: dict[str, NDArray[Any]] = {}
    for _ in range(calls):
        rows = runtime.call("step", {}, {})
    return {
        name: np.unpackbits(rows[name], axis=1, bitorder="little")[:, :size].astype(bool)
        for name, size in neurons.items()
    }


def rule(draw: Any, holds: bool) -> Discretisation:
    reset = draw(st.sampled_from((Reset.SUBTRACT, Reset.ZERO, Reset.VALUE)))
    delayed = draw(st.booleans()) and not holds
    return Discretisation(
        DT,
        draw(st.sampled_from(tuple(Method))),
        reset,
        -0.25,
        delayed,
        draw(st.booleans()),
        draw(st.integers(1, 3)) if holds else 0,
        input_scale=draw(st.sampled_from((1.0, 0.75))),
        input_after=False,
    )


def kind(draw: Any) -> Lif | If | CubaLif | CobaLif:
    made = rule(draw, draw(st.booleans()))
    which = draw(st.integers(0, 3))
    if which == 0:
        return Lif(8e-3, 1.0, made, leak=0.25)
    if which == 1:
        return If(1.0, made)
    if which == 2:
        return CubaLif(8e-3, (4e-3, 2e-3), 1.0, made, leak=0.5)
    return CobaLif(8e-3, (4e-3, 2e-3), (4.0, -1.0), 1.0, made, drive=0.5)


def synapses(draw: Any, random: np.random.Generator, sources: int, targets: int) -> Any:
    which = draw(st.integers(0, 3))
    if which == 0:
        count = int(random.integers(0, 4 * sources + 1))
        own = draw(st.booleans())
        delays = random.integers(1, 5, count) if draw(st.booleans()) else None
        weight = random.integers(-2, 5, count) / 4 if own else 0.5
        pairs = random.integers(0, sources, count), random.integers(0, targets, count)
        return Pairs(*pairs, weight, delays)
    if which == 1:
        return Matrix(random.integers(-1, 3, (sources, targets)) / 8)
    if which == 2:
        return Chance(0.2, 0.25, seed=int(random.integers(0, 1 << 40)))
    return None


@st.composite
def circuits(draw: Any) -> tuple[Graph, dict[str, int]]:
    """A graph and its populations' sizes: sources of spikes, noise, projections of every kind."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    circuit = Circuit("random", DT, seed=draw(st.integers(0, 2**40)))
    sizes = {f"p{i}": draw(st.integers(1, 150)) for i in range(draw(st.integers(1, 3)))}
    chance = draw(st.sampled_from((50.0, 300.0)))
    populations = [circuit.source("in", sizes["p0"], chance)]
    receptors: dict[str, int] = {}
    for name, size in sizes.items():
        made = kind(draw)
        receptors[name] = max(1, len(made.membrane().decays))
        first = {"v": random.integers(-4, 4, size) / 4}
        populations.append(circuit.population(name, size, made, first, rate_hz=100.0))
    for target in populations[1:]:
        if draw(st.booleans()):
            circuit.noise(target, 200.0, 0.5, draw(st.integers(0, receptors[target.name] - 1)))
        for source in populations:
            wires = synapses(draw, random, len(source), len(target))
            if wires is not None:
                receptor = draw(st.integers(0, receptors[target.name] - 1))
                circuit.project(source, target, wires, receptor, draw(st.integers(1, 4)))
    return circuit.graph(), {"in": sizes["p0"], **sizes}


@dataclass
class Loop:
    """W1's equations as a loop over events, nothing shared with the package."""

    sources: NDArray[Any]  # [synapses]
    targets: NDArray[Any]
    weights: NDArray[Any]
    receptor: NDArray[Any]
    delay: NDArray[Any]
    v: NDArray[Any]

    def run(self, steps: int, dt: float, taus: tuple[float, float, float]) -> NDArray[Any]:
        """`tau dv = -v + g0 + g1`, threshold 1, reset 0, two steps refractory, exact propagator."""
        tau, *synaptic = taus
        n = len(self.v)
        g, left = np.zeros((2, n)), np.zeros(n, int)
        due: dict[int, list[int]] = {}
        out = np.zeros((steps, n), bool)
        for step in range(steps):
            for k in due.pop(step, []):
                g[self.receptor[k], self.targets[k]] += self.weights[k]
            p = np.exp(-dt / tau)
            fresh = p * self.v
            for k, ts in enumerate(synaptic):
                q = np.exp(-dt / ts)
                fresh = fresh + ts / (ts - tau) * (q - p) * g[k]
                g[k] *= q
            fresh = np.where(left > 0, self.v, fresh)
            fired = (fresh > 1.0) & (left == 0)
            left = np.where(fired, 2, np.maximum(left - 1, 0))
            self.v = np.where(fired, 0.0, fresh)
            out[step] = fired
            for k in np.nonzero(fired[self.sources])[0]:
                due.setdefault(step + int(self.delay[k]), []).append(int(k))
        return out


def images(draw: Any) -> Convolution:
    """A convolution of 2 x 5 x 4 neurons."""
    weight = np.arange(2 * 2 * 9).reshape(2, 2, 3, 3) % 5 / 8
    return Convolution((2, 5, 4), weight, draw(st.integers(1, 2)), draw(st.integers(0, 1)))


__all__ = ["DT", "Loop", "circuits", "images", "planned", "rasters"]
