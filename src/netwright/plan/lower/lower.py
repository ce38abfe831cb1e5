"""Graph × entry points → steps over shared buffers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from netwright.graph.extent import Affine, Extent
from netwright.graph.graph import Graph
from netwright.graph.op import Op
from netwright.graph.ops.position import StateUpdate
from netwright.graph.ops.spike_time import Remember
from netwright.graph.tensor import Role, TensorId
from netwright.plan.lower.emitter import Emitter, Store
from netwright.plan.lower.movement import packed
from netwright.plan.lower.neuron import history_state
from netwright.plan.lower.rows import rows_port
from netwright.plan.lower.step import Step, View, bytes_of, row_major
from netwright.plan.lower.table import lower_op
from netwright.program.program import ArenaKind


@final
@dataclass(frozen=True, slots=True)
class Lowered:
    """One entry as steps; inputs and outputs are views of caller-owned buffers."""

    name: str
    steps: tuple[Step, ...]
    bounds: tuple[tuple[str, int, int], ...]
    limit: int
    inputs: tuple[tuple[str, View], ...]
    outputs: tuple[tuple[str, View], ...]
    repeats: int = 1


def lower_entry(
    graph: Graph,
    store: Store,
    name: str,
    bounds: Mapping[str, tuple[int, int]],
    limit: int,
    threads: int,
) -> Lowered:
    """Lowers a flat graph for one entry point.

    Raises:
        UnsupportedError: an operator has no kernel.
    """
    low = {s: b[0] for s, b in bounds.items()}
    high = {s: b[1] for s, b in bounds.items()}
    ops = [node for node in graph.body if isinstance(node, Op)]
    renewed = frozenset(op.outputs[0] for op in ops if isinstance(op.kind, StateUpdate))
    emitter = Emitter(graph, store, low, high, threads, _consumers(ops), renewed)
    inputs = tuple((graph[t].name, _port(emitter, t, bounds)) for t in graph.inputs)
    for tensor, value in enumerate(graph.tensors):
        if value.role in (Role.CACHE, Role.STATE):
            emitter.views[TensorId(tensor)] = _state(emitter, TensorId(tensor))
    for op in ops:
        lower_op(emitter, op)
    outputs = tuple((graph[t].name, _output(emitter, t)) for t in graph.outputs)
    return Lowered(
        name,
        tuple(emitter.steps),
        tuple((s, b[0], b[1]) for s, b in bounds.items()),
        limit,
        inputs,
        outputs,
        store.steps or 1,
    )


def lower_start(graph: Graph, store: Store) -> Lowered | None:
    """The entry that gives states their first values, where any is not zero; after the others."""
    given = [TensorId(i) for i, t in enumerate(graph.tensors) if t.role is Role.STATE and t.data]
    if not given:
        return None
    emitter = Emitter(graph, store, {}, {}, 1, {})
    for tensor in given:
        state = store.states[tensor]
        emitter.emit("copy", [state], [emitter.weight(tensor)], [], graph[tensor].name)
    return Lowered("start", tuple(emitter.steps), (), 0, (), ())


def _consumers(ops: list[Op]) -> dict[TensorId, list[Op]]:
    consumers: dict[TensorId, list[Op]] = {}
    for op in ops:
        for tensor in op.inputs:
            if tensor is not None:
                consumers.setdefault(tensor, []).append(op)
    return consumers


def _port(emitter: Emitter, tensor: TensorId, bounds: Mapping[str, tuple[int, int]]) -> View:
    """An input's view; entries share its buffer, sized for the largest."""
    value = emitter.graph[tensor]
    key = f"input {value.name}"
    shape = value.shape
    if key not in emitter.store.ports and (rows := rows_port(emitter, tensor)) is not None:
        emitter.store.ports[key] = rows
    if key not in emitter.store.ports:
        most = {s.name: s.high for s in emitter.graph.symbols}
        size = bytes_of(value.format.name)
        for extent in shape:
            size *= emitter.most(extent) if not most else _highest(extent, most)
        buffer = emitter.buffer(ArenaKind.INPUT_OUTPUT, size, value.name)
        strides = row_major(shape, bytes_of(value.format.name))
        emitter.store.ports[key] = View(buffer, 0, value.format.name, shape, strides)
    view = emitter.store.ports[key]
    emitter.views[tensor] = view
    return view


def _highest(extent: Extent, high: Mapping[str, int]) -> int:
    if not isinstance(extent, Affine):
        return extent
    return extent.constant + sum(c * high[s] for s, c in extent.terms if c > 0)


def _state(emitter: Emitter, tensor: TensorId) -> View:
    """A state's or cache's view: the same bytes in every entry."""
    found = emitter.store.states.get(tensor)
    if found is None:
        value = emitter.graph[tensor]
        readers = emitter.consumers.get(tensor, ())
        if any(isinstance(r.kind, Remember) and r.inputs[0] == tensor for r in readers):
            emitter.store.states[tensor] = history_state(emitter, tensor)
            return emitter.store.states[tensor]
        item = bytes_of(value.format.name)
        buffer = emitter.buffer(ArenaKind.STATE, emitter.size_of(value.shape, item), value.name)
        strides = row_major(value.shape, item)
        found = View(buffer, 0, value.format.name, value.shape, strides)
        emitter.store.states[tensor] = found
    return found


def _output(emitter: Emitter, tensor: TensorId) -> View:
    """Copies an output to a buffer of the caller's, unless its producer can write there itself.

    The producer can when the output has a scratch buffer of its own that nothing else looks at:
    then the buffer simply becomes the caller's. A state after the last step is seen where it lies.
    """
    name = emitter.graph[tensor].name
    recorded = emitter.store.ports.get(f"recorded {name}")
    if recorded is not None:
        return recorded
    view = packed(emitter, emitter.read(tensor), name)
    buffer = emitter.store.buffers[view.buffer]
    if buffer.kind is ArenaKind.STATE and tensor in emitter.renewed:
        return view
    key = f"output {name}"
    whole = view.offset_bytes == 0 and buffer.kind is ArenaKind.SCRATCH
    port = emitter.store.ports.get(key)
    if port is None and whole:
        emitter.store.buffers[view.buffer] = type(buffer)(
            ArenaKind.INPUT_OUTPUT, buffer.size_bytes, name
        )
        emitter.store.ports[key] = view
        return view
    if port is not None and whole and _holds(emitter, port, view):
        target = View(port.buffer, 0, view.format, view.shape, view.stride_bytes)
        emitter.steps = [_redirected(step, view, target) for step in emitter.steps]
        return target
    size = emitter.size_of(view.shape, view.item_bytes)
    target = View(
        emitter.buffer(ArenaKind.INPUT_OUTPUT, size, name), 0, view.format, view.shape,
        row_major(view.shape, view.item_bytes),
    )  # fmt: skip
    emitter.emit("copy", [target], [view], [], name)
    return target


def _holds(emitter: Emitter, port: View, view: View) -> bool:
    """Whether another entry's buffer is large enough for this one's output."""
    size = emitter.size_of(view.shape, view.item_bytes)
    return port.format == view.format and size <= emitter.store.buffers[port.buffer].size_bytes


def _redirected(step: Step, old: View, new: View) -> Step:
    """The step with every look at one buffer turned to another."""
    operands = tuple(
        View(new.buffer, o.offset_bytes, o.format, o.shape, o.stride_bytes)
        if o is not None and o.buffer == old.buffer
        else o
        for o in step.operands
    )
    return Step(step.opcode, operands, step.parameters, step.num_written, step.parts, step.source)


def total_limit(graph: Graph, bounds: Mapping[str, tuple[int, int]]) -> int:
    """The most that an entry's symbols may add up to: the smallest cache's rows."""
    rows = [
        value.dims[0].size
        for value in graph.tensors
        if value.role is Role.CACHE and isinstance(value.dims[0].size, int)
    ]
    return min(rows, default=sum(high for _, high in bounds.values()))
