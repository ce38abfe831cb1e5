"""Circuit: a spiking network by code: populations, and projections between them with delays.

Its graph is one step: every state is kept between steps, and spikes reach others through the
history of their population, never within the step that made them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import GraphError
from netwright.graph.circuit_parts import Arrow, Group, Neuron
from netwright.graph.circuit_parts import Population as Population
from netwright.graph.circuit_writer import Writer
from netwright.graph.graph import Graph
from netwright.graph.ops.spike_time import OfStep, Poisson, SpikeSource
from netwright.graph.synapses import Pairs, Synapses

Array: TypeAlias = NDArray[Any]

EXPECTED_HZ = 5.0  # of a population of which nothing else is said


@final
class Circuit:
    """Collects populations and projections; `graph` writes them as one step."""

    def __init__(self, name: str, dt_seconds: float, seed: int = 0) -> None:
        self.name = name
        self.dt_seconds = dt_seconds
        self.seed = seed
        self._groups: dict[str, Group] = {}
        self._arrows: list[Arrow] = []

    def population(
        self,
        name: str,
        neurons: int,
        kind: Neuron,
        first: Mapping[str, Array] | None = None,
        rate_hz: float = EXPECTED_HZ,
        each: Mapping[str, Array] | None = None,
    ) -> Population:
        """Neurons of one kind. `first`: values of "v", "i0", "i1" .. [neurons] before step 0.

        `each`: parameters of the kind in which its neurons differ, "tau_seconds" and such:
        [neurons], or [receptors, neurons] of what there is one a receptor. `rate_hz` is what is
        expected of a neuron: costs and the choice of kernels rest on it.
        """
        if kind.rule.dt_seconds != self.dt_seconds:
            raise GraphError(
                f"{self.name}: {name} has steps of {kind.rule.dt_seconds} s, the others of "
                f"{self.dt_seconds} s"
            )
        kind = replace(kind, each=tuple(each or {}))
        return self._add(name, Group(kind, neurons, first or {}, rate_hz, None, each or {}))

    def source(self, name: str, neurons: int, rate_hz: float | Array) -> Population:
        """Neurons that fire by chance, at one rate or at one each."""
        chance = np.atleast_1d(np.asarray(rate_hz, np.float64)) * self.dt_seconds
        kind = SpikeSource(neurons, self.seed, len(self._groups))
        rate = float(chance.mean()) / self.dt_seconds
        return self._add(name, Group(kind, neurons, {}, rate, chance, {}))

    def input(self, name: str, neurons: int, rate_hz: float = EXPECTED_HZ) -> Population:
        """Neurons outside, whose spikes a run is given step by step (`--input spikes.npz`)."""
        return self._add(name, Group(OfStep(), neurons, {}, rate_hz, None, {}))

    def project(
        self,
        source: Population,
        target: Population,
        synapses: Synapses,
        receptor: int = 0,
        delay_steps: int = 1,
    ) -> None:
        """Spikes of the source reach a receptor of the target, `delay_steps` later."""
        if isinstance(self._groups[target.name].kind, OfStep | SpikeSource):
            raise GraphError(
                f"{self.name}: {target.name} fires by itself; nothing projects onto it"
            )
        if target.first or len(target) != self._groups[target.name].neurons:
            raise GraphError(f"{self.name}: project onto all of {target.name}, not onto a part")
        if delay_steps < 1:
            raise GraphError(f"{self.name}: a delay of {delay_steps} steps, expected at least 1")
        if isinstance(synapses, Pairs) and synapses.source.size == 0:
            return  # nothing can arrive
        self._arrows.append(Arrow(source, target.name, synapses, receptor, delay_steps))

    def noise(self, target: Population, rate_hz: float, weight: float, receptor: int = 0) -> None:
        """Independent Poisson events for every neuron of the target, of this rate and weight."""
        stream = (1 << 16) + len(self._arrows)
        kind = Poisson(len(target), rate_hz * self.dt_seconds, weight, self.seed, stream)
        self._arrows.append(Arrow(None, target.name, kind, receptor, 0))

    def graph(self) -> Graph:
        """The network as one step, spikes of every population as outputs of its name.

        Raises:
            GraphError: no population, or an operator refuses its operands.
        """
        if not self._groups:
            raise GraphError(f"{self.name}: has no population")
        return Writer(self.name, self._groups, self._arrows, self.dt_seconds).write()

    def _add(self, name: str, group: Group) -> Population:
        if name in self._groups:
            raise GraphError(f"{self.name}: two populations are called {name}")
        if group.neurons < 1:
            raise GraphError(f"{self.name}: {name} has {group.neurons} neurons")
        self._groups[name] = group
        return Population(name, group.neurons)
