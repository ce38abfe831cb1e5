"""Canonicalise: one spelling for what can be spelled in many ways; constants are evaluated.

Products with a constant matrix become Linear; arithmetic with one number becomes the function
`scale`; reshapes and transposes that follow each other become one, or none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from netwright.graph.element import type_of
from netwright.graph.extent import Extent
from netwright.graph.format import BOOL, FP32, INT64
from netwright.graph.op import Op, TensorType, element_of
from netwright.graph.ops.elementwise import Binary, Cast, Unary
from netwright.graph.ops.function import IDENTITY, Function
from netwright.graph.ops.linear import Linear, MatMul
from netwright.graph.ops.movement import Concat, Expand, Pad, Reshape, Slice, Tile, Transpose
from netwright.graph.ops.reduce import Reduce
from netwright.graph.tensor import TensorId
from netwright.transform.draft import Draft, Rule

_FOLD_ELEMENTS = 1 << 24
_ELEMENT_FORMATS = {"float": FP32, "int": INT64, "bool": BOOL}


def _fold(draft: Draft, op: Op) -> Sequence[Op] | None:
    """An operator on constants alone is evaluated by its reference."""
    if not all(i is None or draft.is_constant(i) for i in op.inputs):
        return None
    if any(_count(draft.shape(o)) > _FOLD_ELEMENTS for o in op.outputs):
        return None
    values = [draft.values(i) for i in op.inputs]
    if any(v is None and i is not None for v, i in zip(values, op.inputs, strict=True)):
        return None
    with np.errstate(all="ignore"):
        results = op.kind.reference(values)
    made = [
        draft.weight(draft[output].name, result, _ELEMENT_FORMATS[element_of(result)])
        for output, result in zip(op.outputs, results, strict=False)
    ]
    if not all(draft.forward(o, new) for o, new in zip(op.outputs, made, strict=True)):
        return None
    return ()


def _count(shape: tuple[Extent, ...]) -> int:
    return math.prod(e if isinstance(e, int) else _FOLD_ELEMENTS for e in shape)


def _does_nothing(op: Op, x: TensorType, y: TensorType) -> bool:
    match op.kind:
        case Unary(Function("identity") | Function("scale", 1.0, 0.0)):
            return True
        case Unary(Function("clip", low, high)):
            return low == -math.inf and high == math.inf
        case Reshape() | Expand() | Slice() | Tile():
            steps = op.kind.steps if isinstance(op.kind, Slice) else (1,)
            return x.shape == y.shape and all(step == 1 for step in steps)
        case Transpose(order):
            return order == tuple(range(len(order)))
        case Cast(element):
            return x.element == element
        case Pad(pads):
            return all(pad == (0, 0) for pad in pads)
        case Concat():
            return len(op.inputs) == 1
        case _:
            return False


def _drop(draft: Draft, op: Op) -> Sequence[Op] | None:
    """An operator that does nothing goes."""
    x = op.inputs[0] if op.inputs else None
    if x is None or not _does_nothing(op, type_of(draft[x]), type_of(draft[op.outputs[0]])):
        return None
    return () if draft.forward(op.outputs[0], x) else None


def _merge_movement(draft: Draft, op: Op) -> Sequence[Op] | None:
    """Of two reshapes or two transposes in a row one is enough; constants are only renamed."""
    x = op.inputs[0] if op.inputs else None
    before = draft.maker(x)
    if isinstance(op.kind, Reshape):
        if x is not None and draft.is_constant(x):
            seen = draft.viewed(x, op.kind.shape)
            return () if draft.forward(op.outputs[0], seen) else None
        if before is not None and isinstance(before.kind, Reshape):
            return (replace(op, inputs=before.inputs),)
    if isinstance(op.kind, Transpose):
        if before is not None and isinstance(before.kind, Transpose):
            order = tuple(before.kind.order[d] for d in op.kind.order)
            return (replace(op, kind=Transpose(order), inputs=before.inputs),)
        if x is not None and _keeps_order(op.kind.order, draft.shape(x)):
            return (replace(op, kind=Reshape(draft.shape(op.outputs[0]))),)
    return None


def _join(draft: Draft, op: Op) -> Sequence[Op] | None:
    """A concatenation of concatenations is one."""
    if not isinstance(op.kind, Concat):
        return None
    rank = len(draft.shape(op.outputs[0]))
    parts: list[TensorId | None] = []
    for part in op.inputs:
        inner = draft.made_by(part, Concat)
        if (
            part is not None
            and inner is not None
            and isinstance(inner.kind, Concat)
            and inner.kind.axis % rank == op.kind.axis % rank
            and draft.alone(part)
        ):
            parts += inner.inputs
        else:
            parts.append(part)
    return (replace(op, inputs=tuple(parts)),) if len(parts) > len(op.inputs) else None


def _keeps_order(order: tuple[int, ...], shape: tuple[Extent, ...]) -> bool:
    """Whether a transpose moves only dims of size 1, so that memory stays as it is."""
    moved = [d for d in order if shape[d] != 1]
    return moved == sorted(moved)


def _keep_dims(draft: Draft, op: Op) -> Sequence[Op] | None:
    """A reduction whose dropped dims are put back keeps them, also through functions between."""
    if not isinstance(op.kind, Reshape):
        return None
    functions: list[Op] = []
    before = draft.maker(op.inputs[0])
    while before is not None and isinstance(before.kind, Unary):
        functions.append(before)
        before = draft.maker(before.inputs[0])
    if before is None or not isinstance(before.kind, Reduce) or before.kind.keepdims:
        return None
    (x,) = before.inputs
    if x is None or not all(draft.alone(made.outputs[0]) for made in (before, *functions)):
        return None
    kept = draft.op(op.name, replace(before.kind, keepdims=True), (x,))
    if draft.shape(kept.outputs[0]) != op.kind.shape:
        return None
    chain = [kept]
    for function in reversed(functions):
        chain.append(draft.op(function.name, function.kind, chain[-1].outputs))
    return (*chain[:-1], replace(chain[-1], outputs=op.outputs))


def _mean(draft: Draft, op: Op) -> Sequence[Op] | None:
    """A sum over n elements times 1 / n is the mean."""
    if not isinstance(op.kind, Unary) or op.kind.function.name != "scale":
        return None
    before = draft.made_by(op.inputs[0], Reduce)
    if before is None or not isinstance(before.kind, Reduce) or before.inputs[0] is None:
        return None
    shape = draft.shape(before.inputs[0])
    sizes = [shape[axis] for axis in before.kind.axes]
    if before.kind.function != "sum" or not all(isinstance(e, int) for e in sizes):
        return None
    if op.kind.function != Function("scale", 1.0 / max(_count(tuple(sizes)), 1)):
        return None
    return (replace(op, kind=replace(before.kind, function="mean"), inputs=before.inputs),)


def _linear(draft: Draft, op: Op) -> Sequence[Op] | None:
    """A product with a constant matrix on the right is Linear."""
    if not isinstance(op.kind, MatMul) or op.kind.transpose_a or op.kind.scale != 1.0:
        return None
    x, weight = op.inputs
    if x is None or weight is None or not draft.is_constant(weight) or draft.is_constant(x):
        return None
    shape = draft.shape(weight)
    if type_of(draft[x]).element != "float":
        return None
    if len(shape) < 2 or any(e != 1 for e in shape[:-2]) or len(shape) > len(draft.shape(x)):
        return None
    if len(shape) > 2:
        weight = draft.viewed(weight, shape[-2:])
    return (replace(op, kind=Linear(not op.kind.transpose_b), inputs=(x, weight)),)


def _number(draft: Draft, op: Op) -> Sequence[Op] | None:
    """Arithmetic with one number is a function of the other operand."""
    if not isinstance(op.kind, Binary) or op.kind.function != IDENTITY:
        return None
    for x, other in (op.inputs, op.inputs[::-1]):
        number = draft.number(other)
        if number is None or x is None or draft.shape(x) != draft.shape(op.outputs[0]):
            continue
        function = _of_number(op.kind.operator, number, swapped=x is not op.inputs[0])
        if function is not None and type_of(draft[x]).element == "float":
            return (replace(op, kind=Unary(function), inputs=(x,)),)
    return None


def _of_number(operator: str, number: float, *, swapped: bool) -> Function | None:
    """The function of x that is `x operator number`, or `number operator x` when swapped."""
    match operator:
        case "add":
            return Function("scale", 1.0, number)
        case "mul":
            return Function("scale", number)
        case "sub":
            return Function("scale", -1.0, number) if swapped else Function("scale", 1.0, -number)
        case "div" if swapped:
            return Function("reciprocal") if number == 1.0 else None
        case "div" if number != 0.0:
            return Function("scale", 1.0 / number)
        case "max":
            return Function("clip", number, math.inf) if number else Function("relu")
        case "min":
            return Function("clip", -math.inf, number)
        case "pow" if not swapped:
            return _POWERS.get(number)
        case _:
            return None


_POWERS = {
    -1.0: Function("reciprocal"),
    -0.5: Function("rsqrt"),
    0.5: Function("sqrt"),
    1.0: IDENTITY,
    2.0: Function("square"),
}


def _square(draft: Draft, op: Op) -> Sequence[Op] | None:
    """A product of a value with itself."""
    if op.kind == Binary("mul") and op.inputs[0] == op.inputs[1]:
        return (replace(op, kind=Unary(Function("square")), inputs=op.inputs[:1]),)
    return None


def _compose(draft: Draft, op: Op) -> Sequence[Op] | None:
    """Two functions in a row that are one."""
    if not isinstance(op.kind, Unary):
        return None
    before = draft.made_by(op.inputs[0], Unary)
    if before is None or not isinstance(before.kind, Unary):
        return None
    function = _composition(op.kind.function, before.kind.function)
    if function is None or not draft.alone(before.outputs[0]):
        return None
    return (replace(op, kind=Unary(function), inputs=before.inputs),)


def _composition(after: Function, before: Function) -> Function | None:
    match after, before:
        case Function("scale", a, b), Function("scale", c, d):
            return Function("scale", a * c, a * d + b)
        case Function("hard_sigmoid", a, b), Function("scale", c, d):
            return Function("hard_sigmoid", a * c, a * d + b)
        case Function("reciprocal"), Function("sqrt"):
            return Function("rsqrt")
        case Function("clip" | "relu"), Function("clip" | "relu"):
            (low, high), (least, most) = _bounds(after), _bounds(before)
            if max(low, least) <= min(high, most):
                return Function("clip", max(low, least), min(high, most))
            return None
        case _:
            return None


def _bounds(function: Function) -> tuple[float, float]:
    return (0.0, math.inf) if function.name == "relu" else (function.alpha, function.beta)


def _plain_relu(draft: Draft, op: Op) -> Sequence[Op] | None:
    """A clip without an upper bound at 0 is relu."""
    if op.kind == Unary(Function("clip", 0.0, math.inf)):
        return (replace(op, kind=Unary(Function("relu"))),)
    return None


RULES = (
    Rule("constants evaluated", _fold),
    Rule("operators without effect removed", _drop),
    Rule("movements merged", _merge_movement),
    Rule("joins merged", _join),
    Rule("dims of reductions kept", _keep_dims),
    Rule("sums made means", _mean),
    Rule("products with a constant matrix made Linear", _linear),
    Rule("arithmetic with one number made a function", _number),
    Rule("products with itself made squares", _square),
    Rule("clips made relu", _plain_relu),
)

# Later: composed with what follows, an activation would not be recognised any more.
COMPOSITIONS = (Rule("functions composed", _compose),)
