"""A liquid: spiking neurons on a grid, joined by chance and distance, with plastic synapses.

Source: Maass, Natschlaeger, Markram (2002); sizes and constants as in Ivanov and Michmizos,
NeurIPS 2021, arXiv 2111.01760.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import GraphError
from netwright.graph.build import Builder
from netwright.graph.format import FP32, INT32, INT64
from netwright.graph.graph import Graph
from netwright.graph.ops.movement import Concat
from netwright.graph.ops.neuron import CubaLif
from netwright.graph.ops.neuron_rule import Discretisation
from netwright.graph.ops.plasticity import Astrocyte, PlasticConnect, Stdp, Trace
from netwright.graph.ops.position import StateUpdate
from netwright.graph.ops.spike_time import OfStep, Tick
from netwright.graph.tensor import TensorId

Array: TypeAlias = NDArray[Any]

EXPECTED_SPIKES = 0.05  # a neuron and step: what the price of a step rests on

# Chance that a neuron joins one beside it: excitatory and inhibitory sources and targets.
_CHANCES = np.array([[0.2, 0.1], [0.3, 0.05]])


@final
@dataclass(frozen=True, slots=True)
class Grid:
    """Neurons on a grid, so many of them excitatory; pairs joined with C exp(-(distance/reach)^2).

    `input_density`: the share of input-neuron pairs that are joined, of either sign.
    """

    shape: tuple[int, int, int]
    inputs: int
    excitatory: float = 0.8
    reach: float = 3.0
    input_density: float = 0.15
    seed: int = 0

    def __len__(self) -> int:
        return self.shape[0] * self.shape[1] * self.shape[2]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Wires:
    """Synapses: sources are inputs, then neurons; first weights, signed."""

    inputs: int
    neurons: int
    source: Array
    target: Array
    weight: Array

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Which synapses join two neurons of the liquid."""
        return self.source >= self.inputs


def wires(grid: Grid, input_weight: float = 1.0, weight: float = 1.0) -> Wires:
    """The synapses of a grid, drawn from its seed."""
    random, number = np.random.default_rng(grid.seed), len(grid)
    place: Array = np.stack(np.unravel_index(np.arange(number), grid.shape), 1)
    inhibits = random.permutation(number) >= round(grid.excitatory * number)
    kinds = inhibits.astype(int)
    distance: Array = np.square(place[:, None] - place[None]).sum(2)
    chance = _CHANCES[kinds[:, None], kinds[None]] * np.exp(-distance / grid.reach**2)
    np.fill_diagonal(chance, 0.0)
    source, target = np.nonzero(random.random(chance.shape) < chance)
    first, onto = np.nonzero(random.random((grid.inputs, number)) < grid.input_density)
    signs = np.where(random.random(len(first)) < 0.5, -1.0, 1.0)
    inner = np.where(inhibits[source], -weight, weight)
    return Wires(
        grid.inputs,
        number,
        np.concatenate([first, source + grid.inputs]),
        np.concatenate([onto, target]),
        np.concatenate([signs * input_weight, inner]),
    )


@final
@dataclass(frozen=True, slots=True)
class Learning:
    """STDP whose fall an astrocyte sets; `gain` 0: it stays where it starts, at `rise`.

    Times in steps of 1 ms.
    """

    rise: float = 0.15
    gain: float = 0.015
    astrocyte_steps: float = 100.0
    trace_steps: float = 10.0
    jump: float = 0.1
    most: float = 3.0


def liquid(known: Wires, batch: int, learning: Learning | None = None) -> Graph:
    """One step of 1 ms: input `spikes` [1, B, inputs]; outputs `fired` [1, B, neurons] and, where
    it learns, `learnt` [B, E], the weights after.

    Neurons: tau 64 ms, threshold 20, refractory 2 ms, synaptic tau 1 ms; a spike reaches others in
    the next step. States: `weight` [B, E] and, where it learns, `fall` [B, 1]. A job that streams
    is given the spikes of all its steps, and keeps `fired` of all.

    Raises:
        GraphError: a first weight beyond what the learning keeps it within.
    """
    if learning is not None and np.abs(known.weight).max(initial=0) > learning.most:
        raise GraphError(f"liquid: a weight is beyond {learning.most}, where learning ends it")
    b, edges = Builder("liquid"), len(known.source)
    clock = b.state("clock", (("one", 1),), INT64)
    given = b.input("spikes", (("step", 1), ("batch", batch), ("input", known.inputs)))
    spikes = _often(b, b.add(OfStep(), (given, clock), "spikes now"))
    shape = (("step", 1), ("batch", batch), ("neuron", known.neurons))
    before = b.state("before", shape)
    first = np.broadcast_to(known.weight, (batch, edges)).copy()
    weight = b.state("weight", (("batch", batch), ("synapse", edges)), FP32, first)
    ends = (("source", known.source), ("target", known.target))
    source, target = (b.weight(n, (("synapse", edges),), INT64, array) for n, array in ends)
    sent = _often(b, b.add(Concat(2), (spikes, before), "sent"))
    arrived = b.add(PlasticConnect(known.neurons), (sent, weight, source, target), "arrived")
    rule = Discretisation(1e-3, refractory_steps=2, input_scale=1.0, current_scale=1.0)
    cell = CubaLif(64e-3, (1e-3,), 20.0, rule)
    states = [b.state(n, shape[1:]) for n in ("v", "current")] + [b.state("left", shape[1:], INT32)]
    formats = [b.tensors[before].format, *(b.tensors[s].format for s in states)]
    fired, *after = b.add_all(cell, (arrived, *states), "cells", formats)
    updates = [(before, _often(b, fired)), *zip(states, after, strict=True)]
    if learning is not None:
        parts = (weight, source, target, spikes, fired)
        updates += _learning(b, known, batch, learning, parts)
    kept = b.add(OfStep(), (fired, clock), "fired")
    updates.append((clock, b.add(Tick(), (clock,), "tick")))
    after_all = {state: _renewed(b, state, value) for state, value in updates}
    return b.finish((kept,) if learning is None else (kept, after_all[weight]))


def _often(b: Builder, spikes: TensorId) -> TensorId:
    """The same spikes; as many are expected as inputs bring, which is where a liquid settles."""
    b.tensors[spikes] = replace(b.tensors[spikes], density=EXPECTED_SPIKES)
    return spikes


def _renewed(b: Builder, state: TensorId, value: TensorId) -> TensorId:
    name = "learnt" if b.tensors[state].name == "weight" else ""
    return b.add(StateUpdate(), (state, value), name)


def _learning(
    b: Builder, known: Wires, batch: int, learning: Learning, parts: tuple[TensorId, ...]
) -> list[tuple[TensorId, TensorId]]:
    """The states that learning changes, with their values after the step."""
    weight, source, target, spikes, fired = parts
    ends = np.sign(known.weight) * learning.most
    end = b.weight("end", (("synapse", len(known.source)),), FP32, ends)
    both = _often(b, b.add(Concat(2), (spikes, fired), "both"))
    sizes = {"sources": known.inputs + known.neurons, "targets": known.neurons}
    traces = [b.state(f"trace.{n}", (("batch", batch), ("n", size))) for n, size in sizes.items()]
    fall = b.state("fall", (("batch", batch), ("one", 1)), FP32, np.full((batch, 1), learning.rise))
    given = (weight, end, source, target, both, fired, *traces, fall)
    trace = Trace(float(np.exp(-1.0 / learning.trace_steps)), learning.jump)
    astrocyte = Astrocyte(learning.gain, learning.astrocyte_steps, learning.rise)
    found = [(weight, b.add(Stdp(learning.rise), given, "stdp"))]
    for state, seen in zip(traces, (both, fired), strict=True):
        found.append((state, b.add(trace, (seen, state))))
    return [*found, (fall, b.add(astrocyte, (fired, spikes, fall), "astrocyte"))]


def branching_factor(
    fired: Array, known: Wires, window_steps: int = 4, margin_steps: int = 25
) -> float:
    """Spikes of a neuron's targets in the window after its own, over those of its sources before.

    The mean over its spikes, then neurons that fire, then samples, of spikes [T, B, n] without
    `margin_steps` at either end; what is divided by is at least one. 1: critical.
    Source: `compute_branching_factor.py` of the authors of NALSM, whose window is 4 ms.
    """
    spikes = np.asarray(fired)[margin_steps : len(fired) - margin_steps or None]
    joined: Array = np.zeros((known.neurons, known.neurons), np.float32)  # whole numbers: exact
    joined[known.source[known.inside] - known.inputs, known.target[known.inside]] = 1.0
    found = [_branching(spikes[:, b].astype(np.float32), joined, window_steps) for b in
             range(spikes.shape[1])]  # fmt: skip
    samples = [one for one in found if one is not None]
    return float(np.mean(samples)) if samples else 0.0


def moved_in_time(fired: Array, seed: int = 0) -> Array:
    """Spikes [T, B, n], each neuron's turned by steps of its own: who causes whom is lost.

    Rates and wiring stay, so what a measure still finds is theirs.
    """
    steps = len(fired)
    turns = np.random.default_rng(seed).integers(steps, size=fired.shape[1:])
    samples = [
        np.take_along_axis(fired[:, b], (np.arange(steps)[:, None] + turns[b]) % steps, 0)
        for b in range(fired.shape[1])
    ]
    return np.stack(samples, 1)


def _branching(spikes: Array, joined: Array, window_steps: int) -> float | None:
    """That of one sample's spikes [T, n]; None where nobody fired."""
    total = np.concatenate([np.zeros_like(spikes[:1]), np.cumsum(spikes, 0)])
    window: Array = total[window_steps:] - total[:-window_steps]  # of steps t .. t + window - 1
    mine = spikes[window_steps : len(spikes) - window_steps]
    count = mine.sum(0)
    if not count.any():
        return None
    after = window[window_steps + 1 : len(window)] @ joined.T
    before = window[: len(mine)] @ joined
    ratio = after[: len(mine)].astype(np.float64) / np.maximum(before, 1.0)
    each = (mine * ratio).sum(0) / np.maximum(count, 1.0)
    return float(each[count > 0].mean())
