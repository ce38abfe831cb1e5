"""Batch norm and per-channel factors into the layer before; alone, a depthwise convolution.

Source: Jacob et al., arXiv 1712.05877, section 3.2 (folding).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from netwright.graph.op import Op
from netwright.graph.ops.conv import Conv, ConvTranspose
from netwright.graph.ops.elementwise import Binary, Unary
from netwright.graph.ops.norm import BatchNorm
from netwright.graph.tensor import TensorId
from netwright.transform.channels import Array, channel_values, layer_of, scaled
from netwright.transform.draft import Draft, Rule
from netwright.transform.match import binary_operands, both_ways


def _affine(draft: Draft, op: Op) -> tuple[TensorId, Array, Array] | None:
    """x, factors [C] and offsets [C] of a batch norm with constant statistics."""
    if not isinstance(op.kind, BatchNorm) or op.inputs[0] is None:
        return None
    parts = [draft.values(i) for i in op.inputs[1:]]
    scale, bias, mean, variance = parts
    if scale is None or bias is None or mean is None or variance is None:
        return None
    with np.errstate(all="ignore"):
        factor = scale / np.sqrt(variance + op.kind.epsilon)
        offset = bias - mean * factor
    if not (np.isfinite(factor).all() and np.isfinite(offset).all()):
        return None
    return op.inputs[0], factor, offset


def _into_layer(draft: Draft, op: Op) -> Sequence[Op] | None:
    found = _affine(draft, op)
    layer = None if found is None else layer_of(draft, found[0])
    if found is None or layer is None or layer.channel != 1:
        return None
    new = scaled(draft, layer, op, found[1], found[2])
    return None if new is None else (new,)


def _factor_into_layer(draft: Draft, op: Op) -> Sequence[Op] | None:
    """A convolution times one constant a channel."""
    pair = binary_operands(op, "mul")
    for x, constant in both_ways(pair) if pair is not None else ():
        layer = layer_of(draft, x)
        if layer is None or not isinstance(layer.kind, Conv | ConvTranspose):
            continue
        factors = channel_values(draft, layer, constant)
        if factors is not None and draft.shape(x) == draft.shape(op.outputs[0]):
            new = scaled(draft, layer, op, factors, np.zeros_like(factors))
            return None if new is None else (new,)
    return None


def _number_into_layer(draft: Draft, op: Op) -> Sequence[Op] | None:
    """A convolution times a number plus a number, or negated."""
    if not isinstance(op.kind, Unary) or op.kind.function.name not in ("scale", "neg"):
        return None
    layer = layer_of(draft, op.inputs[0])
    if layer is None or not isinstance(layer.kind, Conv | ConvTranspose):
        return None
    ones = np.ones(layer.num_channels)
    function = op.kind.function
    alpha = -1.0 if function.name == "neg" else function.alpha
    new = scaled(draft, layer, op, alpha * ones, function.beta * ones)
    return None if new is None else (new,)


def _alone(draft: Draft, op: Op) -> Sequence[Op] | None:
    """One pass over x either way: a depthwise 1x1 convolution can also end in a function."""
    found = _affine(draft, op)
    if found is None:
        return None
    x, factor, offset = found
    rank = len(draft.shape(x)) - 2
    if rank in (1, 2):
        ones = (1,) * rank
        weight = draft.weight(f"{op.name}.weight", factor.reshape((-1, 1, *ones)))
        kind = Conv(ones, ((0, 0),) * rank, ones, factor.size)
        return (
            replace(op, kind=kind, inputs=(x, weight, draft.weight(f"{op.name}.bias", offset))),
        )
    shape = (-1,) + (1,) * rank
    weight = draft.weight(f"{op.name}.factor", factor.reshape(shape))
    bias = draft.weight(f"{op.name}.offset", offset.reshape(shape))
    product = draft.op(f"{op.name}.product", Binary("mul"), (x, weight))
    return product, replace(op, kind=Binary("add"), inputs=(product.outputs[0], bias))


RULES = (
    Rule("batch norms folded into the layer before", _into_layer),
    Rule("factors a channel folded into the layer before", _factor_into_layer),
    Rule("numbers folded into the layer before", _number_into_layer),
    Rule("batch norms made depthwise convolutions", _alone),
)
