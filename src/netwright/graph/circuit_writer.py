"""A circuit's populations and arrows → the graph of one step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from netwright.errors import GraphError
from netwright.graph.build import Builder
from netwright.graph.circuit_parts import Arrow, Group, Population
from netwright.graph.format import FP32, FP64, INT32, INT64, UINT16
from netwright.graph.graph import Graph
from netwright.graph.op import OpKind
from netwright.graph.ops.connect import ConvConnect, DenseConnect, RandomConnect, SparseConnect
from netwright.graph.ops.neuron_each import alike
from netwright.graph.ops.position import StateUpdate
from netwright.graph.ops.spike_time import OfStep, Poisson, Remember, SpikeSource, Tick
from netwright.graph.synapses import Chance, Convolution, Matrix, Pairs, Synapses, by_source
from netwright.graph.tensor import Role, TensorId

Array: TypeAlias = NDArray[Any]


class Writer:
    """One graph being written."""

    def __init__(
        self, name: str, groups: Mapping[str, Group], arrows: Sequence[Arrow], dt_seconds: float
    ) -> None:
        self.builder = Builder(name)
        self.groups, self.arrows, self.dt_seconds = groups, arrows, dt_seconds
        self.clock = self.builder.state("clock", (("one", 1),), INT64)
        self.histories = {g: self._history(g) for g in groups}
        self.updates: list[tuple[TensorId, TensorId]] = []

    def write(self) -> Graph:
        spikes = {name: self._group(name, group) for name, group in self.groups.items()}
        for name, made in spikes.items():
            known = self.builder.tensors[made]
            own = f"{name} now" if isinstance(self.groups[name].kind, OfStep) else name
            self.builder.tensors[made] = replace(known, name=own, density=self._density(name))
            after = self.builder.add(
                Remember(), (self.histories[name], made, self.clock), f"{name}.remember"
            )
            self.updates.append((self.histories[name], after))
        inputs = {n for n, group in self.groups.items() if isinstance(group.kind, OfStep)}
        self.updates.append((self.clock, self.builder.add(Tick(), (self.clock,), "tick")))
        for state, after in self.updates:
            self.builder.add(StateUpdate(), (state, after))
        return self.builder.finish(tuple(s for name, s in spikes.items() if name not in inputs))

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

    def _group(self, name: str, group: Group) -> TensorId:
        """The spikes of a population in this step."""
        kind, b = group.kind, self.builder
        if isinstance(kind, OfStep):
            shape = (("step", 1), ("batch", 1), ("neuron", group.neurons))
            given = b.input(name, shape)
            b.tensors[given] = replace(b.tensors[given], density=self._density(name))
            return b.add(kind, (given, self.clock), f"{name}.of_step")
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

    def _state(self, group: str, name: str, known: Group) -> TensorId:
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

    def _arrow(self, index: int, arrow: Arrow, onto: TensorId | None) -> TensorId:
        name = f"{arrow.target}.arrow{index}"
        if isinstance(arrow.synapses, Poisson):
            return self.builder.add(arrow.synapses, (self.clock, onto), name)
        assert arrow.source is not None
        kind, weights = self._connection(name, arrow, arrow.source, arrow.synapses)
        history = self.histories[arrow.source.name]
        return self.builder.add(kind, (history, self.clock, *weights, onto), name)

    def _connection(
        self, name: str, arrow: Arrow, source: Population, synapses: Synapses
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
