"""Softmax, normalisations and reductions."""

from __future__ import annotations

from collections.abc import Sequence

from netwright.graph.op import Op
from netwright.graph.ops.norm import GroupNorm, LayerNorm, LpNorm
from netwright.graph.ops.reduce import (
    REDUCE_CODES,
    ArgReduce,
    CumulativeSum,
    Reduce,
    TopK,
)
from netwright.graph.ops.softmax import Softmax
from netwright.graph.tensor import TensorId
from netwright.plan.lower.emitter import Emitter
from netwright.plan.lower.layout import copied, grouped, permuted, physical_order
from netwright.plan.lower.step import View
from netwright.plan.lower.whole import arithmetic, settle


def rows_along(
    emitter: Emitter, view: View, axis: int, source: str
) -> tuple[View, tuple[int, ...]]:
    """The view as [rows, axis] with the axis contiguous, and the physical order that it has."""
    others = [d for d in physical_order(view) if d != axis]
    rows = grouped(view, (others, (axis,)))
    size = view.shape[axis]
    if rows is None or (size != 1 and view.stride_bytes[axis] != view.item_bytes):
        others = [d for d in range(len(view.shape)) if d != axis]
        rows = grouped(copied(emitter, view, source, (*others, axis)), (others, (axis,)))
        assert rows is not None
    return rows, (*others, axis)


def lower_softmax(emitter: Emitter, op: Op) -> None:
    """Softmax along any axis."""
    assert isinstance(op.kind, Softmax) and op.inputs[0] is not None
    view = emitter.read(op.inputs[0])
    axis = op.kind.axis % len(view.shape)
    rows, order = rows_along(emitter, view, axis, op.name)
    out = emitter.scratch(view.shape, "fp32", op.name, order)
    emitter.views[op.outputs[0]] = out
    target = grouped(out, (order[:-1], order[-1:]))
    assert target is not None
    work = 10.0 * emitter.size_of(view.shape, 1)
    emitter.emit("softmax", [target], [rows], [int(op.kind.log)], op.name, work)


def lower_layer_norm(emitter: Emitter, op: Op) -> None:
    """LayerNorm over the last dims, with a residual added first when one is fused."""
    assert isinstance(op.kind, LayerNorm)
    x, scale, bias, residual = (*op.inputs, None, None)[:4]
    assert x is not None and scale is not None
    rows = _last_dims(emitter, x, op.kind.dims, op.name)
    emitter.views[op.outputs[0]] = emitter.scratch(
        emitter.graph[op.outputs[0]].shape, "fp32", op.name
    )
    out = _last_dims(emitter, op.outputs[0], op.kind.dims, op.name)
    emitter.emit(
        "layer_norm",
        [out],
        [
            rows,
            _flat(emitter, scale),
            None if bias is None else _flat(emitter, bias),
            None if residual is None else _last_dims(emitter, residual, op.kind.dims, op.name),
        ],
        [float(op.kind.epsilon)],
        op.name,
        10.0 * emitter.size_of(rows.shape, 1),
    )


def _last_dims(emitter: Emitter, tensor: TensorId, dims: int, source: str) -> View:
    view = emitter.read(tensor)
    rank = len(view.shape)
    groups = (tuple(range(rank - dims)), tuple(range(rank - dims, rank)))
    rows = grouped(view, groups)
    if rows is None or rows.stride_bytes[1] != view.item_bytes:
        rows = grouped(copied(emitter, view, source), groups)
        assert rows is not None
    return rows


def _flat(emitter: Emitter, tensor: TensorId) -> View:
    view = emitter.read(tensor)
    one = grouped(view, (tuple(range(len(view.shape))),))
    assert one is not None
    return one


def lower_group_norm(emitter: Emitter, op: Op) -> None:
    """GroupNorm on [N, C, spatial]."""
    assert isinstance(op.kind, GroupNorm) and op.inputs[0] is not None
    view = emitter.read(op.inputs[0])
    groups = ((0,), (1,), tuple(range(2, len(view.shape))))
    order = physical_order(view)
    x = grouped(view, groups)
    if x is None:
        order = tuple(range(len(view.shape)))
        x = grouped(copied(emitter, view, op.name), groups)
    out = emitter.scratch(view.shape, "fp32", op.name, order)
    target = grouped(out, groups)
    assert x is not None and target is not None
    emitter.views[op.outputs[0]] = out
    scale, bias = op.inputs[1], op.inputs[2]
    assert scale is not None and bias is not None
    emitter.emit(
        "group_norm",
        [target],
        [x, emitter.read(scale), emitter.read(bias)],
        [op.kind.groups, float(op.kind.epsilon)],
        op.name,
        8.0 * emitter.size_of(view.shape, 1),
    )


def three(
    emitter: Emitter, view: View, axes: Sequence[int], source: str
) -> tuple[View, tuple[int, ...], tuple[int, ...]]:
    """The view as [outer, reduced, inner], with the dims in outer and in inner."""
    order = physical_order(view)
    places = [i for i, d in enumerate(order) if d in axes]
    cut = min(places, default=0)
    outer = tuple(d for d in order[:cut] if d not in axes)
    inner = tuple(d for d in order[cut:] if d not in axes)
    reduced = tuple(d for d in order if d in axes)
    found = grouped(view, (outer, reduced, inner))
    if found is None:
        outer, inner = tuple(d for d in range(len(view.shape)) if d not in axes), ()
        reduced = tuple(sorted(axes))
        fresh = copied(emitter, view, source, (*outer, *reduced))
        found = grouped(fresh, (outer, reduced, inner))
        assert found is not None
    return found, outer, inner


def lower_reduce(emitter: Emitter, op: Op) -> None:
    """Reduce over any axes."""
    assert isinstance(op.kind, Reduce) and op.inputs[0] is not None
    view = arithmetic(emitter, emitter.read(op.inputs[0]), op.name)
    axes = tuple(a % len(view.shape) for a in op.kind.axes)
    found, outer, inner = three(emitter, view, axes, op.name)
    kept = (outer, inner)
    target = _reduced_output(emitter, op, view, axes, (kept, view.format), op.kind.keepdims)
    work = 2.0 * emitter.size_of(view.shape, 1)
    emitter.emit("reduce", [target], [found], [REDUCE_CODES[op.kind.function]], op.name, work)
    settle(emitter, op.outputs[0], op.name)


def lower_arg_reduce(emitter: Emitter, op: Op) -> None:
    """ArgReduce along one axis."""
    assert isinstance(op.kind, ArgReduce) and op.inputs[0] is not None
    view = arithmetic(emitter, emitter.read(op.inputs[0]), op.name)
    axes = (op.kind.axis % len(view.shape),)
    found, outer, inner = three(emitter, view, axes, op.name)
    kept = (outer, inner)
    target = _reduced_output(emitter, op, view, axes, (kept, "int64"), op.kind.keepdims)
    code = REDUCE_CODES[op.kind.function]
    emitter.emit("arg_reduce", [target], [found], [code], op.name)
    settle(emitter, op.outputs[0], op.name)


def _reduced_output(
    emitter: Emitter,
    op: Op,
    view: View,
    axes: tuple[int, ...],
    kept: tuple[tuple[tuple[int, ...], tuple[int, ...]], str],
    keepdims: bool,
) -> View:
    """The output as [outer, inner] in a format; it lies as its input's kept dims do."""
    (outer, inner), form = kept
    ones = tuple(1 if d in axes else view.shape[d] for d in range(len(view.shape)))
    order = (*axes, *outer, *inner)
    full = emitter.scratch(ones, form, op.name, order)
    target = grouped(full, (outer, inner))
    assert target is not None
    if keepdims:
        emitter.views[op.outputs[0]] = full
    else:
        emitter.views[op.outputs[0]] = permuted(
            full, [d for d in range(len(view.shape)) if d not in axes]
        )
    return target


def lower_lp_norm(emitter: Emitter, op: Op) -> None:
    """LpNorm along one axis."""
    assert isinstance(op.kind, LpNorm) and op.inputs[0] is not None
    view = emitter.read(op.inputs[0])
    _along(emitter, op, view, op.kind.axis, "lp_norm", [op.kind.p])


def lower_cumulative_sum(emitter: Emitter, op: Op) -> None:
    """CumulativeSum along one axis."""
    assert isinstance(op.kind, CumulativeSum) and op.inputs[0] is not None
    view = arithmetic(emitter, emitter.read(op.inputs[0]), op.name)
    flags = [int(op.kind.exclusive), int(op.kind.reverse)]
    _along(emitter, op, view, op.kind.axis, "cumulative_sum", flags)


def _along(
    emitter: Emitter, op: Op, view: View, axis: int, opcode: str, parameters: list[int]
) -> None:
    """An operator along one axis of any view; its first parameter is the axis."""
    out = emitter.scratch(view.shape, view.format, op.name, physical_order(view))
    emitter.views[op.outputs[0]] = out
    emitter.emit(opcode, [out], [view], [axis % len(view.shape), *parameters], op.name)
    settle(emitter, op.outputs[0], op.name)


def lower_top_k(emitter: Emitter, op: Op) -> None:
    """TopK along one axis."""
    assert isinstance(op.kind, TopK) and op.inputs[0] is not None
    view = arithmetic(emitter, emitter.read(op.inputs[0]), op.name)
    axis = op.kind.axis % len(view.shape)
    for tensor, form in zip(op.outputs, (view.format, "int64"), strict=True):
        emitter.views[tensor] = emitter.scratch(emitter.graph[tensor].shape, form, op.name)
    targets = [emitter.views[t] for t in op.outputs]
    emitter.emit("top_k", targets, [view], [axis, int(op.kind.largest)], op.name)
    for tensor in op.outputs:
        settle(emitter, tensor, op.name)
