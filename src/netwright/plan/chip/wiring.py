"""Who listens to whom: populations of a spiking graph, and every synapse between them.

What stands between spikes and neurons (products, convolutions, pools, sums, movements) is linear,
so its own reference tells the wiring: one source is set to 1, weights to their magnitudes, and
whatever changes at a neuron is a synapse. No operator needs a rule of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import UnsupportedError
from netwright.graph.graph import Block, Graph
from netwright.graph.interpret import Interpreter
from netwright.graph.op import Op
from netwright.graph.ops.conv import Conv
from netwright.graph.ops.movement import Concat, Pad, Slice
from netwright.graph.ops.neuron import CobaLif, CubaLif, If, Li, Lif
from netwright.graph.tensor import Role, TensorId

Index: TypeAlias = NDArray[np.int64]
Array: TypeAlias = NDArray[Any]
NEURONS = (Lif, If, Li, CubaLif, CobaLif)
DENSE, SPARSE, CONVOLUTION = 0, 1, 2  # places in cost.spiking.SYNAPSES


@final
@dataclass(frozen=True, slots=True)
class Population:
    """Neurons of one operator, or the inputs of the graph (`outside`); numbers start at `first`."""

    name: str
    tensor: TensorId
    first: int
    size: int
    outside: bool


@final
@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """Synapses from neuron `source[i]` to neuron `target[i]`, numbered over all populations."""

    source: Index
    target: Index
    kind: int


@final
@dataclass(frozen=True, slots=True, eq=False)
class Wiring:
    """A spiking network as a chip sees it. Neurons outside come first."""

    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]

    @property
    def size(self) -> int:
        """Neurons of all populations, those outside among them."""
        return sum(p.size for p in self.populations)

    @property
    def outside(self) -> int:
        """How many neurons are outside the chip: the inputs."""
        return sum(p.size for p in self.populations if p.outside)


def wiring(graph: Graph) -> Wiring:
    """The populations and synapses of a graph over steps, [T, B, ...] everywhere.

    Raises:
        UnsupportedError: it has symbols, repeated blocks or kept states, or no spiking neuron.
    """
    ops = [node for node in graph.body if not isinstance(node, Block)]
    kept = [t.name for t in graph.tensors if t.role in (Role.STATE, Role.CACHE)]
    if len(ops) != len(graph.body) or graph.symbols or kept:
        raise UnsupportedError(
            f"{graph.name}: chips take networks that run all steps in one call (as NIR files load);"
            f" this one has {'kept states' if kept else 'blocks or symbolic sizes'}"
        )
    neurons = [op for op in ops if isinstance(op.kind, NEURONS)]
    if not neurons:
        raise UnsupportedError(f"{graph.name}: has no spiking neurons; a chip of cores runs those")
    places = [(graph[i].name, i, True) for i in graph.inputs]
    places += [(op.name, op.outputs[0], False) for op in neurons]
    populations: list[Population] = []
    first = 0
    for name, tensor, outside in places:
        size = _neurons(graph, tensor)
        populations.append(Population(name, tensor, first, size, outside))
        first += size
    probe = _Probe(graph, {op.outputs[0]: op for op in ops}, {p.tensor: p for p in populations})
    projections = [
        projection
        for op, population in zip(neurons, populations[len(graph.inputs) :], strict=True)
        for place in op.inputs[: _receptors(op)]
        if place is not None
        for projection in probe.into(place, population)
    ]
    return Wiring(tuple(populations), tuple(projections))


def _receptors(op: Op) -> int:
    return len(op.kind.synapse_seconds) if isinstance(op.kind, CubaLif | CobaLif) else 1


def _neurons(graph: Graph, tensor: TensorId) -> int:
    size = 1
    for extent in graph[tensor].shape[2:]:
        assert isinstance(extent, int)
        size *= extent
    return size


class _Probe:
    """Runs what stands between populations on one source at a time."""

    def __init__(
        self, graph: Graph, makers: dict[TensorId, Op], populations: dict[TensorId, Population]
    ) -> None:
        self._graph, self._makers, self._populations = graph, makers, populations
        self._weights = Interpreter(graph)

    def into(self, place: TensorId, target: Population) -> list[Projection]:
        """One projection from every population that reaches this input."""
        chain, sources = self._chain(place)
        found: list[Projection] = []
        for source in sources:
            pairs = self._pairs(chain, sources, source, place)
            kind = SPARSE
            if any(isinstance(op.kind, Conv) for op in chain):
                kind = CONVOLUTION
            elif len(pairs[0]) == source.size * target.size:
                kind = DENSE
            found.append(Projection(source.first + pairs[0], target.first + pairs[1], kind))
        return found

    def _chain(self, place: TensorId) -> tuple[list[Op], list[Population]]:
        """The operators between this tensor and populations, in order, and those populations."""
        chain: list[Op] = []
        sources: dict[TensorId, Population] = {}
        stack, seen = [place], set[TensorId]()
        while stack:
            tensor = stack.pop()
            if tensor in self._populations:
                sources[tensor] = self._populations[tensor]
            elif tensor in self._makers and tensor not in seen:
                seen.add(tensor)
                op = self._makers[tensor]
                chain.append(op)
                stack += [i for i in op.inputs if i is not None]
        order = {id(op): n for n, op in enumerate(self._makers.values())}
        return sorted(chain, key=lambda op: order[id(op)]), list(sources.values())

    def _pairs(
        self, chain: Sequence[Op], sources: Sequence[Population], source: Population, end: TensorId
    ) -> tuple[Index, Index]:
        """(source, target) of every synapse, numbered inside their populations."""
        shape = self._shape(source.tensor)
        in_time = any(isinstance(op.kind, Pad | Slice | Concat) for op in chain)
        slots = shape[1] if in_time else shape[0] * shape[1]
        quiet = {p.tensor: np.zeros(self._shape(p.tensor)) for p in sources}
        rest = self._run(chain, quiet, end)
        found: list[tuple[Index, Index]] = []
        for begin in range(0, source.size, slots):
            number = min(slots, source.size - begin)
            probe = np.zeros((shape[0] * shape[1], source.size))
            probe[np.arange(number), begin + np.arange(number)] = 1.0
            values = self._run(chain, {**quiet, source.tensor: probe.reshape(shape)}, end)
            changed = (values != rest).reshape(shape[0], shape[1], -1)
            if in_time:
                changed = changed.any(axis=0)
            hit, target = np.nonzero(changed.reshape(-1, changed.shape[-1])[:number])
            found.append((hit + begin, target))
        return np.concatenate([f[0] for f in found]), np.concatenate([f[1] for f in found])

    def _run(self, chain: Sequence[Op], given: dict[TensorId, Array], end: TensorId) -> Array:
        values = dict(given)
        for op in chain:
            arrays = [None if i is None else self._value(i, values) for i in op.inputs]
            values[op.outputs[0]] = op.kind.reference(arrays)[0]
        return values[end]

    def _value(self, place: TensorId, values: dict[TensorId, Array]) -> Array:
        if place in values:
            return values[place]
        weight = self._weights.weight(place, 0)
        return np.abs(weight) if weight.dtype.kind == "f" else weight

    def _shape(self, tensor: TensorId) -> tuple[int, ...]:
        return tuple(e for e in self._graph[tensor].shape if isinstance(e, int))
