"""Functions of every element, numpy broadcasting."""

from __future__ import annotations

from collections.abc import Mapping

from netwright.errors import UnsupportedError
from netwright.graph.op import Op
from netwright.graph.ops.elementwise import Binary, Cast, Unary
from netwright.graph.ops.function import Function
from netwright.graph.ops.gradient import FunctionGradient
from netwright.graph.tensor import TensorId
from netwright.transform.gradients.tape import Rule, Saved, Tape

Found = Mapping[int, TensorId]


def _given(op: Op, index: int) -> TensorId:
    place = op.inputs[index]
    assert place is not None
    return place


def _unary(tape: Tape, op: Op, saved: Saved, dy: TensorId) -> Found:
    assert isinstance(op.kind, Unary)
    function = op.kind.function
    if function.name in ("neg", "scale"):  # the slope does not depend on x
        return {0: tape.scale(dy, -1.0 if function.name == "neg" else function.alpha)}
    return {0: tape.add(FunctionGradient(function), _given(op, 0), dy)}


def _binary(tape: Tape, op: Op, saved: Saved, dy: TensorId) -> Found:
    assert isinstance(op.kind, Binary)
    a, b = _given(op, 0), _given(op, 1)
    rules = {
        "add": _add, "sub": _sub, "mul": _mul, "div": _div, "pow": _pow, "max": _most, "min": _most,
    }  # fmt: skip
    if op.kind.operator not in rules:
        raise UnsupportedError(
            f"differentiate: {op.name}: {op.kind.operator} has no gradient; covered: "
            f"{', '.join(rules)}"
        )
    raw = rules[op.kind.operator](tape, op, (a, b, op.outputs[0]), dy)
    return {i: tape.collect(d, tape.shape(_given(op, i))) for i, d in raw.items()}


Three = tuple[TensorId, TensorId, TensorId]


def _add(tape: Tape, op: Op, places: Three, dy: TensorId) -> Found:
    return {i: dy for i in (0, 1) if tape.wants(op, i)}


def _sub(tape: Tape, op: Op, places: Three, dy: TensorId) -> Found:
    return {i: tape.scale(dy, sign) for i, sign in ((0, 1.0), (1, -1.0)) if tape.wants(op, i)}


def _mul(tape: Tape, op: Op, places: Three, dy: TensorId) -> Found:
    return {i: tape.multiply(dy, places[1 - i]) for i in (0, 1) if tape.wants(op, i)}


def _div(tape: Tape, op: Op, places: Three, dy: TensorId) -> Found:
    by = tape.add(Binary("div"), dy, places[1])
    found = {0: by} if tape.wants(op, 0) else {}
    if tape.wants(op, 1):  # d(a/b)/db = -(a/b)/b
        found[1] = tape.scale(tape.multiply(by, places[2]), -1.0)
    return found


def _pow(tape: Tape, op: Op, places: Three, dy: TensorId) -> Found:
    if tape.wants(op, 1):
        raise UnsupportedError(f"differentiate: {op.name}: the exponent of pow has no gradient")
    exponent = places[1]
    if tape.builder.tensors[exponent].format.name.startswith("int"):
        exponent = tape.add(Cast("float"), exponent)
    less = tape.add(Unary(Function("scale", 1.0, -1.0)), exponent)
    power = tape.add(Binary("pow"), places[0], less)
    return {0: tape.multiply(dy, tape.multiply(exponent, power))}


def _most(tape: Tape, op: Op, places: Three, dy: TensorId) -> Found:
    """Where both are equal, half each."""
    assert isinstance(op.kind, Binary)
    tie = tape.scale(tape.add(Cast("float"), tape.add(Binary("equal"), places[0], places[1])), 0.5)
    compare = Binary("greater" if op.kind.operator == "max" else "less")
    found: dict[int, TensorId] = {}
    for i in (0, 1):
        if tape.wants(op, i):
            wins = tape.add(Cast("float"), tape.add(compare, places[i], places[1 - i]))
            found[i] = tape.multiply(dy, tape.add(Binary("add"), wins, tie))
    return found


def _where(tape: Tape, op: Op, saved: Saved, dy: TensorId) -> Found:
    mask = tape.add(Cast("float"), _given(op, 0))
    found: dict[int, TensorId] = {}
    if tape.wants(op, 1):
        found[1] = tape.multiply(dy, mask)
    if tape.wants(op, 2):
        found[2] = tape.multiply(dy, tape.add(Unary(Function("scale", -1.0, 1.0)), mask))
    return {i: tape.collect(d, tape.shape(_given(op, i))) for i, d in found.items()}


UNARY, BINARY, WHERE = Rule(_unary), Rule(_binary), Rule(_where)
