"""A network with quantised activations → the spiking network that says the same with spikes.

An activation of L levels, clip(round(x / scale), 0, L) scale, is what an integrate-and-fire neuron
fires over T steps when its input is x at each of them, it starts half charged, its threshold is
scale L / m, and it fires up to m times a step with T m = L: the membrane integrates, the count
rounds, the reset that subtracts keeps the rest. In depth the input varies from step to step and a
count may differ. Source: Xu et al., CVPR 2024 (arXiv 2311.10802); Li et al., ICCV 2023.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import GraphError, UnsupportedError
from netwright.graph.build import Builder
from netwright.graph.graph import Block, Graph
from netwright.graph.op import Op
from netwright.graph.ops.function import IDENTITY
from netwright.graph.ops.linear import Linear
from netwright.graph.ops.movement import Expand, Reshape
from netwright.graph.ops.neuron import If
from netwright.graph.ops.neuron_rule import Discretisation, Reset
from netwright.graph.ops.quantise import FakeQuantise
from netwright.graph.tensor import TensorId
from netwright.transform.draft import Draft

Array: TypeAlias = NDArray[Any]


@final
@dataclass(frozen=True, slots=True)
class Coding:
    """How an activation is said: over so many steps, in spikes of so many bits each.

    A spike of b bits counts 0 to 2^b - 1. `from_spikes`: the network's inputs arrive as spikes
    [T, B, n] (`encode`) where they would be quantised first; else as the values that they are.
    """

    steps: int
    spike_bits: int = 1
    from_spikes: bool = False

    def __post_init__(self) -> None:
        if self.steps < 1 or not 1 <= self.spike_bits <= 16:
            raise GraphError(
                f"coding: {self.steps} steps of {self.spike_bits} bits; expected at least one step"
                " and 1 to 16 bits"
            )

    @property
    def most(self) -> int:
        """The largest count of one step."""
        return (1 << self.spike_bits) - 1

    @property
    def levels(self) -> int:
        """The largest count over all steps."""
        return self.steps * self.most


def encode(values: Array, top: float, coding: Coding) -> NDArray[np.float32]:
    """Values [B, n] as counts [T, B, n], evenly spread; `top` and above fire most at every step."""
    level = np.clip(np.floor(values * (coding.levels / top) + 0.5), 0, coding.levels).astype(int)
    steps = np.arange(coding.steps + 1).reshape(-1, *[1] * values.ndim)
    return np.diff((steps * level + coding.steps // 2) // coding.steps, axis=0).astype(np.float32)


def spike(graph: Graph, coding: Coding) -> Graph:
    """The same inputs, and outputs [T, B, ...] whose mean over the steps is the network's answer.

    Raises:
        UnsupportedError: an operator other than products with bias and unsigned activations of
            one scale, sizes that are symbols, or an input that is not quantised first.
    """
    return _Writer(graph, coding).write()


@final
class _Writer:
    """One spiking graph being written. `unit`: what a mean count of one is, by tensor."""

    def __init__(self, graph: Graph, coding: Coding) -> None:
        self.graph, self.coding = graph, coding
        self.draft, self.builder = Draft(graph), Builder(f"{graph.name} in spikes")
        self.found: dict[TensorId, TensorId] = {}
        self.unit: dict[TensorId, float] = {}

    def write(self) -> Graph:
        ops = [node for node in self.graph.body if not isinstance(node, Block)]
        if len(ops) != len(self.graph.body) or self.graph.symbols:
            raise UnsupportedError(f"{self.graph.name}: has blocks or symbolic sizes; unroll it")
        coded = self._coded(ops) if self.coding.from_spikes else set[TensorId]()
        for tensor in self.graph.inputs:
            if tensor not in coded:
                known = self.graph[tensor]
                dims = [(d.name, d.size) for d in known.dims]
                self.found[tensor] = self.builder.input(known.name, dims, known.format)
        for op in ops:
            self._op(op, coded)
        return self.builder.finish([self._stepped(t) for t in self.graph.outputs])

    def _coded(self, ops: list[Op]) -> set[TensorId]:
        """Inputs that only activations read: they arrive as spikes."""
        readers = [(i, op) for op in ops for i in op.inputs if i in self.graph.inputs]
        plain = {i for i, op in readers if not isinstance(op.kind, FakeQuantise)}
        if plain:
            names = ", ".join(self.graph[i].name for i in plain if i is not None)
            raise UnsupportedError(f"{self.graph.name}: {names} is read unquantised; not in spikes")
        return set(self.graph.inputs)

    def _op(self, op: Op, coded: set[TensorId]) -> None:
        if isinstance(op.kind, FakeQuantise):
            self._activation(op, coded)
        elif isinstance(op.kind, Linear) and op.kind.function == IDENTITY and len(op.inputs) < 4:
            self._product(op)
        else:
            raise UnsupportedError(
                f"{self.graph.name}: operator {op.name} ({type(op.kind).__name__}) has no spiking"
                " form; products with bias and unsigned activations have"
            )

    def _activation(self, op: Op, coded: set[TensorId]) -> None:
        x, scale = op.inputs[0], self.draft.values(op.inputs[1])
        zero = self.draft.values(op.inputs[2])
        assert x is not None
        assert isinstance(op.kind, FakeQuantise)
        low, high = op.kind.limits()
        if low != 0 or scale is None or scale.size != 1 or zero is None or zero.any():
            raise UnsupportedError(
                f"{self.graph.name}: activation {op.name} is not unsigned with one constant scale"
            )
        top = float(scale.reshape(())) * high
        threshold = top / self.coding.most
        sizes = [size for size in self.graph[x].shape if isinstance(size, int)]
        if len(sizes) != 2:
            raise UnsupportedError(f"{self.graph.name}: {op.name} is not [batch, neurons] in whole")
        dims = [("step", self.coding.steps), ("batch", sizes[0]), ("neuron", sizes[1])]
        if x in coded:
            made = self.builder.input(self.graph[x].name, dims)
        else:
            rule = Discretisation(
                1.0, reset=Reset.SUBTRACT, threshold_included=True, input_scale=1.0,
                most_spikes=self.coding.most,
            )  # fmt: skip
            half = np.full(sizes, threshold / 2)
            start = self.builder.weight(f"{op.name}.half", dims[1:], data=half)
            made = self.builder.add(If(threshold, rule), (self._stepped(x), start), op.name)
        # The mean of the counts, in this unit, is the activation.
        self.found[op.outputs[0]], self.unit[made] = made, threshold

    def _product(self, op: Op) -> None:
        x, weight, bias = (*op.inputs, None)[:3]
        assert x is not None
        values = self.draft.values(weight)
        if values is None:
            raise UnsupportedError(f"{self.graph.name}: the weight of {op.name} is not constant")
        source = self.found[x]
        scaled = values * self.unit.get(source, 1.0)
        inputs = [source, self._weight(weight, scaled)]
        if bias is not None:
            shift = self.draft.values(bias)
            if shift is None:
                raise UnsupportedError(f"{self.graph.name}: the bias of {op.name} is not constant")
            inputs.append(self._weight(bias, shift))
        self.found[op.outputs[0]] = self.builder.add(op.kind, inputs, op.name)

    def _weight(self, tensor: TensorId | None, values: Array) -> TensorId:
        assert tensor is not None
        known = self.graph[tensor]
        dims = [(d.name, d.size) for d in known.dims]
        return self.builder.weight(known.name, dims, data=values)

    def _stepped(self, tensor: TensorId) -> TensorId:
        """A tensor of the network at every step; what no spike reaches is the same at each."""
        made = self.found[tensor]
        known = self.builder.tensors[made]
        if len(known.dims) == len(self.graph[tensor].dims) + 1:
            return made
        flat = self.builder.add(Reshape((1, *known.shape)), (made,), f"{known.name}.once")
        shape = (self.coding.steps, *known.shape)
        return self.builder.add(Expand(shape), (flat,), f"{known.name}.steps")
