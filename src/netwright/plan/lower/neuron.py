"""Neurons: one step for all of them, states where they lie, spikes as bits where bits will do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.graph.op import Op
from netwright.graph.ops.neuron import CobaLif, CubaLif, If, Li, Lif
from netwright.graph.ops.neuron_each import alike, membranes, place_of_each
from netwright.graph.ops.neuron_rule import Reset
from netwright.graph.ops.neuron_step import Membrane, Membranes
from netwright.graph.ops.spike_time import Remember
from netwright.graph.tensor import TensorId
from netwright.plan.lower.emitter import Emitter, unsupported
from netwright.plan.lower.movement import packed
from netwright.plan.lower.step import Parameter, View, row_major
from netwright.program.program import ArenaKind

MOST_RECEPTORS = 4  # native/kernels/spike_shape.hpp
_RESETS = {Reset.NONE: 0, Reset.SUBTRACT: 1, Reset.ZERO: 2, Reset.VALUE: 2}


def bits_row_bytes(neurons: int) -> int:
    """Bytes of one step's spikes: bits in whole words of 64."""
    return -(-neurons // 64) * 8


def history_state(emitter: Emitter, tensor: TensorId) -> View:
    """The spikes of the last steps [D, 1, n] as rows of bits [D + 1, bytes].

    One row more than is read: a population may fire before all have read what it did D steps ago.
    """
    value = emitter.graph[tensor]
    steps, _, neurons = (emitter.most(e) for e in value.shape)
    shape = (steps + 1, bits_row_bytes(neurons))
    buffer = emitter.buffer(ArenaKind.STATE, shape[0] * shape[1], value.name)
    return View(buffer, 0, "uint8", shape, row_major(shape, 1))


def lower_neuron(emitter: Emitter, op: Op) -> None:
    """Lif, If, Li, CubaLif and CobaLif."""
    assert isinstance(op.kind, Lif | If | Li | CubaLif | CobaLif)
    m = alike(op.kind).membrane()
    traced = isinstance(op.kind, Li) or (isinstance(op.kind, CubaLif) and op.kind.traced)
    receptors = len(m.decays)
    if receptors > MOST_RECEPTORS:
        raise unsupported(op, f"{receptors} receptors, and the kernel takes {MOST_RECEPTORS}")
    if m.rule.most_spikes != 1:
        raise unsupported(op, "no kernel makes several spikes in a step; most_spikes 1 has one")
    inputs = [_sequence(emitter, i, op.name) for i in op.inputs[: max(1, receptors)]]
    given = (*op.inputs[max(1, receptors) :], *([None] * (2 + receptors)))
    states: list[View] = []
    for place in range(1 + receptors + bool(m.rule.refractory_steps)):
        states.append(_state(emitter, op, given[place], place))
    held = states.pop() if m.rule.refractory_steps else None
    kept = [states[0], *states[1:], *([] if held is None else [held])]
    for tensor, view in zip(op.outputs[1:], kept, strict=False):
        emitter.views[tensor] = view
    ring, clock, record, dense = _spikes(emitter, op, traced)
    currents = [*states[1:], *[None] * (MOST_RECEPTORS - receptors)]
    read = [clock, *inputs, *[None] * (MOST_RECEPTORS - len(inputs)), _each(emitter, op)]
    neurons = emitter.size_of(emitter.graph[op.outputs[0]].shape, 1)
    expected = emitter.graph[op.outputs[0]].density * neurons
    emitter.emit(
        "neuron",
        [ring, record, dense, states[0], held, *currents],
        read,
        _parameters(m, traced, expected),
        op.name,
        neurons * (8.0 + 4.0 * receptors),
    )


def _each(emitter: Emitter, op: Op) -> View | None:
    """Coefficients of neurons that differ, as the kernel reads them; of every sample once more."""
    assert isinstance(op.kind, Lif | If | Li | CubaLif | CobaLif)
    kind, first = op.kind, place_of_each(op.kind)
    if not kind.each:
        return None
    given: dict[str, NDArray[Any]] = {}
    for name, tensor in zip(kind.each, op.inputs[first : first + len(kind.each)], strict=True):
        if tensor is None or not emitter.is_constant(tensor):
            raise unsupported(op, f"its {name} of each neuron is computed; it must be a weight")
        given[name] = emitter.array(tensor)
    m = membranes(kind, given)
    assert isinstance(m, Membranes)
    threshold = m.threshold.astype(np.float32)
    above = np.nextafter(threshold, np.float32(-np.inf)) if m.rule.threshold_included else threshold
    less = {Reset.NONE: np.zeros_like(m.decay), Reset.SUBTRACT: m.threshold}
    rows = [above, threshold, less.get(m.rule.reset, -m.reset_value)]
    rows += [m.decay, m.drive, m.input, m.rate, *(m.reversals or m.gains), *m.decays]
    batch = emitter.most(emitter.graph[op.outputs[0]].shape[1])
    matrix = np.tile(np.stack([row.astype(np.float32) for row in rows]), (1, batch))
    return emitter.cached_constant(("each", op.outputs[0]), lambda: matrix, "fp32", op.name)


def _sequence(emitter: Emitter, tensor: TensorId | None, source: str) -> View | None:
    """An input [T, B, n], rows next to each other."""
    return None if tensor is None else packed(emitter, emitter.read(tensor), source)


def _state(emitter: Emitter, op: Op, tensor: TensorId | None, place: int) -> View:
    """A state to be written over: where it lies when nobody else looks, else a copy; zeros."""
    shape = emitter.graph[op.outputs[0]].shape[1:]
    form = "int32" if place == _refractory_place(op) else "fp32"
    if tensor is not None:
        view = emitter.read(tensor)
        free = not emitter.is_constant(tensor) and emitter.only_reader(tensor, op)
        if free and view.format == form and view.contiguous:
            return View(view.buffer, view.offset_bytes, form, shape, row_major(shape, 4))
    fresh = emitter.scratch(shape, form, op.name)
    if tensor is None:
        emitter.emit("fill", [fresh], [], [0.0], op.name)
    else:
        emitter.emit("copy", [fresh], [emitter.read(tensor)], [], op.name)
    return fresh


def _refractory_place(op: Op) -> int:
    assert isinstance(op.kind, Lif | If | Li | CubaLif | CobaLif)
    m = alike(op.kind).membrane()
    return 1 + len(m.decays) if m.rule.refractory_steps else -1


def spike_rows_of(
    emitter: Emitter, tensor: TensorId
) -> tuple[View | None, View | None, View | None]:
    """Where spikes go as bits: the ring of a history and its clock, and the record of a job."""
    ring = clock = record = None
    for reader in emitter.consumers.get(tensor, ()):
        if isinstance(reader.kind, Remember) and reader.inputs[1] == tensor:
            history, _, now = reader.inputs
            assert history is not None and now is not None
            ring, clock = emitter.read(history), emitter.read(now)
    steps, value = emitter.store.steps, emitter.graph[tensor]
    if steps is not None and tensor in emitter.graph.outputs and clock is not None:
        shape = (steps, bits_row_bytes(emitter.most(value.shape[-1])))
        buffer = emitter.buffer(ArenaKind.INPUT_OUTPUT, shape[0] * shape[1], value.name)
        record = View(buffer, 0, "uint8", shape, row_major(shape, 1))
        emitter.store.ports[f"recorded {value.name}"] = record
    return ring, clock, record


def _spikes(
    emitter: Emitter, op: Op, traced: bool
) -> tuple[View | None, View | None, View | None, View | None]:
    """Ring, clock, record and dense values of the first output; dense only where it is read."""
    tensor = op.outputs[0]
    ring, clock, record = spike_rows_of(emitter, tensor)
    readers = emitter.consumers.get(tensor, ())
    others = [r for r in readers if not isinstance(r.kind, Remember)]
    if ring is not None and traced:
        raise unsupported(op, "a membrane is no spike that could be remembered")
    if (
        ring is not None
        and not others
        and (record is not None or tensor not in emitter.graph.outputs)
    ):
        return ring, clock, record, None
    dense = emitter.scratch(emitter.graph[tensor].shape, "fp32", op.name)
    emitter.views[tensor] = dense
    return ring, clock, record, dense


def _parameters(m: Membrane, traced: bool, expected: float) -> list[Parameter]:
    rule = m.rule

    def padded(values: Sequence[float]) -> list[float]:
        return [*values, *[0.0] * (MOST_RECEPTORS - len(values))]

    return [
        len(m.decays), int(bool(m.reversals)), _RESETS[rule.reset], int(rule.reset_delay),
        int(rule.threshold_included), rule.refractory_steps, int(rule.input_after), int(traced),
        float(m.threshold), float(m.reset_value), float(m.decay), float(m.drive), float(m.input),
        float(m.rate), *padded(m.gains), *padded(m.decays), *padded(m.reversals), float(expected),
    ]  # fmt: skip


def lower_remember(emitter: Emitter, op: Op) -> None:
    """Remember: whoever makes the spikes has put them into the ring."""
    history, spikes, _ = op.inputs
    assert history is not None and spikes is not None
    emitter.views[op.outputs[0]] = emitter.read(history)


def lower_tick(emitter: Emitter, op: Op) -> None:
    """Tick, in place: whoever needs the step that was on stands before."""
    (clock,) = op.inputs
    assert clock is not None
    view = emitter.read(clock)
    if emitter.graph[clock].format.name != "int64":
        raise unsupported(op, "the clock is not int64")
    emitter.emit("tick", [view], [], [], op.name)
    emitter.views[op.outputs[0]] = view
