"""Each node of NIR that is no neuron as operators of ours, and the table of all nodes."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from netwright.errors import FormatError
from netwright.frontends.nir_delay import delay
from netwright.frontends.nir_file import NirNode
from netwright.frontends.nir_neurons import integrator, neuron
from netwright.frontends.nir_scope import Array, Layer, Scope, array_of, pair
from netwright.graph.ops.conv import Conv
from netwright.graph.ops.elementwise import Binary, Cast
from netwright.graph.ops.linear import Linear
from netwright.graph.tensor import TensorId


def _linear(scope: Scope, node: NirNode, x: TensorId, where: str) -> TensorId:
    weight = scope.constant(f"{node.name}.weight", array_of(node, "weight", where))
    operands = [x, weight]
    if node.type == "Affine":
        operands.append(scope.constant(f"{node.name}.bias", array_of(node, "bias", where)))
    return scope.builder.add(Linear(), operands, node.name)


def _scale(scope: Scope, node: NirNode, x: TensorId, where: str) -> TensorId:
    by = scope.constant(f"{node.name}.scale", array_of(node, "scale", where))
    return scope.builder.add(Binary("mul"), (x, by), node.name)


def _window(
    scope: Scope, node: NirNode, x: TensorId, weight: Array, bias: Array | None, kind: Conv
) -> TensorId:
    """A convolution of every step of every sample."""
    flat = scope.reshape(x, (scope.steps * scope.batch, *scope.inner(x)))
    operands = [flat, scope.constant(f"{node.name}.weight", weight)]
    if bias is not None:
        operands.append(scope.constant(f"{node.name}.bias", bias))
    y = scope.builder.add(kind, operands, node.name)
    out = tuple(e for e in scope.builder.tensors[y].shape[1:] if isinstance(e, int))
    return scope.reshape(y, (scope.steps, scope.batch, *out))


def _conv(scope: Scope, node: NirNode, x: TensorId, where: str) -> TensorId:
    weight = array_of(node, "weight", where)
    number = weight.ndim - 2
    if number not in (1, 2):
        raise FormatError(f"{where}: node {node.name!r}: weight has {weight.ndim} dims")
    dilation = pair(node, "dilation", number, where)
    padding = node.values.get("padding")
    if isinstance(padding, str):
        reach = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
        same = padding == "same"
        pads = tuple((r // 2, r - r // 2) if same else (0, 0) for r in reach)
    else:
        pads = tuple((p, p) for p in pair(node, "padding", number, where))
    groups = pair(node, "groups", 1, where)[0]
    kind = Conv(pair(node, "stride", number, where), pads, dilation, groups)
    return _window(scope, node, x, weight, array_of(node, "bias", where), kind)


def _pool(scope: Scope, node: NirNode, x: TensorId, where: str) -> TensorId:
    """A sum (or mean, padding counted) of windows: a convolution of each channel alone."""
    kernel = pair(node, "kernel_size", 2, where)
    inner = scope.inner(x)
    if len(inner) != 3 or min(kernel) < 1:
        raise FormatError(f"{where}: node {node.name!r}: windows {kernel} of shape {inner}")
    value = 1.0 / math.prod(kernel) if node.type == "AvgPool2d" else 1.0
    pads = tuple((p, p) for p in pair(node, "padding", 2, where))
    kind = Conv(pair(node, "stride", 2, where), pads, (1, 1), inner[0])
    return _window(scope, node, x, np.full((inner[0], 1, *kernel), value), None, kind)


def _flatten(scope: Scope, node: NirNode, x: TensorId, where: str) -> TensorId:
    inner = scope.inner(x)
    first = pair(node, "start_dim", 1, where)[0] % max(len(inner), 1)
    last = pair(node, "end_dim", 1, where)[0] % max(len(inner), 1)
    if first > last:
        raise FormatError(f"{where}: node {node.name!r} flattens dims {first} to {last}")
    middle = math.prod(inner[first : last + 1])
    shape = (*inner[:first], middle, *inner[last + 1 :])
    return scope.reshape(x, (scope.steps, scope.batch, *shape))


def _threshold(scope: Scope, node: NirNode, x: TensorId, where: str) -> TensorId:
    limit = scope.constant(f"{node.name}.threshold", array_of(node, "threshold", where))
    over = scope.builder.add(Binary("greater"), (x, limit))
    return scope.builder.add(Cast("float"), (over,), node.name)


LAYERS: Mapping[str, Layer] = {
    "Affine": _linear,
    "AvgPool2d": _pool,
    "Conv1d": _conv,
    "Conv2d": _conv,
    "CubaLI": neuron,
    "CubaLIF": neuron,
    "Delay": delay,
    "Flatten": _flatten,
    "I": integrator,
    "IF": neuron,
    "LI": neuron,
    "LIF": neuron,
    "Linear": _linear,
    "Scale": _scale,
    "SumPool2d": _pool,
    "Threshold": _threshold,
}
