"""Questions that patterns ask of a draft: which function made this, which operands has that."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

from netwright.graph.extent import Extent
from netwright.graph.op import Op
from netwright.graph.ops.elementwise import Binary, Unary
from netwright.graph.ops.function import IDENTITY, Function
from netwright.graph.ops.reduce import Reduce
from netwright.graph.tensor import TensorId
from netwright.transform.draft import Draft

_CLOSE = 1e-5  # float32 attributes are written with 7 digits


def close(value: float, expected: float) -> bool:
    """Whether a number in a file is meant to be this constant."""
    return math.isclose(value, expected, rel_tol=_CLOSE, abs_tol=1e-12)


def function_of(
    draft: Draft, tensor: TensorId | None, name: str
) -> tuple[Function, TensorId] | None:
    """The function called `name` that made a tensor, and what it was applied to."""
    op = draft.made_by(tensor, Unary)
    if op is None or not isinstance(op.kind, Unary) or op.kind.function.name != name:
        return None
    (x,) = op.inputs
    return None if x is None else (op.kind.function, x)


def argument_of(draft: Draft, tensor: TensorId | None, function: Function) -> TensorId | None:
    """What exactly this function, parameters included, was applied to."""
    found = function_of(draft, tensor, function.name)
    if found is None:
        return None
    same = close(found[0].alpha, function.alpha) and close(found[0].beta, function.beta)
    return found[1] if same else None


def operands(
    draft: Draft, tensor: TensorId | None, operator: str
) -> tuple[TensorId, TensorId] | None:
    """The operands of the plain binary operator that made a tensor."""
    op = draft.made_by(tensor, Binary)
    return None if op is None else binary_operands(op, operator)


def binary_operands(op: Op, operator: str) -> tuple[TensorId, TensorId] | None:
    """The operands of an operator, if it is this plain binary one."""
    if not isinstance(op.kind, Binary) or op.kind.function != IDENTITY:
        return None
    a, b = op.inputs
    if op.kind.operator != operator or a is None or b is None:
        return None
    return a, b


def both_ways(pair: tuple[TensorId, TensorId]) -> Iterator[tuple[TensorId, TensorId]]:
    """The operands of a commutative operator in either order."""
    yield pair
    yield pair[1], pair[0]


def reduced(draft: Draft, tensor: TensorId | None, function: str) -> tuple[Reduce, TensorId] | None:
    """The reduction that made a tensor with its dims kept, and what it reduced."""
    op = draft.made_by(tensor, Reduce)
    if op is None or not isinstance(op.kind, Reduce):
        return None
    (x,) = op.inputs
    if x is None or op.kind.function != function or not op.kind.keepdims:
        return None
    return op.kind, x


def monomial(draft: Draft, tensor: TensorId, depth: int = 4) -> tuple[float, Counter[TensorId]]:
    """A tensor as coefficient * product of powers, through products, squares and factors."""
    if depth:
        scaled = function_of(draft, tensor, "scale")
        if scaled is not None and scaled[0].beta == 0.0:
            coefficient, powers = monomial(draft, scaled[1], depth - 1)
            return coefficient * scaled[0].alpha, powers
        square = argument_of(draft, tensor, Function("square"))
        pair = (square, square) if square is not None else operands(draft, tensor, "mul")
        if pair is not None:
            (a, left), (b, right) = (monomial(draft, part, depth - 1) for part in pair)
            return a * b, left + right
        power = operands(draft, tensor, "pow")
        if power is not None and draft.number(power[1]) == 3.0:
            coefficient, powers = monomial(draft, power[0], depth - 1)
            return coefficient**3, powers + powers + powers
    return 1.0, Counter({tensor: 1})


def axes_of(kind: Reduce, rank: int) -> tuple[int, ...]:
    """Axes counted from 0, sorted."""
    return tuple(sorted(a % rank for a in kind.axes))


def per_channel(shape: tuple[Extent, ...], rank: int, channel: int, size: Extent) -> bool:
    """Whether an operand broadcasts along every dim but that of the channels."""
    if len(shape) > rank:
        return False
    padded = (1,) * (rank - len(shape)) + shape
    return padded[channel] == size and all(e == 1 for dim, e in enumerate(padded) if dim != channel)
