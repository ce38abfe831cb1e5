"""Data movement: a new view where strides can say it, a copy where they cannot."""

from __future__ import annotations

from dataclasses import replace

from netwright.graph.extent import Extent, product
from netwright.graph.op import Op
from netwright.graph.ops.movement import Reshape, Slice, Transpose
from netwright.plan.lower.emitter import Emitter, View, row_major


def packed(emitter: Emitter, view: View, source: str) -> View:
    """The same values, contiguous in row-major order."""
    if view.contiguous:
        return view
    fresh = emitter.scratch(view.shape, view.format, source)
    emitter.emit("copy", [fresh], [view], [], source)
    return fresh


def lower_reshape(emitter: Emitter, op: Op) -> None:
    """Reshape: free on a contiguous view."""
    assert isinstance(op.kind, Reshape) and op.inputs[0] is not None
    view = packed(emitter, emitter.read(op.inputs[0]), op.name)
    shape: tuple[Extent, ...] = emitter.graph[op.outputs[0]].shape
    assert product(shape) == product(view.shape)
    emitter.views[op.outputs[0]] = replace(
        view, shape=shape, stride_bytes=row_major(shape, view.item_bytes)
    )


def lower_transpose(emitter: Emitter, op: Op) -> None:
    """Transpose: strides in another order."""
    assert isinstance(op.kind, Transpose) and op.inputs[0] is not None
    view = emitter.read(op.inputs[0])
    emitter.views[op.outputs[0]] = replace(
        view,
        shape=tuple(view.shape[d] for d in op.kind.order),
        stride_bytes=tuple(view.stride_bytes[d] for d in op.kind.order),
    )


def lower_slice(emitter: Emitter, op: Op) -> None:
    """Slice: a moved offset and longer strides."""
    assert isinstance(op.kind, Slice) and op.inputs[0] is not None
    view = emitter.read(op.inputs[0])
    offset = view.offset_bytes
    strides: list[Extent] = []
    for start, step, stride in zip(op.kind.starts, op.kind.steps, view.stride_bytes, strict=True):
        assert isinstance(stride, int)
        offset = offset + start * stride
        strides.append(stride * step)
    emitter.views[op.outputs[0]] = replace(
        view,
        offset_bytes=offset,
        shape=emitter.graph[op.outputs[0]].shape,
        stride_bytes=tuple(strides),
    )
