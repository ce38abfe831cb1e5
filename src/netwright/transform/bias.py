"""A constant a channel, added to a layer's result, is its bias.

Also where only dims of size 1 came or went between: then the reshape follows the layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from netwright.graph.extent import Extent
from netwright.graph.op import Op
from netwright.graph.ops.movement import Reshape
from netwright.graph.tensor import TensorId
from netwright.transform.channels import bias_values, channel_values, layer_of, with_bias
from netwright.transform.draft import Draft, Rule
from netwright.transform.match import binary_operands, both_ways

Shape: TypeAlias = tuple[Extent, ...]


def _added(draft: Draft, op: Op) -> Sequence[Op] | None:
    pair = binary_operands(op, "add")
    for x, constant in both_ways(pair) if pair is not None else ():
        new = _with(draft, op, x, constant, 1.0)
        if new is not None:
            return new
    return None


def _subtracted(draft: Draft, op: Op) -> Sequence[Op] | None:
    pair = binary_operands(op, "sub")
    return None if pair is None else _with(draft, op, *pair, -1.0)


def _with(
    draft: Draft, op: Op, x: TensorId, constant: TensorId, sign: float
) -> Sequence[Op] | None:
    if draft.shape(x) != draft.shape(op.outputs[0]):
        return None
    reshape = draft.made_by(x, Reshape)
    if reshape is None:
        return _with_values(draft, op, x, constant, sign)
    (inner,) = reshape.inputs
    if inner is None or not draft.alone(x):
        return None
    shape = _aligned(draft.shape(constant), draft.shape(x), draft.shape(inner))
    if shape is None or not draft.is_constant(constant):
        return None
    new = _with_values(draft, op, inner, draft.viewed(constant, shape), sign)
    if new is None:
        return None
    # The layer writes a tensor of its own, which is then reshaped.
    written = draft.like(inner, f"{op.name}.sum")
    return (
        replace(new[0], outputs=(written,)),
        replace(op, kind=reshape.kind, inputs=(written,)),
    )


def _aligned(constant: Shape, seen: Shape, inner: Shape) -> Shape | None:
    """A constant's shape as it stands against `inner`, which is `seen` but for dims of size 1."""
    if [e for e in seen if e != 1] != [e for e in inner if e != 1]:
        return None
    padded = (1,) * (len(seen) - len(constant)) + constant
    sizes = [part for part, whole in zip(padded, seen, strict=True) if whole != 1]
    if any(part != 1 for part, whole in zip(padded, seen, strict=True) if whole == 1):
        return None
    rest = iter(sizes)
    return tuple(1 if whole == 1 else next(rest) for whole in inner)


def _with_values(
    draft: Draft, op: Op, x: TensorId, constant: TensorId, sign: float
) -> Sequence[Op] | None:
    layer = layer_of(draft, x)
    if layer is None:
        return None
    values, bias = channel_values(draft, layer, constant), bias_values(draft, layer)
    if values is None or bias is None:
        return None
    return (with_bias(draft, layer, op, bias + sign * values),)


RULES = (
    Rule("added constants made biases", _added),
    Rule("subtracted constants made biases", _subtracted),
)
