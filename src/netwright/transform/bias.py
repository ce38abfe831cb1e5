"""A constant a channel, added to a layer's result, is its bias."""

from __future__ import annotations

from collections.abc import Sequence

from netwright.graph.op import Op
from netwright.graph.tensor import TensorId
from netwright.transform.channels import bias_values, channel_values, layer_of, with_bias
from netwright.transform.draft import Draft, Rule
from netwright.transform.match import binary_operands, both_ways


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
    layer = layer_of(draft, x)
    if layer is None or draft.shape(x) != draft.shape(op.outputs[0]):
        return None
    values, bias = channel_values(draft, layer, constant), bias_values(draft, layer)
    if values is None or bias is None:
        return None
    return (with_bias(draft, layer, op, bias + sign * values),)


RULES = (
    Rule("added constants made biases", _added),
    Rule("subtracted constants made biases", _subtracted),
)
