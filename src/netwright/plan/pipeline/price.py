"""Price: what a chunk's passes take on a machine, operator by operator, from its graphs.

Matrix products are asked of the cost model as the core's own kernels are (`gemm_packed`,
`matmul_batched`), so a machine that was measured answers from its tables; every other operator is
its bytes and operations over the roofline, nothing fused.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Protocol, final

from netwright.cost.cost import Cost, Setting
from netwright.cost.estimate import best_unit, estimate
from netwright.cost.work import Traffic, TrafficKind, Work
from netwright.errors import PlanError
from netwright.graph import analysis
from netwright.graph.graph import Graph
from netwright.graph.op import Op
from netwright.graph.ops.linear import Linear, MatMul
from netwright.graph.tensor import Role
from netwright.machine.machine import Machine, Unit
from netwright.transform.differentiate import Derivative

_NARROW = ("fp16", "bf16")  # whose products are of their own class; every other is fp32's
_PANEL = 8  # columns to which `gemm_packed` pads
_SUM_BYTES = 8  # gradients are summed in float64


class Prices(Protocol):
    """Who knows what an operator of a flat graph takes on one worker."""

    def op(self, graph: Graph, op: Op) -> Cost:
        """One operator of it, once."""
        ...

    def sum(self, elements: int) -> Cost:
        """Adding a weight's gradient (fp32) to its sum over micro-batches (float64)."""
        ...


@final
@dataclass(frozen=True, slots=True)
class MachinePrices:
    """By the cost model of one kind of unit; a worker has `units` of them.

    `weight_bytes`: what is read between two uses of a weight. Alike operators are asked about once.
    """

    machine: Machine
    unit: Unit
    units: int
    weight_bytes: int
    known: dict[Hashable, Cost] = field(default_factory=dict[Hashable, Cost], compare=False)

    def op(self, graph: Graph, op: Op) -> Cost:
        """By the operator's work.

        Raises:
            UnsupportedError: the unit lacks its arithmetic.
        """
        places = (*op.inputs, *op.outputs)
        key = (op.kind, tuple(None if i is None else _look(graph, i) for i in places))
        if key not in self.known:
            self.known[key] = self._cost(work_of(graph, op))
        return self.known[key]

    def sum(self, elements: int) -> Cost:
        """By its bytes."""
        read, written = elements * (4 + _SUM_BYTES), elements * _SUM_BYTES
        traffic = (Traffic(TrafficKind.ACTIVATIONS, read, written),)
        operations = (("fp32", float(elements)),)
        return self._cost(Work("sum", "fp64", (), operations, traffic, read + written))

    def _cost(self, demand: Work) -> Cost:
        setting = Setting(self.units, weights_reuse_bytes=self.weight_bytes)
        return estimate(self.machine, self.unit, demand, setting)


def machine_prices(graph: Graph, machine: Machine, units: int) -> MachinePrices:
    """Prices on the unit that does the graph's largest operator soonest.

    Raises:
        PlanError: the graph has no operator.
        UnsupportedError: no unit has its arithmetic.
    """
    found = [work_of(graph, op) for op, _ in graph.ops()]
    if not found:
        raise PlanError(f"{graph.name}: has no operator to price")
    unit = best_unit(machine, max(found, key=lambda w: w.num_operations))
    weights = sum(t.read_bytes for w in found for t in w.traffic if t.kind is TrafficKind.WEIGHTS)
    return MachinePrices(machine, unit, min(units, unit.count), weights)


@final
@dataclass(frozen=True, slots=True)
class Seconds:
    """An expected time and the range it is expected in."""

    expected: float = 0.0
    low: float = 0.0
    high: float = 0.0

    def plus(self, cost: Cost) -> Seconds:
        """With one more operator; errors of one model are not independent, so ranges add up."""
        low, high = cost.interval.low, cost.interval.high
        return Seconds(self.expected + cost.seconds, self.low + low, self.high + high)

    def and_then(self, other: Seconds) -> Seconds:
        """With what follows; ranges add up, as in `plus`."""
        return Seconds(self.expected + other.expected, self.low + other.low, self.high + other.high)


@final
@dataclass(frozen=True, slots=True)
class PassSeconds:
    """One micro-batch through one chunk: forward, input gradient, weight gradient."""

    forward: Seconds
    input: Seconds
    weight: Seconds

    @property
    def total(self) -> float:
        """All three."""
        return self.forward.expected + self.input.expected + self.weight.expected


def graph_seconds(graph: Graph, prices: Prices) -> Seconds:
    """The operators of a flat graph, one after the other."""
    found = Seconds()
    for op, _ in graph.ops():
        found = found.plus(prices.op(graph, op))
    return found


def pass_seconds(found: Derivative, prices: Prices, recompute: bool = False) -> PassSeconds:
    """A chunk's three passes; the last one with the sum of its gradients over micro-batches.

    `recompute`: the input gradient begins with the forward pass once more.
    """
    weight = graph_seconds(found.weight_gradient, prices)
    for place, _ in found.weights:
        weight = weight.plus(prices.sum(math.prod(_sizes(found.forward, place))))
    forward = graph_seconds(found.forward, prices)
    back = graph_seconds(found.input_gradient, prices)
    return PassSeconds(forward, back.and_then(forward) if recompute else back, weight)


def work_of(graph: Graph, op: Op) -> Work:
    """Operations and bytes of one operator, under the opcode that a measured table may know."""
    one = analysis.work(graph, op, 1)
    read = [t for t in one.traffic if not t.written]
    weights = sum(t.size_bytes for t in read if t.role is Role.WEIGHT)
    inputs = sum(t.size_bytes for t in read if t.role is not Role.WEIGHT)
    traffic = Traffic(TrafficKind.ACTIVATIONS, inputs, one.written_bytes)
    moved = ((Traffic(TrafficKind.WEIGHTS, weights),) if weights else ()) + (traffic,)
    opcode, sizes = _as_kernel(graph, op) or (one.kind, ())
    narrow = [t.format.name for t in (graph[i] for i in op.inputs if i is not None)]
    arithmetic = next((name for name in narrow if name in _NARROW), "fp32")
    operations = ((arithmetic, float(one.operations)),) if one.operations else ()
    touched = weights + inputs + one.written_bytes
    return Work(opcode, arithmetic, sizes, operations, moved, touched)


def _as_kernel(graph: Graph, op: Op) -> tuple[str, tuple[int, ...]] | None:
    """A matrix product as an opcode and its sizes."""
    if not isinstance(op.kind, Linear | MatMul):
        return None
    first = op.inputs[0]
    assert first is not None
    out, left = _sizes(graph, op.outputs[0]), _sizes(graph, first)
    if isinstance(op.kind, Linear):
        rows = math.prod(out[:-1])
        return "gemm_packed", (rows, left[-1], -(-out[-1] // _PANEL) * _PANEL)
    if len(out) < 2 or len(left) < 2:
        return None
    inner = left[-2] if op.kind.transpose_a else left[-1]
    batch, rows, columns = math.prod(out[:-2]), out[-2], out[-1]
    if batch == 1:
        return "gemm_packed", (rows, inner, -(-columns // _PANEL) * _PANEL)
    return "matmul_batched", (batch, rows, inner, columns)


def _sizes(graph: Graph, place: int) -> tuple[int, ...]:
    return tuple(size for size in graph.tensors[place].shape if isinstance(size, int))


def _look(graph: Graph, place: int) -> tuple[str, bool, tuple[int, ...]]:
    tensor = graph.tensors[place]
    return tensor.format.name, tensor.role is Role.WEIGHT, _sizes(graph, place)
