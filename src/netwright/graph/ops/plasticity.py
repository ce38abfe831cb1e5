"""Synapses that learn while they run: connections whose weights are state, and what changes them.

Synapse e goes from neuron source[e] to neuron target[e] and has a weight in every sample of a
batch. All is computed in steps; spikes are [1, B, n].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.graph.op import Einsum, OpKind, TensorType
from netwright.graph.ops.shape import count, expect, fail, operand

Array: TypeAlias = NDArray[Any]


def _spikes(kind: OpKind, types: Sequence[TensorType | None], index: int, name: str) -> TensorType:
    found = operand(kind, types, index, name, "float")
    if len(found.shape) != 3 or found.shape[0] != 1:
        fail(kind, f"{name} has shape {found.shape}, expected [1, batch, neurons]")
    return found


def _all(*arrays: Array | None) -> tuple[Array, ...]:
    found = tuple(a for a in arrays if a is not None)
    assert len(found) == len(arrays)
    return found


@final
@dataclass(frozen=True, slots=True)
class PlasticConnect(OpKind):
    """sums[b, j] = sum over synapses e onto j of weight[b, e] spikes[b, source[e]].

    Inputs: spikes [1,B,n], weight [B,E], source int [E], target int [E]. Output [1,B,targets].
    """

    targets: int

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 4, 4)
        spikes = _spikes(self, types, 0, "spikes")
        source = operand(self, types, 2, "source", "int")
        expect(self, "target", operand(self, types, 3, "target", "int").shape, source.shape)
        weight = operand(self, types, 1, "weight", "float")
        expect(self, "weight", weight.shape, (spikes.shape[1], *source.shape))
        return (TensorType((1, spikes.shape[1], self.targets)),)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return ()

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        spikes, weight, source, target = _all(*arrays)
        row, edge = np.nonzero(spikes[0][:, source])
        given = weight[row, edge] * spikes[0][row, source[edge]]
        place = row * self.targets + target[edge]
        total = np.bincount(place, given, len(weight) * self.targets)
        return (total.reshape(1, len(weight), self.targets),)


@final
@dataclass(frozen=True, slots=True)
class Trace(OpKind):
    """x' = decay (x + jump s): what is left of spikes. Inputs: spikes s [1,B,n], x [B,n]."""

    decay: float
    jump: float

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 2, 2)
        spikes, x = _spikes(self, types, 0, "spikes"), operand(self, types, 1, "x", "float")
        expect(self, "x", x.shape, spikes.shape[1:])
        return (x,)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return ()

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        spikes, x = _all(*arrays)
        return (self.decay * (x + self.jump * spikes[0]),)


@final
@dataclass(frozen=True, slots=True)
class Stdp(OpKind):
    """Spike-timing-dependent plasticity by pairs, each weight held between 0 and its own end.

    A weight that ends above zero rises by `rise` times the source's trace when its target fires,
    and falls by `fall` times the target's trace when its source does; one that ends below zero has
    the two exchanged. Inputs: weight [B,E], end [E] (0: stays as it is), source and target int [E],
    spikes of the sources [1,B,n] and targets [1,B,m], their traces before this step [B,n] and
    [B,m], fall [B,1]. Output: the weights after.
    Source: Ivanov and Michmizos, NeurIPS 2021, arXiv 2111.01760, equations of their STDP.
    """

    rise: float

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 9, 9)
        weight = operand(self, types, 0, "weight", "float")
        if len(weight.shape) != 2:
            fail(self, f"weight has shape {weight.shape}, expected [batch, synapses]")
        edges = weight.shape[1:]
        expect(self, "end", operand(self, types, 1, "end", "float").shape, edges)
        for index, name in ((2, "source"), (3, "target")):
            expect(self, name, operand(self, types, index, name, "int").shape, edges)
        for index, name in ((4, "source spikes"), (5, "target spikes")):
            spikes = _spikes(self, types, index, name)
            trace = operand(self, types, index + 2, f"trace of {name}", "float")
            expect(self, f"trace of {name}", trace.shape, spikes.shape[1:])
        fall = operand(self, types, 8, "fall", "float")
        expect(self, "fall", fall.shape, (weight.shape[0], 1))
        return (weight,)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return ()

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        weight, end, source, target, pre, post, trace_pre, trace_post, fall = _all(*arrays)
        after = weight.copy()
        fired_pre, fired_post = pre[0] != 0, post[0] != 0
        row, edge = np.nonzero((fired_pre[:, source] | fired_post[:, target]) & (end != 0))
        i, j = source[edge], target[edge]
        falls, above = fall[row, 0], end[edge] > 0
        by_post = np.where(above, self.rise, -falls) * trace_pre[row, i] * fired_post[row, j]
        by_pre = np.where(above, -falls, self.rise) * trace_post[row, j] * fired_pre[row, i]
        low, high = np.minimum(end[edge], 0.0), np.maximum(end[edge], 0.0)
        after[row, edge] = np.clip(weight[row, edge] + by_post + by_pre, low, high)
        return (after,)


@final
@dataclass(frozen=True, slots=True)
class Astrocyte(OpKind):
    """a' = a + (gain (spikes of the network - spikes of its inputs) + rest - a) / tau_steps.

    Inputs: spikes of the network [1,B,m], of its inputs [1,B,k], a [B,1]. Output: a after, no less
    than zero. Source: Ivanov and Michmizos, NeurIPS 2021, arXiv 2111.01760, equation of the
    astrocyte.
    """

    gain: float
    tau_steps: float
    rest: float

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 3, 3)
        network = _spikes(self, types, 0, "network")
        inputs, a = _spikes(self, types, 1, "inputs"), operand(self, types, 2, "a", "float")
        expect(self, "inputs", inputs.shape[:2], network.shape[:2])
        expect(self, "a", a.shape, (network.shape[1], 1))
        return (a,)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return ()

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        network, inputs, a = _all(*arrays)
        more = network[0].sum(1, keepdims=True) - inputs[0].sum(1, keepdims=True)
        return (np.maximum(a + (self.gain * more + self.rest - a) / self.tau_steps, 0.0),)
