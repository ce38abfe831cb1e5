"""Recurrent layers: one step for each direction."""

from __future__ import annotations

from dataclasses import replace

from netwright.graph.op import Op
from netwright.graph.ops.recurrent import Gru, Lstm
from netwright.graph.tensor import TensorId
from netwright.plan.lower.emitter import Emitter
from netwright.plan.lower.movement import packed
from netwright.plan.lower.step import View


def lower_lstm(emitter: Emitter, op: Op) -> None:
    """Lstm."""
    assert isinstance(op.kind, Lstm)
    _lower(emitter, op, "lstm", op.kind.direction, [])


def lower_gru(emitter: Emitter, op: Op) -> None:
    """Gru."""
    assert isinstance(op.kind, Gru)
    _lower(emitter, op, "gru", op.kind.direction, [int(op.kind.linear_before_reset)])


def _lower(emitter: Emitter, op: Op, opcode: str, direction: str, extra: list[int]) -> None:
    x, *others = op.inputs
    assert x is not None
    sequence = packed(emitter, emitter.read(x), op.name)
    outputs: list[View] = []
    for tensor in op.outputs:
        out = emitter.scratch(emitter.graph[tensor].shape, "fp32", op.name)
        emitter.views[tensor] = out
        outputs.append(out)
    reverses = {"forward": (0,), "reverse": (1,), "bidirectional": (0, 1)}[direction]
    for index, reverse in enumerate(reverses):
        y = _direction(outputs[0], index, 1)
        states = [_direction(out, index, 0) for out in outputs[1:]]
        read = [_weight(emitter, tensor, index, op.name) for tensor in others]
        work = 2.0 * emitter.size_of(sequence.shape, 1) * emitter.most(outputs[0].shape[-1])
        emitter.emit(opcode, [y, *states], [sequence, *read], [reverse, *extra], op.name, work)


def _weight(emitter: Emitter, tensor: TensorId | None, index: int, source: str) -> View | None:
    if tensor is None:
        return None
    return _direction(packed(emitter, emitter.read(tensor), source), index, 0)


def _direction(view: View, index: int, dim: int) -> View:
    """One direction of a view: the dim of directions taken out."""
    stride = view.stride_bytes[dim]
    assert isinstance(stride, int)
    return replace(
        view,
        offset_bytes=view.offset_bytes + index * stride,
        shape=(*view.shape[:dim], *view.shape[dim + 1 :]),
        stride_bytes=(*view.stride_bytes[:dim], *view.stride_bytes[dim + 1 :]),
    )
