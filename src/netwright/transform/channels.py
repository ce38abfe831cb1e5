"""What layers with a constant weight have in common: their channels, and a new weight and bias."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.graph.format import FP32
from netwright.graph.op import Op
from netwright.graph.ops.conv import Conv, ConvTranspose
from netwright.graph.ops.function import IDENTITY
from netwright.graph.ops.linear import Linear
from netwright.graph.tensor import TensorId
from netwright.transform.draft import Draft
from netwright.transform.match import per_channel

Array: TypeAlias = NDArray[Any]
LayerKind: TypeAlias = Conv | ConvTranspose | Linear


@final
@dataclass(frozen=True, slots=True)
class Layer:
    """An operator with channels that ends in nothing but its sum, read by one operator only."""

    op: Op
    kind: LayerKind
    weight: TensorId
    bias: TensorId | None
    residual: TensorId | None
    channel: int  # the dim of the channels in the output
    num_channels: int


def layer_of(draft: Draft, tensor: TensorId | None) -> Layer | None:
    """The layer that made a tensor, if whatever follows may still be taken into it."""
    op = draft.maker(tensor)
    if op is None or tensor is None or not isinstance(op.kind, Conv | ConvTranspose | Linear):
        return None
    if op.kind.function != IDENTITY or not draft.alone(tensor):
        return None
    shape = draft.shape(tensor)
    channel = len(shape) - 1 if isinstance(op.kind, Linear) else 1
    size = shape[channel]
    _, weight, bias, residual = (*op.inputs, None, None)[:4]
    if weight is None or not isinstance(size, int):
        return None
    return Layer(op, op.kind, weight, bias, residual, channel, size)


def channel_values(draft: Draft, layer: Layer, tensor: TensorId) -> Array | None:
    """A constant of one number a channel, [C]."""
    rank = len(draft.shape(layer.op.outputs[0]))
    if not per_channel(draft.shape(tensor), rank, layer.channel, layer.num_channels):
        return None
    values = draft.values(tensor)
    return None if values is None or values.dtype.kind != "f" else values.reshape(-1)


def bias_values(draft: Draft, layer: Layer) -> Array | None:
    """The bias [C], zeros where there is none; None where it is computed."""
    if layer.bias is None:
        return np.zeros(layer.num_channels)
    return draft.values(layer.bias)


def with_bias(draft: Draft, layer: Layer, op: Op, bias: Array) -> Op:
    """The layer with another bias, in the place of `op`."""
    new = draft.weight(f"{layer.op.name}.bias", bias)
    return _placed(layer, op, layer.weight, new)


def scaled(draft: Draft, layer: Layer, op: Op, scale: Array, shift: Array) -> Op | None:
    """The layer that gives scale * (w x + b) + shift, in the place of `op`; fp32 weights only."""
    bias = bias_values(draft, layer)
    if layer.residual is not None or bias is None or draft[layer.weight].format != FP32:
        return None
    weight = draft.values(layer.weight)
    if weight is None:
        return None
    new = draft.weight(f"{layer.op.name}.weight", _scaled_weight(layer, scale, weight))
    offset = draft.weight(f"{layer.op.name}.bias", scale * bias + shift)
    return _placed(layer, op, new, offset)


def _scaled_weight(layer: Layer, scale: Array, weight: Array) -> Array:
    match layer.kind:
        case Linear(input_major):
            return weight * (scale if input_major else scale[:, None])
        case Conv():
            return weight * scale.reshape((-1,) + (1,) * (weight.ndim - 1))
        case ConvTranspose(groups=groups):
            # [C, O / groups, ...]: the inputs of group g make the outputs of group g.
            grouped = weight.reshape((groups, -1, *weight.shape[1:]))
            factors = scale.reshape((groups, 1, -1) + (1,) * (weight.ndim - 2))
            return (grouped * factors).reshape(weight.shape)


def _placed(layer: Layer, op: Op, weight: TensorId, bias: TensorId) -> Op:
    x = layer.op.inputs[0]
    tail = () if layer.residual is None else (layer.residual,)
    return replace(op, kind=layer.kind, inputs=(x, weight, bias, *tail))
