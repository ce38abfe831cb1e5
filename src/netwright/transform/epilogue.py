"""Epilogue: the function and the residual sum after a layer become part of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netwright.graph.element import type_of
from netwright.graph.op import Op
from netwright.graph.ops.conv import Conv, ConvTranspose
from netwright.graph.ops.elementwise import Binary, Glu, Unary
from netwright.graph.ops.function import IDENTITY, Function
from netwright.graph.ops.linear import Linear
from netwright.graph.tensor import Role
from netwright.transform.channels import layer_of
from netwright.transform.draft import Draft, Rule
from netwright.transform.match import binary_operands, both_ways, operands

_NOT_FLOAT = ("not", "isnan")


def _residual(draft: Draft, op: Op) -> Sequence[Op] | None:
    """A layer plus a value of the same shape."""
    pair = binary_operands(op, "add")
    if pair is None:
        return None
    # The layer made last takes the other in: then that one exists already.
    for x, other in sorted(both_ways(pair), key=lambda p: -draft.place(p[0])):
        layer = layer_of(draft, x)
        if layer is None or not isinstance(layer.kind, Conv | Linear):
            continue
        if layer.residual is not None or draft.shape(other) != draft.shape(x):
            continue
        if draft[other].role is Role.WEIGHT or other == x:
            continue
        first, weight, bias = (*layer.op.inputs, None)[:3]
        return (replace(op, kind=layer.kind, inputs=(first, weight, bias, other)),)
    return None


def _function(draft: Draft, op: Op) -> Sequence[Op] | None:
    """A layer and the function of its result."""
    if not isinstance(op.kind, Unary) or op.kind.function.name in _NOT_FLOAT:
        return None
    layer = layer_of(draft, op.inputs[0])
    if layer is None:
        return None
    kind = replace(layer.kind, function=op.kind.function)
    return (replace(op, kind=kind, inputs=layer.op.inputs),)


def _scaled_swish(draft: Draft, op: Op) -> Sequence[Op] | None:
    """A layer that ends in hard swish, then a factor and a shift."""
    if not isinstance(op.kind, Unary) or op.kind.function.name != "scale":
        return None
    layer = draft.maker(op.inputs[0])
    if layer is None or not isinstance(layer.kind, Conv | ConvTranspose | Linear):
        return None
    if layer.kind.function.name != "hard_swish" or not draft.alone(layer.outputs[0]):
        return None
    scale = op.kind.function
    kind = replace(layer.kind, function=Function("scaled_hard_swish", scale.alpha, scale.beta))
    return (replace(op, kind=kind, inputs=layer.inputs),)


def _gained(draft: Draft, op: Op) -> Sequence[Op] | None:
    """Computes x + x s as x (s + 1) where s is smaller than x: one pass over x and not two."""
    pair = binary_operands(op, "add")
    for x, product in both_ways(pair) if pair is not None else ():
        factors = operands(draft, product, "mul")
        if factors is None or x not in factors or not draft.alone(product):
            continue
        gain = factors[0] if factors[1] == x else factors[1]
        if gain == x or draft.shape(gain) == draft.shape(x):
            continue
        if draft.shape(product) != draft.shape(x) or type_of(draft[gain]).element != "float":
            continue
        more = draft.op(f"{op.name}.gain", Unary(Function("scale", 1.0, 1.0)), (gain,))
        return more, replace(op, kind=Binary("mul"), inputs=(x, more.outputs[0]))
    return None


def _function_of_binary(draft: Draft, op: Op) -> Sequence[Op] | None:
    """A sum, product ... and the function of it."""
    if not isinstance(op.kind, Unary) or op.kind.function.name in _NOT_FLOAT:
        return None
    before = draft.made_by(op.inputs[0], Binary)
    if before is None or not isinstance(before.kind, Binary):
        return None
    if before.kind.function != IDENTITY or not draft.alone(before.outputs[0]):
        return None
    if type_of(draft[before.outputs[0]]).element != "float":
        return None
    kind = replace(before.kind, function=op.kind.function)
    return (replace(op, kind=kind, inputs=before.inputs),)


def _gated(draft: Draft, op: Op) -> Sequence[Op] | None:
    """A function of one value times another of the same shape."""
    pair = binary_operands(op, "mul")
    for gate, up in both_ways(pair) if pair is not None else ():
        maker = draft.made_by(gate, Unary)
        if maker is None or not isinstance(maker.kind, Unary) or not draft.alone(gate):
            continue
        if draft.shape(gate) != draft.shape(up) or maker.kind.function.name in _NOT_FLOAT:
            continue
        return (replace(op, kind=Glu(maker.kind.function), inputs=(maker.inputs[0], up)),)
    return None


RULES = (
    Rule("x + x s written as x (s + 1)", _gained),
    Rule("residual sums fused", _residual),
    Rule("functions fused into layers", _function),
    Rule("scaled hard swish fused into layers", _scaled_swish),
    Rule("functions fused into binary operators", _function_of_binary),
    Rule("gates fused", _gated),
)
