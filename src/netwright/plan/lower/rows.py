"""What a stream is given and gives: the rows of all its steps, one of them moved in every step."""

from __future__ import annotations

from netwright.graph.op import Op
from netwright.graph.ops.spike_time import OfStep, Remember
from netwright.graph.tensor import TensorId
from netwright.plan.lower.emitter import Emitter, unsupported
from netwright.plan.lower.movement import packed
from netwright.plan.lower.neuron import bits_row_bytes, spike_rows_of
from netwright.plan.lower.step import View, bytes_of, row_major
from netwright.program.program import ArenaKind


def rows_port(emitter: Emitter, tensor: TensorId) -> View | None:
    """The rows of an input that a stream is given; None where it is no such input.

    Spikes that are only remembered are bits, one row of whole words a step.
    """
    steps, value = emitter.store.steps, emitter.graph[tensor]
    readers = emitter.consumers.get(tensor, ())
    if steps is None or not readers or not all(isinstance(r.kind, OfStep) for r in readers):
        return None
    shape = tuple(emitter.most(e) for e in value.shape[1:])
    bits = all(_only_remembered(emitter, r) for r in readers)
    rows = (steps, bits_row_bytes(shape[-1])) if bits else (steps, *shape)
    form = "uint8" if bits else value.format.name
    buffer = emitter.buffer(
        ArenaKind.INPUT_OUTPUT, emitter.size_of(rows, bytes_of(form)), value.name
    )
    return View(buffer, 0, form, rows, row_major(rows, bytes_of(form)))


def lower_of_step(emitter: Emitter, op: Op) -> None:
    """OfStep: nothing, but in a stream: a row from what is given, or to what is kept."""
    x, clock = op.inputs
    (out,) = op.outputs
    assert x is not None and clock is not None
    steps, value = emitter.store.steps, emitter.graph[out]
    if steps is None:
        emitter.views[out] = emitter.read(x)
        return
    now = emitter.read(clock)
    if x in emitter.graph.inputs:
        ring, _, record = spike_rows_of(emitter, out)
        given = emitter.read(x)
        if ring is not None and given.format != "uint8":
            raise unsupported(op, "its spikes are remembered and read as numbers too; split it")
        targets = [ring, record] if ring is not None else [_fresh(emitter, op, out)]
        for target in targets:
            if target is not None:
                emitter.emit("row_copy", [_flat(target)], [_flat(given), now], [], op.name)
        return
    view = packed(emitter, emitter.read(x), op.name)
    emitter.views[out] = view
    if out in emitter.graph.outputs:
        shape = (steps, *(emitter.most(e) for e in value.shape[1:]))
        buffer = emitter.buffer(
            ArenaKind.INPUT_OUTPUT, emitter.size_of(shape, view.item_bytes), value.name
        )
        kept = View(buffer, 0, view.format, shape, row_major(shape, view.item_bytes))
        emitter.store.ports[f"recorded {value.name}"] = kept
        emitter.emit("row_copy", [_flat(kept)], [_flat(view), now], [], op.name)


def _only_remembered(emitter: Emitter, op: Op) -> bool:
    readers = emitter.consumers.get(op.outputs[0], ())
    return bool(readers) and all(isinstance(r.kind, Remember) for r in readers)


def _fresh(emitter: Emitter, op: Op, out: TensorId) -> View:
    value = emitter.graph[out]
    view = emitter.scratch(value.shape, value.format.name, op.name)
    emitter.views[out] = view
    return view


def _flat(view: View) -> View:
    """Rows [steps, numbers]."""
    size = 1
    for extent in view.shape[1:]:
        assert isinstance(extent, int)
        size *= extent
    shape = (view.shape[0], size)
    return View(
        view.buffer, view.offset_bytes, view.format, shape, row_major(shape, view.item_bytes)
    )
