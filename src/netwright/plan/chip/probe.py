"""What stands between populations, asked for its wiring.

Products, convolutions, pools, sums, movements and delays are linear, so their own references tell:
one source is set to 1, weights to their magnitudes, and whatever changes at a neuron is a synapse.
No operator needs a rule of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.graph.graph import Graph
from netwright.graph.interpret import Interpreter
from netwright.graph.op import Op
from netwright.graph.ops.conv import Conv
from netwright.graph.ops.movement import Concat, Expand, Pad, Slice
from netwright.graph.ops.position import StateUpdate
from netwright.graph.tensor import Role, TensorId
from netwright.plan.chip.synapse import CONVOLUTION, DENSE, SPARSE, Index, Population, Projection

Array: TypeAlias = NDArray[Any]


@final
class Probe:
    """Runs what stands between populations on one source at a time."""

    def __init__(self, graph: Graph, populations: dict[TensorId, Population]) -> None:
        self._graph, self._populations = graph, populations
        self._makers: dict[TensorId, Op] = {}
        for op, _ in graph.ops():
            self._makers[op.outputs[0]] = op
        for op, _ in graph.ops():
            state, after = op.inputs[0] if op.inputs else None, op.inputs[-1] if op.inputs else None
            if isinstance(op.kind, StateUpdate) and state is not None and after is not None:
                self._makers[state] = self._kept(state, after)
        self._weights = Interpreter(graph)

    def _kept(self, state: TensorId, after: TensorId) -> Op:
        """A state as if it always held what it is given: spikes of the step before, or a queue."""
        maker = self._makers.get(after)
        if maker is not None and isinstance(maker.kind, Concat):
            last = maker.inputs[-1]
            assert last is not None
            after = last
        return Op(self._graph[state].name, Expand(self._shape(state)), (after,), (state,))

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
        if self._graph[place].role is Role.STATE:
            return np.zeros(self._shape(place))  # a clock: nothing here depends on it
        weight = self._weights.weight(place, 0)
        return np.abs(weight) if weight.dtype.kind == "f" else weight

    def _shape(self, tensor: TensorId) -> tuple[int, ...]:
        return tuple(e for e in self._graph[tensor].shape if isinstance(e, int))
