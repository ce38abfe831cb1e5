"""Data movement: a new view where strides can say it, a copy where they cannot."""

from __future__ import annotations

from dataclasses import replace

from netwright.graph.extent import Extent
from netwright.graph.op import Op
from netwright.graph.ops.movement import Concat, Expand, Pad, Reshape, Slice, Tile, Transpose
from netwright.plan.lower.emitter import Emitter, unsupported
from netwright.plan.lower.layout import broadcast, copied, permuted, physical_order, times
from netwright.plan.lower.step import View, row_major


def packed(emitter: Emitter, view: View, source: str) -> View:
    """The same values, contiguous in row-major order."""
    return view if view.contiguous else copied(emitter, view, source)


def lower_reshape(emitter: Emitter, op: Op) -> None:
    """Reshape: free on a contiguous view, and when only dims of size 1 come or go."""
    assert isinstance(op.kind, Reshape) and op.inputs[0] is not None
    view = emitter.read(op.inputs[0])
    shape: tuple[Extent, ...] = emitter.graph[op.outputs[0]].shape
    strides = _same_dims(view, shape)
    if strides is None:
        view = packed(emitter, view, op.name)
        strides = row_major(shape, view.item_bytes)
    emitter.views[op.outputs[0]] = replace(view, shape=shape, stride_bytes=strides)


def _same_dims(view: View, shape: tuple[Extent, ...]) -> tuple[Extent, ...] | None:
    """Strides of the new shape when it differs by dims of size 1 only."""
    kept = [(s, t) for s, t in zip(view.shape, view.stride_bytes, strict=True) if s != 1]
    if [s for s, _ in kept] != [s for s in shape if s != 1]:
        return None
    strides: list[Extent] = []
    rest = list(kept)
    for size in shape:
        strides.append(rest.pop(0)[1] if size != 1 else view.item_bytes)
    return tuple(strides)


def lower_transpose(emitter: Emitter, op: Op) -> None:
    """Transpose: strides in another order."""
    assert isinstance(op.kind, Transpose) and op.inputs[0] is not None
    emitter.views[op.outputs[0]] = permuted(emitter.read(op.inputs[0]), op.kind.order)


def lower_slice(emitter: Emitter, op: Op) -> None:
    """Slice: a moved offset and longer strides."""
    assert isinstance(op.kind, Slice) and op.inputs[0] is not None
    view = emitter.read(op.inputs[0])
    emitter.views[op.outputs[0]] = _sliced(
        view, op.kind.starts, op.kind.steps, emitter.graph[op.outputs[0]].shape
    )


def _sliced(
    view: View, starts: tuple[Extent, ...], steps: tuple[int, ...], shape: tuple[Extent, ...]
) -> View:
    offset = view.offset_bytes
    strides: list[Extent] = []
    for start, step, stride in zip(starts, steps, view.stride_bytes, strict=True):
        assert isinstance(stride, int)
        offset = offset + start * stride
        strides.append(stride * step)
    return replace(view, offset_bytes=offset, shape=shape, stride_bytes=tuple(strides))


def lower_concat(emitter: Emitter, op: Op) -> None:
    """Concat: each input is copied to its place."""
    assert isinstance(op.kind, Concat)
    views = [emitter.read(t) for t in op.inputs if t is not None]
    value = emitter.graph[op.outputs[0]]
    axis = op.kind.axis % len(value.shape)
    largest = max(views, key=lambda v: emitter.size_of(v.shape, 1))
    out = emitter.scratch(value.shape, value.format.name, op.name, physical_order(largest))
    at: Extent = 0
    for view in views:
        starts = tuple(at if d == axis else 0 for d in range(len(value.shape)))
        part = _sliced(out, starts, (1,) * len(starts), view.shape)
        emitter.emit("copy", [part], [view], [], op.name, emitter.size_of(view.shape, 1))
        at = at + view.shape[axis]
    emitter.views[op.outputs[0]] = out


def lower_pad(emitter: Emitter, op: Op) -> None:
    """Pad: the border is filled or copied from the inside, dim by dim."""
    assert isinstance(op.kind, Pad) and op.inputs[0] is not None
    kind = op.kind
    view = emitter.read(op.inputs[0])
    value = emitter.graph[op.outputs[0]]
    out = emitter.scratch(value.shape, value.format.name, op.name, physical_order(view))
    emitter.views[op.outputs[0]] = out
    rank = len(value.shape)
    inside = _sliced(out, tuple(b for b, _ in kind.pads), (1,) * rank, view.shape)
    if kind.mode == "constant":
        emitter.emit("fill", [out], [], [float(kind.value)], op.name)
    emitter.emit("copy", [inside], [view], [], op.name, emitter.size_of(view.shape, 1))
    if kind.mode == "constant":
        return
    if kind.mode not in ("reflect", "edge"):
        raise unsupported(op, f"no kernel pads by {kind.mode!r}")
    shape = list(view.shape)
    starts: list[Extent] = [before for before, _ in kind.pads]
    for d, (before, after) in enumerate(kind.pads):
        size = view.shape[d]
        for width, edge, end in ((before, before, 0), (after, before + size - 1, before + size)):
            if width:
                _border(emitter, op, out, (d, width, edge, end), (shape, starts))
        shape[d], starts[d] = size + before + after, 0


def _border(
    emitter: Emitter,
    op: Op,
    out: View,
    where: tuple[int, int, Extent, Extent],
    inner: tuple[list[Extent], list[Extent]],
) -> None:
    """One border of one dim: `width` slices from `at`, mirrored in (or equal to) the edge."""
    assert isinstance(op.kind, Pad)
    d, width, edge, at = where
    shape, starts = list(inner[0]), list(inner[1])
    shape[d] = width
    steps = [1] * len(shape)
    target_starts = list(starts)
    target_starts[d] = at
    target = _sliced(out, tuple(target_starts), tuple(steps), tuple(shape))
    if op.kind.mode == "edge":
        steps[d], starts[d] = 0, edge
    else:
        steps[d] = -1
        starts[d] = edge + width if at == 0 else edge - 1
    source = _sliced(out, tuple(starts), tuple(steps), tuple(shape))
    emitter.emit("copy", [target], [source], [], op.name)


def lower_state_update(emitter: Emitter, op: Op) -> None:
    """StateUpdate: the new value over the old one, which every earlier view of it has left."""
    state_id, new_id = op.inputs
    assert state_id is not None and new_id is not None
    state = emitter.read(state_id)
    if emitter.read(new_id).buffer == state.buffer:  # written in place
        emitter.views[op.outputs[0]] = state
        return
    for tensor, view in list(emitter.views.items()):
        if view.buffer == state.buffer and tensor != state_id:
            emitter.views[tensor] = copied(emitter, view, op.name)
    new = emitter.read(new_id)
    emitter.emit("copy", [state], [new], [], op.name, emitter.size_of(state.shape, 1))
    emitter.views[op.outputs[0]] = state


def lower_expand(emitter: Emitter, op: Op) -> None:
    """Expand: strides of 0."""
    assert isinstance(op.kind, Expand) and op.inputs[0] is not None
    shape = emitter.graph[op.outputs[0]].shape
    emitter.views[op.outputs[0]] = broadcast(emitter.read(op.inputs[0]), shape)


def lower_tile(emitter: Emitter, op: Op) -> None:
    """Tile: repeated dims doubled, the repetition at stride 0; copies of at most 6 dims."""
    assert isinstance(op.kind, Tile) and op.inputs[0] is not None
    view = emitter.read(op.inputs[0])
    repeats = op.kind.repeats
    pending = [d for d, times in enumerate(repeats) if times != 1]
    room = 6 - len(view.shape)
    if pending and room < 1:
        raise unsupported(op, "it repeats more dims than kernels take")
    while pending:
        now, pending = pending[:room], pending[room:]
        each = tuple(n if d in now else 1 for d, n in enumerate(repeats))
        view = _tiled(emitter, op, view, each)
    emitter.views[op.outputs[0]] = view


def _tiled(emitter: Emitter, op: Op, view: View, repeats: tuple[int, ...]) -> View:
    """The view repeated, in fresh memory, by one copy."""
    shape = tuple(times(size, n) for size, n in zip(view.shape, repeats, strict=True))
    out = emitter.scratch(shape, view.format, op.name)
    sizes: list[Extent] = []
    read: list[Extent] = []
    written: list[Extent] = []
    for d, number in enumerate(repeats):
        size, stride = view.shape[d], out.stride_bytes[d]
        if number != 1:
            if not isinstance(size, int):
                raise unsupported(op, "it repeats a dim whose size is a symbol")
            sizes.append(number)
            read.append(0)
            written.append(times(stride, size))
        sizes.append(size)
        read.append(view.stride_bytes[d])
        written.append(stride)
    emitter.emit(
        "copy",
        [replace(out, shape=tuple(sizes), stride_bytes=tuple(written))],
        [replace(view, shape=tuple(sizes), stride_bytes=tuple(read))],
        [],
        op.name,
    )
    return out
