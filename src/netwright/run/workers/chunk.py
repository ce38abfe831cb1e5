"""Chunk: a part of a network with its gradients and optimiser, and its state on a worker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from netwright.errors import RunError
from netwright.graph.graph import Graph
from netwright.graph.ops.position import StateUpdate
from netwright.graph.tensor import Role, TensorId
from netwright.run.workers.executor import Executor, Values, weight_values
from netwright.transform.differentiate import Derivative


@final
@dataclass(frozen=True, slots=True)
class Chunk:
    """What a worker needs of one part of the network.

    `entry` is the activation that the chunk before sends (None for the first), `exit` the one that
    the next receives, or the loss. `data` are the network's own inputs. The loss of the last chunk
    is weighed by 1 / micro-batches. `recompute`: only inputs are kept until the backward pass.
    `asynchronous`: a micro-batch is a step; `ahead`: steps by which forward passes predict weights.
    """

    index: int
    derivative: Derivative
    optimiser: Graph
    rate: float
    entry: TensorId | None
    exit: TensorId
    data: tuple[tuple[TensorId, str], ...]
    is_last: bool
    recompute: bool = False
    asynchronous: bool = False
    ahead: int = 0


@final
class ChunkState:
    """The weights, the sums of their gradients, and what is saved of micro-batches under way.

    Gradients are summed in float64, so that their sum does not depend on the order in which a
    schedule makes them; all else is float32.
    """

    def __init__(self, chunk: Chunk, microbatches: int) -> None:
        self.chunk = chunk
        found = chunk.derivative
        graphs = (found.forward, found.input_gradient, found.weight_gradient)
        self._forward, self._input, self._weight = (Executor(g) for g in graphs)
        self._optimiser = Executor(chunk.optimiser)
        self.weights: Values = {}
        for graph in graphs:
            self.weights.update(weight_values(graph))
        self._sums = {
            place: torch.zeros_like(self.weights[place], dtype=torch.float64)
            for place, _ in found.weights
        }
        self._moments: Values = {
            TensorId(i): torch.zeros([d.size for d in t.dims if isinstance(d.size, int)])
            for i, t in enumerate(chunk.optimiser.tensors)
            if t.role is Role.OPTIMISER
        }
        ends = {of for _, of in found.weights}
        self._late = frozenset((*found.weight_gradient.inputs, *ends))
        self._early = frozenset((*found.input_gradient.inputs, *self._late))
        self._inputs = frozenset(found.forward.inputs)
        self.recomputed_bytes = 0  # in the last backward pass, beside what is saved
        self._saved: dict[int, Values] = {}
        self._saved_sizes: dict[int, int] = {}
        self._saved_total = 0  # counted as they come and go: it is asked for after every pass
        self._seed = torch.tensor(1.0 / (1 if chunk.asynchronous else microbatches))
        self._ahead: Values = {}  # weights as they are predicted to be

    def forward(self, microbatch: int, entry: Tensor | None, data: Mapping[str, Tensor]) -> Tensor:
        """The activation for the next chunk, or the loss of the last."""
        inputs = {place: data[name] for place, name in self.chunk.data}
        values = {**self.weights, **self._ahead, **inputs}
        if self.chunk.entry is not None:
            assert entry is not None
            values[self.chunk.entry] = entry
        if self.chunk.recompute:
            self._keep(microbatch, values, self._inputs)
            self._forward(values)
        else:
            self._forward(values)
            self._keep(microbatch, values, self._early)
        return values[self.chunk.exit]

    def input_gradient(self, microbatch: int, seed: Tensor | None) -> Tensor | None:
        """The gradient for the chunk before; None at the first. The last chunk needs no seed."""
        found = self.chunk.derivative
        values = {**self.weights, **self._take(microbatch)}
        if self.chunk.recompute:
            self._forward(values)
            self.recomputed_bytes = _bytes(
                v for i, v in values.items() if i in self._early and i not in self.weights
            )
        values[found.seeds[0][1]] = self._seed if seed is None else seed
        self._input(values)
        self._keep(microbatch, values, self._late)
        return (
            values[dict(found.inputs)[self.chunk.entry]] if self.chunk.entry is not None else None
        )

    def weight_gradient(self, microbatch: int) -> None:
        """Adds the micro-batch's weight gradients to their sums."""
        values = {**self.weights, **self._take(microbatch)}
        self._weight(values)
        for place, of in self.chunk.derivative.weights:
            self._sums[place].add_(values[of])

    def update(self) -> None:
        """One step of the optimiser; the sums start anew."""
        graph = self.chunk.optimiser
        values: Values = dict(self._moments)
        inputs = list(graph.inputs)
        values[inputs[0]] = torch.tensor(self.chunk.rate)
        for index, place in enumerate(self._sums):
            values[inputs[1 + 2 * index]] = self.weights[place]
            values[inputs[2 + 2 * index]] = self._sums[place].float()
            self._sums[place].zero_()
        self._optimiser(values)
        for op, _ in graph.ops():
            if isinstance(op.kind, StateUpdate) and op.inputs[0] is not None:
                self._moments[op.inputs[0]] = values[op.outputs[0]]
        for place, new in zip(self._sums, graph.outputs, strict=True):
            if self.chunk.ahead:
                step = values[new] - self.weights[place]
                self._ahead[place] = values[new] + self.chunk.ahead * step
            self.weights[place] = values[new]

    def gradient_sum(self, place: TensorId) -> Tensor:
        """The sum of a weight's gradients so far, float64."""
        return self._sums[place]

    def replace_sum(self, place: TensorId, total: Tensor) -> None:
        """Takes a sum over all who hold the weight in place of its own."""
        self._sums[place].copy_(total)

    def saved_bytes(self) -> int:
        """Bytes kept for micro-batches under way; what one of them shares counts once."""
        return self._saved_total

    def _keep(self, microbatch: int, values: Values, wanted: frozenset[TensorId]) -> None:
        self._saved[microbatch] = {
            i: v for i, v in values.items() if i in wanted and i not in self.weights
        }
        self._saved_sizes[microbatch] = _bytes(self._saved[microbatch].values())
        self._saved_total += self._saved_sizes[microbatch]

    def _take(self, microbatch: int) -> Values:
        if microbatch not in self._saved:
            raise RunError(
                f"chunk {self.chunk.index}: nothing is saved of micro-batch {microbatch}"
            )
        self._saved_total -= self._saved_sizes.pop(microbatch)
        return self._saved.pop(microbatch)


def _bytes(values: Iterable[Tensor]) -> int:
    sizes = {v.untyped_storage().data_ptr(): v.untyped_storage().nbytes() for v in values}
    return sum(sizes.values())
