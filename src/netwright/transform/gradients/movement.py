"""Movement: what was copied somewhere is fetched from there, and sums where it was copied twice."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from netwright.errors import UnsupportedError
from netwright.graph.op import Op
from netwright.graph.ops.elementwise import Binary, Cast
from netwright.graph.ops.gather import Gather, GatherElements
from netwright.graph.ops.gradient import ScatterAdd
from netwright.graph.ops.movement import Concat, Pad, Slice, Tile, Transpose
from netwright.graph.ops.position import Rope
from netwright.graph.tensor import TensorId
from netwright.transform.gradients.tape import Rule, Saved, Tape, number

Found = Mapping[int, TensorId]


def _first(op: Op) -> TensorId:
    place = op.inputs[0]
    assert place is not None
    return place


def _reshape(tape: Tape, op: Op, saved: Saved, dy: TensorId) -> Found:
    return {0: tape.reshape(dy, tape.shape(_first(op)))}


def _transpose(tape: Tape, op: Op, saved: Saved, dy: TensorId) -> Found:
    assert isinstance(op.kind, Transpose)
    back = tuple(int(i) for i in np.argsort(op.kind.order))
    return {0: tape.add(Transpose(back), dy)}


def _slice(tape: Tape, op: Op, saved: Saved, dy: TensorId) -> Found:
    assert isinstance(op.kind, Slice)
    x, tensor = tape.shape(_first(op)), tape.builder.tensors[_first(op)]
    pads: list[tuple[int, int]] = []
    for axis, size in enumerate(x):
        start, step = number(op.kind.starts[axis], tensor), op.kind.steps[axis]
        count = tape.shape(dy)[axis]
        if step == 1:
            pads.append((start, size - start - count))
            continue
        places = tape.constant(start + step * np.arange(count, dtype=np.int64))
        dy = tape.add(ScatterAdd(axis, size), places, dy)
        pads.append((0, 0))
    return {0: dy if not any(map(any, pads)) else tape.add(Pad(tuple(pads)), dy)}


def _concat(tape: Tape, op: Op, saved: Saved, dy: TensorId) -> Found:
    assert isinstance(op.kind, Concat)
    whole = tape.shape(dy)
    axis, start = op.kind.axis % len(whole), 0
    found: dict[int, TensorId] = {}
    for index, place in enumerate(op.inputs):
        assert place is not None
        size = tape.shape(place)[axis]
        if tape.wants(op, index):
            starts = tuple(start if d == axis else 0 for d in range(len(whole)))
            stops = tuple(start + size if d == axis else n for d, n in enumerate(whole))
            found[index] = tape.add(Slice(starts, stops, (1,) * len(whole)), dy)
        start += size
    return found


def _expand(tape: Tape, op: Op, saved: Saved, dy: TensorId) -> Found:
    return {0: tape.collect(dy, tape.shape(_first(op)))}


def _tile(tape: Tape, op: Op, saved: Saved, dy: TensorId) -> Found:
    assert isinstance(op.kind, Tile)
    x = tape.shape(_first(op))
    parts = [n for pair in zip(op.kind.repeats, x, strict=True) for n in pair]
    apart = tape.reshape(dy, parts)
    return {0: tape.reshape(tape.sum(apart, range(0, len(parts), 2)), x)}


def _pad(tape: Tape, op: Op, saved: Saved, dy: TensorId) -> Found:
    assert isinstance(op.kind, Pad)
    if op.kind.mode != "constant":
        raise UnsupportedError(
            f"differentiate: {op.name}: padding by {op.kind.mode} has no gradient rule; pad by a"
            " constant"
        )
    return {0: tape.add(Pad(tuple((-b, -a) for b, a in op.kind.pads)), dy)}


def _gather(tape: Tape, op: Op, saved: Saved, dy: TensorId) -> Found:
    assert isinstance(op.kind, Gather)
    table, indices = tape.shape(_first(op)), op.inputs[1]
    axis = op.kind.axis % len(table)
    return {0: tape.add(ScatterAdd(axis, table[axis]), indices, dy)}


def _gather_elements(tape: Tape, op: Op, saved: Saved, dy: TensorId) -> Found:
    """By a one-hot mask: along the axis every picked element has a row of its own."""
    assert isinstance(op.kind, GatherElements)
    x, picked = tape.shape(_first(op)), tape.shape(dy)
    axis = op.kind.axis % len(x)
    if any(a != b for d, (a, b) in enumerate(zip(x, picked, strict=True)) if d != axis):
        raise UnsupportedError(f"differentiate: {op.name}: it does not pick from every row")
    indices = op.inputs[1]
    assert indices is not None
    rows = (*picked[: axis + 1], 1, *picked[axis + 1 :])
    shape = [1] * len(rows)
    shape[axis + 1] = x[axis]
    places = tape.constant(np.arange(x[axis], dtype=np.int64).reshape(shape))
    hot = tape.add(Binary("equal"), tape.reshape(indices, rows), places)
    each = tape.multiply(tape.add(Cast("float"), hot), tape.reshape(dy, rows))
    return {0: tape.reshape(tape.sum(each, (axis,)), x)}


def _rope(tape: Tape, op: Op, saved: Saved, dy: TensorId) -> Found:
    """A rotation is turned back: R(-a) = S R(a) S, with S the sign of the second half."""
    assert isinstance(op.kind, Rope)
    if tape.wants(op, 1):
        raise UnsupportedError(f"differentiate: {op.name}: rope factors have no gradient")
    signs = np.ones(tape.shape(dy)[-1])
    half = op.kind.rotary // 2
    signs[slice(1, 2 * half, 2) if op.kind.interleaved else slice(half, 2 * half)] = -1.0
    sign = tape.constant(signs)
    turned = tape.add(op.kind, tape.multiply(dy, sign), *op.inputs[1:])
    return {0: tape.multiply(turned, sign)}


RESHAPE, TRANSPOSE, SLICE, CONCAT = Rule(_reshape), Rule(_transpose), Rule(_slice), Rule(_concat)
EXPAND, TILE, PAD, ROPE = Rule(_expand), Rule(_tile), Rule(_pad), Rule(_rope)
GATHER, GATHER_ELEMENTS = Rule(_gather), Rule(_gather_elements)
