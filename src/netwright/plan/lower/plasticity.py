"""Synapses that learn: their weights are a state that lies where it lies, in the graph's own order.

The wiring is known, so lowering writes it down twice: which synapses leave a source, which arrive
at a target. A step touches those of the neurons that fired and no others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.graph.op import Op
from netwright.graph.ops.plasticity import Astrocyte, PlasticConnect, Stdp, Trace
from netwright.graph.ops.position import StateUpdate
from netwright.graph.tensor import Role, TensorId
from netwright.plan.lower.connect import Rows, in_blocks, known
from netwright.plan.lower.emitter import Emitter, unsupported
from netwright.plan.lower.movement import packed
from netwright.plan.lower.step import View

Array: TypeAlias = NDArray[Any]

MOST_SYNAPSES = 1 << 30  # native/kernels/spike_plastic.cpp


def lower_plastic_connect(emitter: Emitter, op: Op) -> None:
    """PlasticConnect: the weights of the rows of all that fired, added to their targets."""
    assert isinstance(op.kind, PlasticConnect)
    spikes, weight = _read(emitter, op, 0), _read(emitter, op, 1)
    wiring = _wiring(emitter, op, 2, 3, op.kind.targets)
    fired = _expected(emitter, op, 0)
    sum_ = emitter.scratch(emitter.graph[op.outputs[0]].shape, "fp32", op.name)
    emitter.views[op.outputs[0]] = sum_
    blocks = wiring.blocks(2.0 * fired * wiring.each_source + wiring.targets / 8)
    read = [spikes, weight, *wiring.rows(blocks)]
    work = 2.0 * fired * wiring.each_source * wiring.batch
    emitter.emit("plastic_connect", [sum_], read, [fired], op.name, work)


def lower_stdp(emitter: Emitter, op: Op) -> None:
    """Stdp, over the weights."""
    assert isinstance(op.kind, Stdp)
    post = op.inputs[5]
    assert post is not None
    targets = emitter.most(emitter.graph[post].shape[-1])
    wiring = _wiring(emitter, op, 2, 3, targets)
    weight = _renewed(emitter, op, 0)
    read = [_read(emitter, op, index) for index in range(4, 9)]
    sources, fired = _expected(emitter, op, 4), _expected(emitter, op, 5)
    work = 8.0 * (sources * wiring.each_source + fired * wiring.each_target)
    blocks = wiring.blocks(work)
    ends = wiring.ends_of(known(emitter, op, 1), blocks)
    emitter.emit(
        "stdp",
        [weight],
        [*read, *wiring.rows(blocks), ends[0], *wiring.columns(), ends[1]],
        [float(op.kind.rise), sources, fired],
        op.name,
        work * wiring.batch,
    )


def lower_trace(emitter: Emitter, op: Op) -> None:
    """Trace, over what it was."""
    assert isinstance(op.kind, Trace)
    spikes, x = _read(emitter, op, 0), _renewed(emitter, op, 1)
    work = emitter.size_of(x.shape, 3)
    parameters = [float(op.kind.decay), float(op.kind.jump)]
    emitter.emit("spike_trace", [x], [spikes], parameters, op.name, work)


def lower_astrocyte(emitter: Emitter, op: Op) -> None:
    """Astrocyte, over what it was."""
    kind = op.kind
    assert isinstance(kind, Astrocyte)
    read, a = [_read(emitter, op, 0), _read(emitter, op, 1)], _renewed(emitter, op, 2)
    parameters = [float(kind.gain), float(kind.tau_steps), float(kind.rest)]
    work = sum(emitter.size_of(view.shape, 1) for view in read)
    emitter.emit("astrocyte", [a], read, parameters, op.name, work)


def _read(emitter: Emitter, op: Op, index: int) -> View:
    """An operand as numbers, rows next to each other."""
    tensor = op.inputs[index]
    assert tensor is not None
    view = packed(emitter, emitter.read(tensor), op.name)
    if view.format != "fp32":
        raise unsupported(op, f"its operand {index} is {view.format}; the kernel takes fp32")
    return view


def _renewed(emitter: Emitter, op: Op, index: int) -> View:
    """A state to be written over: where it lies when nobody looks at it later, else a copy."""
    tensor, (out,) = op.inputs[index], op.outputs
    assert tensor is not None
    view = _read(emitter, op, index)
    if not _free(emitter, op, tensor, view):
        fresh = emitter.scratch(view.shape, "fp32", op.name)
        emitter.emit("copy", [fresh], [view], [], op.name, emitter.size_of(view.shape, 1))
        view = fresh
    emitter.views[out] = view
    return view


def _free(emitter: Emitter, op: Op, tensor: TensorId, view: View) -> bool:
    """Whether all readers of a state have read it, and no other value lies in its bytes."""
    graph = emitter.graph
    if graph[tensor].role not in (Role.ACTIVATION, Role.STATE) or tensor in graph.outputs:
        return False
    readers = list(emitter.consumers.get(tensor, ()))
    later = readers[next(i for i, r in enumerate(readers) if r is op) + 1 :]
    renewed = all(isinstance(r.kind, StateUpdate) and r.inputs[0] == tensor for r in later)
    return renewed and not any(
        v.buffer == view.buffer for t, v in emitter.views.items() if t != tensor
    )


def _expected(emitter: Emitter, op: Op, index: int) -> float:
    """Spikes that a step of one sample is expected to bring."""
    tensor = op.inputs[index]
    assert tensor is not None
    value = emitter.graph[tensor]
    return float(value.density * emitter.most(value.shape[-1]))


def _wiring(emitter: Emitter, op: Op, source: int, target: int, targets: int) -> _Wiring:
    spikes = op.inputs[0] if isinstance(op.kind, PlasticConnect) else op.inputs[4]
    assert spikes is not None
    _, batch, sources = (emitter.most(extent) for extent in emitter.graph[spikes].shape)
    ends = known(emitter, op, source), known(emitter, op, target)
    if not 0 < len(ends[0]) <= MOST_SYNAPSES:
        raise unsupported(op, f"{len(ends[0])} synapses; the kernel takes 1 to {MOST_SYNAPSES}")
    for values, most, name in zip(ends, (sources, targets), ("source", "target"), strict=True):
        if values.min() < 0 or values.max() >= most:
            raise unsupported(op, f"a {name} is none of {most} neurons")
    key = (op.inputs[source], op.inputs[target])
    return _Wiring(emitter, op, key, ends, (batch, sources, targets))


@final
@dataclass(frozen=True, slots=True)
class _Wiring:
    """Who is joined to whom. `key` names it: operators with the same wiring share its lists."""

    emitter: Emitter
    op: Op
    key: tuple[TensorId | None, TensorId | None]
    ends: tuple[Array, Array]
    sizes: tuple[int, int, int]

    @property
    def batch(self) -> int:
        """Samples, each with weights of its own."""
        return self.sizes[0]

    @property
    def targets(self) -> int:
        """Neurons that synapses arrive at."""
        return self.sizes[2]

    @property
    def each_source(self) -> float:
        """Synapses that leave a source, on average."""
        return len(self.ends[0]) / self.sizes[1]

    @property
    def each_target(self) -> float:
        """Synapses that arrive at a target, on average."""
        return len(self.ends[0]) / self.sizes[2]

    def blocks(self, work: float) -> int:
        """Into how many blocks of targets a sample's `work` is cut; samples are parts already."""
        parts = self.emitter.parts(work * self.batch)
        return max(1, -(-parts // self.batch))

    def rows(self, blocks: int) -> list[View | None]:
        """Starts [blocks, sources + 1], numbers of synapses (None: as they are), targets."""
        cut = self._cut(blocks)
        as_they_are = np.array_equal(cut.weight, np.arange(len(cut.weight)))
        return [
            self._kept("row starts", blocks, cut.starts),
            None if as_they_are else self._kept("row synapses", blocks, cut.weight),
            self._kept("row targets", blocks, cut.target),
        ]

    def columns(self) -> list[View]:
        """Starts [targets + 1], numbers of synapses, sources."""
        source, target = self.ends
        order = self._by_target()
        starts = np.concatenate([[0], np.cumsum(np.bincount(target, minlength=self.targets))])
        parts = ("column starts", starts), ("synapses", order), ("sources", source[order])
        return [self._kept(name, 0, array) for name, array in parts]

    def ends_of(self, end: Array, blocks: int) -> tuple[View, View]:
        """Where each weight ends, in the order of the rows and of the columns."""
        orders = self._cut(blocks).weight, self._by_target()
        made = [end[order].astype(np.float32) for order in orders]
        return (
            self.emitter.constant(made[0], "fp32", self.op.name),
            self.emitter.constant(made[1], "fp32", self.op.name),
        )

    def _cut(self, blocks: int) -> Rows:
        """Synapses by block and source; the numbers of synapses are its weights."""
        source, target = self.ends
        order = np.argsort(source, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(source, minlength=self.sizes[1]))])
        return in_blocks(Rows(starts, target[order], order), self.targets, blocks)

    def _by_target(self) -> Array:
        return np.argsort(self.ends[1], kind="stable")

    def _kept(self, name: str, blocks: int, array: Array) -> View:
        key = (name, *self.key, *self.sizes[1:], blocks)
        made = array.astype(np.int32)
        return self.emitter.cached_constant(key, lambda: made, "int32", self.op.name)
