"""Circuit: a spiking network by code: populations, and projections between them with delays.

Its graph is one step: every state is kept between steps, and spikes reach others through the
history of their population, never within the step that made them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import GraphError
from netwright.graph.build import Builder
from netwright.graph.format import FP32, FP64, INT32, INT64, UINT16
from netwright.graph.graph import Graph
from netwright.graph.op import OpKind
from netwright.graph.ops.connect import ConvConnect, DenseConnect, RandomConnect, SparseConnect
from netwright.graph.ops.neuron import CobaLif, CubaLif, If, Lif
from netwright.graph.ops.neuron_each import alike
from netwright.graph.ops.position import StateUpdate
from netwright.graph.ops.spike_time import Poisson, Remember, SpikeSource, Tick
from netwright.graph.synapses import Chance, Convolution, Matrix, Pairs, Synapses, by_source
from netwright.graph.tensor import Role, TensorId

Array: TypeAlias = NDArray[Any]
Neuron: TypeAlias = Lif | If | CubaLif | CobaLif

EXPECTED_HZ = 5.0  # of a population of which nothing else is said


@final
@dataclass(frozen=True, slots=True)
class Population:
    """Neurons `first` .. `first` + `neurons` of a named group; a slice of it is one too."""

    name: str
    neurons: int
    first: int = 0

    def __len__(self) -> int:
        return self.neurons

    def __getitem__(self, part: slice) -> Population:
        start, stop, step = part.indices(self.neurons)
        if step != 1:
            raise GraphError(f"{self.name}: a part of a population has no steps ({step})")
        return Population(self.name, max(0, stop - start), self.first + start)


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """What is known of a population before the graph is written."""

    kind: Neuron | SpikeSource
    neurons: int
    first: Mapping[str, Array]
    rate_hz: float
    chance: Array | None
    each: Mapping[str, Array]


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Arrow:
    """A projection, or noise where there are no synapses."""

    source: Population | None
    target: str
    synapses: Synapses | Poisson
    receptor: int
    delay_steps: int


@final
class Circuit:
    """Collects populations and projections; `graph` writes them as one step."""

    def __init__(self, name: str, dt_seconds: float, seed: int = 0) -> None:
        self.name = name
        self.dt_seconds = dt_seconds
        self.seed = seed
        self._groups: dict[str, _Group] = {}
        self._arrows: list[_Arrow] = []

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
        return self._add(name, _Group(kind, neurons, first or {}, rate_hz, None, each or {}))

    def source(self, name: str, neurons: int, rate_hz: float | Array) -> Population:
        """Neurons that fire by chance, at one rate or at one each."""
        chance = np.atleast_1d(np.asarray(rate_hz, np.float64)) * self.dt_seconds
        kind = SpikeSource(neurons, self.seed, len(self._groups))
        rate = float(chance.mean()) / self.dt_seconds
        return self._add(name, _Group(kind, neurons, {}, rate, chance, {}))

    def project(
        self,
        source: Population,
        target: Population,
        synapses: Synapses,
        receptor: int = 0,
        delay_steps: int = 1,
    ) -> None:
        """Spikes of the source reach a receptor of the target, `delay_steps` later."""
        if target.first or len(target) != self._groups[target.name].neurons:
            raise GraphError(f"{self.name}: project onto all of {target.name}, not onto a part")
        if delay_steps < 1:
            raise GraphError(f"{self.name}: a delay of {delay_steps} steps, expected at least 1")
        if isinstance(synapses, Pairs) and synapses.source.size == 0:
            return  # nothing can arrive
        self._arrows.append(_Arrow(source, target.name, synapses, receptor, delay_steps))

    def noise(self, target: Population, rate_hz: float, weight: float, receptor: int = 0) -> None:
        """Independent Poisson events for every neuron of the target, of this rate and weight."""
        stream = (1 << 16) + len(self._arrows)
        kind = Poisson(len(target), rate_hz * self.dt_seconds, weight, self.seed, stream)
        self._arrows.append(_Arrow(None, target.name, kind, receptor, 0))

    def graph(self) -> Graph:
        """The network as one step, spikes of every population as outputs of its name.

        Raises:
            GraphError: no population, or an operator refuses its operands.
        """
        if not self._groups:
            raise GraphError(f"{self.name}: has no population")
        return _Writer(self.name, self._groups, self._arrows, self.dt_seconds).write()

    def _add(self, name: str, group: _Group) -> Population:
        if name in self._groups:
            raise GraphError(f"{self.name}: two populations are called {name}")
        if group.neurons < 1:
            raise GraphError(f"{self.name}: {name} has {group.neurons} neurons")
        self._groups[name] = group
        return Population(name, group.neurons)


class _Writer:
    """One graph being written."""

    def __init__(
        self, name: str, groups: Mapping[str, _Group], arrows: Sequence[_Arrow], dt_seconds: float
    ) -> None:
        self.builder = Builder(name)
        self.groups, self.arrows, self.dt_seconds = groups, arrows, dt_seconds
        self.clock = self.builder.state("clock", (("one", 1),), INT64)
        self.histories = {g: self._history(g) for g in groups}
        self.updates: list[tuple[TensorId, TensorId]] = []

    def write(self) -> Graph:
        spikes = {name: self._group(name, group) for name, group in self.groups.items()}
        for name, made in spikes.items():
            self.builder.tensors[made] = replace(
                self.builder.tensors[made], name=name, density=self._density(name)
            )
            after = self.builder.add(
                Remember(), (self.histories[name], made, self.clock), f"{name}.remember"
            )
            self.updates.append((self.histories[name], after))
        self.updates.append((self.clock, self.builder.add(Tick(), (self.clock,), "tick")))
        for state, after in self.updates:
            self.builder.add(StateUpdate(), (state, after))
        return self.builder.finish(tuple(spikes.values()))

    def _density(self, group: str) -> float:
        return min(1.0, self.groups[group].rate_hz * self.dt_seconds)

    def _history(self, group: str) -> TensorId:
        kept = 1
        for arrow in self.arrows:
            if arrow.source is not None and arrow.source.name == group:
                own = arrow.synapses.delay_steps if isinstance(arrow.synapses, Pairs) else None
                slowest = arrow.delay_steps if own is None else int(own.max(initial=1))
                kept = max(kept, slowest)
        dims = (("step", kept), ("batch", 1), ("neuron", self.groups[group].neurons))
        density = self._density(group)
        return self.builder.tensor(f"{group}.history", dims, FP32, Role.STATE, (), density)

    def _group(self, name: str, group: _Group) -> TensorId:
        """The spikes of a population in this step."""
        kind, b = group.kind, self.builder
        if isinstance(kind, SpikeSource):
            assert group.chance is not None
            chance = b.weight(f"{name}.chance", (("n", len(group.chance)),), FP32, group.chance)
            return b.add(kind, (self.clock, chance), f"{name}.source")
        receptors, rule = len(alike(kind).membrane().decays), kind.rule
        states = {"v": self._state(name, "v", group)}
        direct = receptors > 0 and not rule.input_after and rule.input_scale in (None, 1.0)
        inputs: list[TensorId | None] = []
        currents: list[TensorId] = []
        for k in range(max(1, receptors)):
            current = self._state(name, f"i{k}", group) if receptors else None
            if current is not None:
                states[f"i{k}"] = current
            arrived = self._arrivals(name, k, current if direct else None)
            inputs.append(None if direct else arrived)
            if current is not None:
                currents.append(arrived if direct and arrived is not None else current)
        if not receptors and inputs[0] is None:
            shape = (("step", 1), ("batch", 1), ("neuron", group.neurons))
            inputs[0] = b.weight(f"{name}.none", shape, FP32, np.zeros((1, 1, group.neurons)))
        first = [states["v"], *currents]
        if rule.refractory_steps:
            states["left"] = self._state(name, "left", group)
            first.append(states["left"])
        formats = [FP32] * (2 + receptors) + [INT32] * bool(rule.refractory_steps)
        own = [self._own(name, key, values) for key, values in group.each.items()]
        made, *after = b.add_all(kind, (*inputs, *first, *own), f"{name}.neurons", formats)
        self.updates += zip(states.values(), after, strict=True)
        unknown = set(group.first) - set(states)
        if unknown:
            raise GraphError(f"{name}: no state is called {sorted(unknown)}; it has {list(states)}")
        return made

    def _own(self, group: str, parameter: str, values: Array) -> TensorId:
        dims = tuple((f"d{i}", size) for i, size in enumerate(values.shape))
        return self.builder.weight(f"{group}.{parameter}", dims, FP64, values)

    def _state(self, group: str, name: str, known: _Group) -> TensorId:
        dims = (("batch", 1), ("neuron", known.neurons))
        form = INT32 if name == "left" else FP32
        first = known.first.get(name)
        return self.builder.state(
            f"{group}.{name}", dims, form, None if first is None else np.reshape(first, (1, -1))
        )

    def _arrivals(self, group: str, receptor: int, onto: TensorId | None) -> TensorId | None:
        """All that reaches a receptor, one projection on top of another."""
        for index, arrow in enumerate(self.arrows):
            if arrow.target == group and arrow.receptor == receptor:
                onto = self._arrow(index, arrow, onto)
        return onto

    def _arrow(self, index: int, arrow: _Arrow, onto: TensorId | None) -> TensorId:
        name = f"{arrow.target}.arrow{index}"
        if isinstance(arrow.synapses, Poisson):
            return self.builder.add(arrow.synapses, (self.clock, onto), name)
        assert arrow.source is not None
        kind, weights = self._connection(name, arrow, arrow.source, arrow.synapses)
        history = self.histories[arrow.source.name]
        return self.builder.add(kind, (history, self.clock, *weights, onto), name)

    def _connection(
        self, name: str, arrow: _Arrow, source: Population, synapses: Synapses
    ) -> tuple[OpKind, tuple[TensorId | None, ...]]:
        targets, delay, first = self.groups[arrow.target].neurons, arrow.delay_steps, source.first
        if isinstance(synapses, Chance):
            return RandomConnect(
                len(source), targets, synapses.chance, synapses.weight, synapses.seed,
                index_of(name), delay, first,
            ), ()  # fmt: skip
        if isinstance(synapses, Matrix):
            return DenseConnect(delay, first), (self._weight(name, synapses.weight),)
        if isinstance(synapses, Convolution):
            kind = ConvConnect(synapses.shape, synapses.stride, synapses.padding, delay, first)
            return kind, (self._weight(name, synapses.weight),)
        starts, order, target = by_source(synapses, len(source), targets)
        weight = np.atleast_1d(np.asarray(synapses.weight, np.float64))
        narrow = UINT16 if targets <= 1 << 16 else INT32
        b, delays = self.builder, synapses.delay_steps
        count = (("synapse", len(target)),)
        own = weight[order] if len(weight) > 1 else weight
        return SparseConnect(targets, delay if delays is None else 1, first), (
            b.weight(f"{name}.starts", (("source", len(starts)),), INT64, starts),
            b.weight(f"{name}.target", count, narrow, target),
            b.weight(f"{name}.weight", (("synapse", len(own)),), FP32, own),
            None if delays is None else b.weight(f"{name}.delays", count, INT32, delays[order]),
        )

    def _weight(self, name: str, array: Array) -> TensorId:
        dims = tuple((f"d{i}", size) for i, size in enumerate(array.shape))
        return self.builder.weight(f"{name}.weight", dims, FP32, array)


def index_of(name: str) -> int:
    """The number at the end of an arrow's name: its stream of random numbers."""
    return int(name.rpartition("arrow")[2])
