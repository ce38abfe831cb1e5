"""ONNX operators that move data → Reshape, Slice, Concat, Gather, Pad ..."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from netwright.frontends.onnx_call import Call, Reader
from netwright.frontends.onnx_value import Constant, Value
from netwright.graph.ops.gather import Gather, GatherElements, GatherNd, ScatterNd
from netwright.graph.ops.movement import Concat, Expand, Pad, Reshape, Slice, Tile, Transpose


def reshape(call: Call, x: Value, shape: tuple[int, ...]) -> Value:
    """The value in another shape; a constant keeps its bytes in the file."""
    if shape == x.shape:
        return x
    if isinstance(x, Constant) and math.prod(shape) == x.values.size:
        return Constant(x.values.reshape(shape), x.element, x.name, x.data)
    return call.add(Reshape(shape), x)


def axes_of(call: Call, index: int, opset: int) -> tuple[int, ...] | None:
    """Axes: an attribute before this opset, an input from it on."""
    return call.integers("axes") if call.opset < opset else call.sizes(index)


def _reshape(call: Call) -> Sequence[Value]:
    x = call.value(0)
    wanted = call.sizes(1) or ()
    if not call.integer("allowzero", 0):
        wanted = tuple(x.shape[i] if s == 0 else s for i, s in enumerate(wanted))
    if wanted.count(-1) == 1:
        known = -math.prod(wanted)
        total = math.prod(x.shape)
        if known <= 0 or total % known:
            raise call.malformed(f"cannot reshape {x.shape} to {wanted}")
        wanted = tuple(total // known if s == -1 else s for s in wanted)
    return (reshape(call, x, wanted),)


def _flatten(call: Call) -> Sequence[Value]:
    x = call.value(0)
    axis = call.integer("axis", 1)
    axis = axis if axis == len(x.shape) else call.axis(axis, max(len(x.shape), 1))
    return (reshape(call, x, (math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))),)


def _squeeze(call: Call) -> Sequence[Value]:
    x = call.value(0)
    axes = axes_of(call, 1, 13)
    if axes is None:
        return (reshape(call, x, tuple(s for s in x.shape if s != 1)),)
    dropped = {call.axis(a, len(x.shape)) for a in axes}
    return (reshape(call, x, tuple(s for i, s in enumerate(x.shape) if i not in dropped)),)


def _unsqueeze(call: Call) -> Sequence[Value]:
    x = call.value(0)
    axes = axes_of(call, 1, 13) or ()
    rank = len(x.shape) + len(axes)
    added = {call.axis(a, rank) for a in axes}
    if len(added) != len(axes):
        raise call.malformed(f"axes {axes} name one dim twice")
    sizes = iter(x.shape)
    return (reshape(call, x, tuple(1 if i in added else next(sizes) for i in range(rank))),)


def _transpose(call: Call) -> Sequence[Value]:
    x = call.value(0)
    order = call.integers("perm") or tuple(reversed(range(len(x.shape))))
    return (call.add(Transpose(order), x),)


def _concat(call: Call) -> Sequence[Value]:
    values = call.given()
    axis = call.axis(call.integer("axis", 1), len(values[0].shape))
    filled = [v for v in values if v.shape[axis] != 0] or values[:1]
    return (filled[0],) if len(filled) == 1 else (call.add(Concat(axis), *filled),)


def window(call: Call, x: Value, axis: int, start: int, stop: int) -> Value:
    """x[start:stop] along one axis."""
    if (start, stop) == (0, x.shape[axis]):
        return x
    starts, stops = [0] * len(x.shape), list(x.shape)
    starts[axis], stops[axis] = start, stop
    return call.add(Slice(tuple(starts), tuple(stops), (1,) * len(starts)), x)


def _split(call: Call) -> Sequence[Value]:
    x = call.value(0)
    axis = call.axis(call.integer("axis", 0), len(x.shape))
    parts = call.integers("split") if call.opset < 13 else call.sizes(1)
    if parts is None:
        count = call.integer("num_outputs", len(call.node.outputs))
        size = -(-x.shape[axis] // count)
        parts = tuple(min(size, x.shape[axis] - size * i) for i in range(count))
    ends = np.cumsum(parts).tolist()
    return [window(call, x, axis, e - p, e) for p, e in zip(parts, ends, strict=True)]


def _slice(call: Call) -> Sequence[Value]:
    x = call.value(0)
    rank = len(x.shape)
    if call.opset < 10:
        starts, ends = call.integers("starts") or (), call.integers("ends") or ()
        axes, steps = call.integers("axes"), None
    else:
        starts, ends = call.sizes(1) or (), call.sizes(2) or ()
        axes, steps = call.sizes(3), call.sizes(4)
    axes = tuple(range(len(starts))) if axes is None else axes
    steps = (1,) * len(starts) if steps is None else steps
    first, last, step = [0] * rank, list(x.shape), [1] * rank
    for a, begin, end, s in zip(axes, starts, ends, steps, strict=True):
        if s == 0:
            raise call.malformed("a step is 0")
        axis = call.axis(a, rank)
        picked = range(*slice(begin, end, s).indices(x.shape[axis]))
        empty = len(picked) == 0
        first[axis], last[axis] = (0, 0) if empty else (picked.start, picked.stop)
        step[axis] = 1 if empty else s
    if first == [0] * rank and tuple(last) == x.shape and step == [1] * rank:
        return (x,)
    return (call.add(Slice(tuple(first), tuple(last), tuple(step)), x),)


def _gather(call: Call) -> Sequence[Value]:
    x, indices = call.value(0), call.value(1)
    axis = call.axis(call.integer("axis", 0), len(x.shape))
    if isinstance(indices, Constant) and indices.values.ndim == 0:
        place = call.axis(int(indices.values), x.shape[axis])
        picked = window(call, x, axis, place, place + 1)
        return (reshape(call, picked, x.shape[:axis] + x.shape[axis + 1 :]),)
    return (call.add(Gather(axis), x, indices),)


def _gather_elements(call: Call) -> Sequence[Value]:
    axis = call.axis(call.integer("axis", 0), len(call.value(0).shape))
    return (call.add(GatherElements(axis), call.value(0), call.value(1)),)


def _gather_nd(call: Call) -> Sequence[Value]:
    kind = GatherNd(call.integer("batch_dims", 0))
    return (call.add(kind, call.value(0), call.value(1)),)


def _scatter_nd(call: Call) -> Sequence[Value]:
    if call.text("reduction", "none") != "none":
        raise call.unsupported("a reduction", "only plain assignment is covered")
    return (call.add(ScatterNd(), call.value(0), call.value(1), call.value(2)),)


def _expand(call: Call) -> Sequence[Value]:
    x = call.value(0)
    shape = np.broadcast_shapes(x.shape, call.sizes(1) or ())
    return (x,) if shape == x.shape else (call.add(Expand(shape), x),)


def _tile(call: Call) -> Sequence[Value]:
    return (call.add(Tile(call.sizes(1) or ()), call.value(0)),)


def _pad(call: Call) -> Sequence[Value]:
    x = call.value(0)
    rank = len(x.shape)
    mode = call.text("mode", "constant")
    if mode not in ("constant", "reflect", "edge"):
        raise call.unsupported(f"mode {mode!r}", "use constant, reflect or edge")
    if call.opset < 11:
        flat, value = call.integers("pads") or (), call.number("value", 0.0)
    else:
        flat, value = call.sizes(1) or (), call.scalar(2) or 0.0
    axes = (call.sizes(3) if call.opset >= 18 else None) or tuple(range(rank))
    if len(flat) != 2 * len(axes):
        raise call.malformed(f"got {len(flat)} pads for {len(axes)} axes, expected two an axis")
    pads = [(0, 0)] * rank
    for i, axis in enumerate(axes):
        pads[call.axis(axis, rank)] = (flat[i], flat[i + len(axes)])
    if all(p == (0, 0) for p in pads):
        return (x,)
    return (call.add(Pad(tuple(pads), mode, value), x),)


def _depth_to_space(call: Call) -> Sequence[Value]:
    x, block = call.value(0), call.integer("blocksize", 1)
    n, c, h, w = x.shape
    depth = c // (block * block)
    if call.text("mode", "DCR") == "CRD":
        split, order = (n, depth, block, block, h, w), (0, 1, 4, 2, 5, 3)
    else:
        split, order = (n, block, block, depth, h, w), (0, 3, 4, 1, 5, 2)
    moved = call.add(Transpose(order), reshape(call, x, split))
    return (reshape(call, moved, (n, depth, h * block, w * block)),)


def _space_to_depth(call: Call) -> Sequence[Value]:
    x, block = call.value(0), call.integer("blocksize", 1)
    n, c, h, w = x.shape
    split = reshape(call, x, (n, c, h // block, block, w // block, block))
    order = (0, 1, 3, 5, 2, 4) if call.text("mode", "DCR") == "CRD" else (0, 3, 5, 1, 2, 4)
    moved = call.add(Transpose(order), split)
    return (reshape(call, moved, (n, c * block * block, h // block, w // block)),)


READERS: dict[str, Reader] = {
    "Concat": _concat,
    "DepthToSpace": _depth_to_space,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "Pad": _pad,
    "Reshape": _reshape,
    "ScatterND": _scatter_nd,
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
