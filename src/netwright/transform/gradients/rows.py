"""Softmax, normalisations and reductions: closed forms over the rows that they reduce."""

from __future__ import annotations

from collections.abc import Mapping

from netwright.errors import UnsupportedError
from netwright.graph.op import Op
from netwright.graph.ops.elementwise import Binary, Cast, Unary
from netwright.graph.ops.function import Function
from netwright.graph.ops.norm import LayerNorm, RmsNorm
from netwright.graph.ops.reduce import Reduce
from netwright.graph.ops.softmax import Softmax
from netwright.graph.tensor import TensorId
from netwright.transform.gradients.tape import Rule, Saved, Tape

Found = Mapping[int, TensorId]


def _first(op: Op) -> TensorId:
    place = op.inputs[0]
    assert place is not None
    return place


def _softmax(tape: Tape, op: Op, saved: Saved, dy: TensorId) -> Found:
    """Softmax: y (dy - sum(dy y)). Its logarithm: dy - exp(y) sum(dy)."""
    assert isinstance(op.kind, Softmax)
    axes, y = (op.kind.axis % len(tape.shape(dy)),), op.outputs[0]
    if op.kind.log:
        share = tape.multiply(tape.add(Unary(Function("exp")), y), tape.sum(dy, axes, True))
        return {0: tape.add(Binary("sub"), dy, share)}
    weighted = tape.multiply(dy, y)
    share = tape.multiply(y, tape.sum(weighted, axes, True))
    return {0: tape.add(Binary("sub"), weighted, share)}


def _inverse_root(tape: Tape, x: TensorId, dims: int, epsilon: float) -> TensorId:
    """1 / sqrt(mean(x^2) + epsilon) over the last dims."""
    squares = tape.mean_last(tape.multiply(x, x), dims)
    shifted = tape.add(Unary(Function("scale", 1.0, epsilon)), squares)
    return tape.add(Unary(Function("rsqrt")), shifted)


def _layer_norm_forward(tape: Tape, op: Op) -> Saved:
    assert isinstance(op.kind, LayerNorm)
    x, dims = _first(op), op.kind.dims
    centred = tape.add(Binary("sub"), x, tape.mean_last(x, dims))
    inverse = _inverse_root(tape, centred, dims, op.kind.epsilon)
    standard = tape.multiply(centred, inverse)
    _, scale, *rest = op.inputs
    bias = rest[0] if rest else None
    if bias is None:
        tape.write(Binary("mul"), (standard, scale), op.outputs[0])
    else:
        scaled = tape.add(Binary("mul"), standard, scale)
        tape.write(Binary("add"), (scaled, bias), op.outputs[0])
    return (standard, inverse)


def _rms_norm_forward(tape: Tape, op: Op) -> Saved:
    assert isinstance(op.kind, RmsNorm)
    x = _first(op)
    inverse = _inverse_root(tape, x, 1, op.kind.epsilon)
    standard = tape.multiply(x, inverse)
    tape.write(Binary("mul"), (standard, op.inputs[1]), op.outputs[0])
    return (standard, inverse)


def _norm(tape: Tape, op: Op, saved: Saved, dy: TensorId) -> Found:
    """Dx = inverse (g - [mean(g)] - standard mean(g standard)), g = dy scale."""
    assert isinstance(op.kind, LayerNorm | RmsNorm)
    standard, inverse = saved
    dims = op.kind.dims if isinstance(op.kind, LayerNorm) else 1
    scale = op.inputs[1]
    assert scale is not None
    rows = tuple(range(len(tape.shape(dy)) - dims))
    found: dict[int, TensorId] = {}
    if tape.wants(op, 0):
        g = tape.multiply(dy, scale)
        along = tape.multiply(standard, tape.mean_last(tape.multiply(g, standard), dims))
        if isinstance(op.kind, LayerNorm):
            g = tape.add(Binary("sub"), g, tape.mean_last(g, dims))
        found[0] = tape.multiply(tape.add(Binary("sub"), g, along), inverse)
    if tape.wants(op, 1):
        found[1] = tape.sum(tape.multiply(dy, standard), rows)
    if tape.wants(op, 2):
        found[2] = tape.sum(dy, rows)
    return found


def _reduce(tape: Tape, op: Op, saved: Saved, dy: TensorId) -> Found:
    assert isinstance(op.kind, Reduce)
    x, shape = _first(op), tape.shape(_first(op))
    axes = {a % len(shape) for a in op.kind.axes}
    kept = [1 if d in axes else n for d, n in enumerate(shape)]
    count = 1
    for axis in axes:
        count *= shape[axis]
    spread = tape.reshape(dy, kept)
    y = tape.reshape(op.outputs[0], kept)
    match op.kind.function:
        case "sum":
            dx = tape.expand(spread, shape)
        case "mean":
            dx = tape.expand(tape.scale(spread, 1.0 / count), shape)
        case "sum_square":
            dx = tape.multiply(tape.scale(x, 2.0), spread)
        case "l1":
            dx = tape.multiply(tape.add(Unary(Function("sign")), x), spread)
        case "l2":
            dx = tape.multiply(tape.add(Binary("div"), x, y), spread)
        case "max" | "min":  # equal ones share
            hot = tape.add(Cast("float"), tape.add(Binary("equal"), x, y))
            total = tape.sum(hot, sorted(axes), True)
            dx = tape.multiply(tape.add(Binary("div"), hot, total), spread)
        case other:
            raise UnsupportedError(f"differentiate: {op.name}: reduction {other} has no gradient")
    return {0: dx}


SOFTMAX, REDUCE = Rule(_softmax), Rule(_reduce)
LAYER_NORM, RMS_NORM = Rule(_norm, _layer_norm_forward), Rule(_norm, _rms_norm_forward)
