"""Each node of NIR as operators of ours: one function a type, one table."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import FormatError, UnsupportedError
from netwright.frontends.nir_file import NirNode
from netwright.frontends.nir_note import noted_rule
from netwright.graph.build import Builder
from netwright.graph.ops.conv import Conv
from netwright.graph.ops.elementwise import Binary, Cast
from netwright.graph.ops.linear import Linear
from netwright.graph.ops.movement import Pad, Reshape, Slice
from netwright.graph.ops.neuron import CubaLif, If, Li, Lif
from netwright.graph.ops.neuron_rule import Discretisation, Method, Reset
from netwright.graph.tensor import TensorId

Array: TypeAlias = NDArray[Any]


@final
@dataclass(frozen=True, slots=True)
class Scope:
    """What every node needs: the graph so far, and how time is cut."""

    builder: Builder
    steps: int
    batch: int
    dt_seconds: float

    def inner(self, x: TensorId) -> tuple[int, ...]:
        """The shape of one step of one sample."""
        return tuple(e for e in self.builder.tensors[x].shape[2:] if isinstance(e, int))

    def reshape(self, x: TensorId, shape: tuple[int, ...]) -> TensorId:
        """`x` in another shape of as many numbers."""
        return self.builder.add(Reshape(shape), (x,))

    def constant(self, name: str, values: Array) -> TensorId:
        """A weight in fp32."""
        dims = [(f"d{k}", size) for k, size in enumerate(values.shape)]
        return self.builder.weight(name, dims, data=values.astype(np.float32))


Layer: TypeAlias = Callable[[Scope, NirNode, TensorId, str], TensorId]


def _array(node: NirNode, key: str, where: str) -> Array:
    value = node.values.get(key)
    if not isinstance(value, np.ndarray):
        got = "nothing" if value is None else repr(value)
        raise FormatError(f"{where}: node {node.name!r}: {key} is {got}, expected numbers")
    return value


def _same(node: NirNode, key: str, where: str) -> float:
    """The one value that all neurons of a node share."""
    values = _array(node, key, where).reshape(-1)
    if values.size == 0 or (values != values[0]).any():
        raise UnsupportedError(
            f"{where}: node {node.name!r}: {key} differs between its neurons; operators have one "
            "value for all: split the node by value"
        )
    return float(values[0])


def _pair(node: NirNode, key: str, number: int, where: str) -> tuple[int, ...]:
    values = _array(node, key, where).reshape(-1)
    if values.size not in (1, number) or (np.abs(values) > 1 << 20).any():
        raise FormatError(f"{where}: node {node.name!r}: {key} is {values[:4]}, expected {number}")
    return tuple(int(v) for v in np.broadcast_to(values, (number,)))


def shape_of(node: NirNode, where: str) -> tuple[int, ...]:
    """The shape of an Input."""
    sizes = tuple(int(v) for v in _array(node, "shape", where).reshape(-1))
    if not 1 <= len(sizes) <= 4 or min(sizes) < 1 or math.prod(sizes) > 1 << 28:
        raise FormatError(f"{where}: node {node.name!r} has shape {sizes}, expected 1 to 4 sizes")
    return sizes


def _linear(scope: Scope, node: NirNode, x: TensorId, where: str) -> TensorId:
    weight = scope.constant(f"{node.name}.weight", _array(node, "weight", where))
    operands = [x, weight]
    if node.type == "Affine":
        operands.append(scope.constant(f"{node.name}.bias", _array(node, "bias", where)))
    return scope.builder.add(Linear(), operands, node.name)


def _scale(scope: Scope, node: NirNode, x: TensorId, where: str) -> TensorId:
    by = scope.constant(f"{node.name}.scale", _array(node, "scale", where))
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
    weight = _array(node, "weight", where)
    number = weight.ndim - 2
    if number not in (1, 2):
        raise FormatError(f"{where}: node {node.name!r}: weight has {weight.ndim} dims")
    dilation = _pair(node, "dilation", number, where)
    padding = node.values.get("padding")
    if isinstance(padding, str):
        reach = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
        same = padding == "same"
        pads = tuple((r // 2, r - r // 2) if same else (0, 0) for r in reach)
    else:
        pads = tuple((p, p) for p in _pair(node, "padding", number, where))
    groups = _pair(node, "groups", 1, where)[0]
    kind = Conv(_pair(node, "stride", number, where), pads, dilation, groups)
    return _window(scope, node, x, weight, _array(node, "bias", where), kind)


def _pool(scope: Scope, node: NirNode, x: TensorId, where: str) -> TensorId:
    """A sum (or mean, padding counted) of windows: a convolution of each channel alone."""
    kernel = _pair(node, "kernel_size", 2, where)
    inner = scope.inner(x)
    if len(inner) != 3 or min(kernel) < 1:
        raise FormatError(f"{where}: node {node.name!r}: windows {kernel} of shape {inner}")
    value = 1.0 / math.prod(kernel) if node.type == "AvgPool2d" else 1.0
    pads = tuple((p, p) for p in _pair(node, "padding", 2, where))
    kind = Conv(_pair(node, "stride", 2, where), pads, (1, 1), inner[0])
    return _window(scope, node, x, np.full((inner[0], 1, *kernel), value), None, kind)


def _flatten(scope: Scope, node: NirNode, x: TensorId, where: str) -> TensorId:
    inner = scope.inner(x)
    first = _pair(node, "start_dim", 1, where)[0] % max(len(inner), 1)
    last = _pair(node, "end_dim", 1, where)[0] % max(len(inner), 1)
    if first > last:
        raise FormatError(f"{where}: node {node.name!r} flattens dims {first} to {last}")
    middle = math.prod(inner[first : last + 1])
    shape = (*inner[:first], middle, *inner[last + 1 :])
    return scope.reshape(x, (scope.steps, scope.batch, *shape))


def _delay(scope: Scope, node: NirNode, x: TensorId, where: str) -> TensorId:
    late = round(_same(node, "delay", where) / scope.dt_seconds)
    if late < 0:
        raise FormatError(f"{where}: node {node.name!r} has a delay below 0")
    late = min(late, scope.steps)
    rank = len(scope.builder.tensors[x].shape)
    padded = scope.builder.add(Pad(((late, 0), *(((0, 0),) * (rank - 1)))), (x,))
    shape = (scope.steps, scope.batch, *scope.inner(x))
    kind = Slice((0,) * rank, shape, (1,) * rank)
    return scope.builder.add(kind, (padded,), node.name)


def _threshold(scope: Scope, node: NirNode, x: TensorId, where: str) -> TensorId:
    limit = scope.constant(f"{node.name}.threshold", _array(node, "threshold", where))
    over = scope.builder.add(Binary("greater"), (x, limit))
    return scope.builder.add(Cast("float"), (over,), node.name)


def _rule(scope: Scope, node: NirNode, where: str) -> Discretisation:
    value = _same(node, "v_reset", where) if "v_reset" in node.values else 0.0
    rule = Discretisation(scope.dt_seconds, Method.EXACT, Reset.VALUE, value)
    if node.note is None:
        return rule
    return noted_rule(node.note, rule, f"{where}: node {node.name!r}")


def _driven(scope: Scope, node: NirNode, x: TensorId, key: str, where: str) -> TensorId:
    """The input times resistance or weight, where these differ between neurons."""
    values = _array(node, key, where)
    by = scope.constant(f"{node.name}.{key}", values)
    return scope.builder.add(Binary("mul"), (x, by))


def _neuron(scope: Scope, node: NirNode, x: TensorId, where: str) -> TensorId:
    """I, IF, LI and LIF: neurons lie flat while they run."""
    rule, inner = _rule(scope, node, where), scope.inner(x)
    r = _array(node, "r", where).reshape(-1)
    resistance = float(r[0]) if r.size and (r == r[0]).all() else 1.0
    if r.size and (r != r[0]).any():
        x = _driven(scope, node, x, "r", where)
    kind: If | Li | Lif
    if node.type == "I":
        kind = Li(math.inf, replace(rule, input_scale=resistance * rule.dt_seconds))
    elif node.type == "IF":
        kind = If(_same(node, "v_threshold", where), rule, resistance)
    else:
        tau, leak = _positive(node, "tau", where), _same(node, "v_leak", where)
        kind = Li(tau, rule, leak, resistance)
        if node.type == "LIF":
            kind = Lif(tau, _same(node, "v_threshold", where), rule, leak, resistance)
    return _run(scope, node, x, kind, inner)


def _current(scope: Scope, node: NirNode, x: TensorId, where: str) -> TensorId:
    """CubaLI and CubaLIF: dI/dt = (-I + w_in S) / tau_syn, so a spike adds w_in dt / tau_syn."""
    rule, inner = _rule(scope, node, where), scope.inner(x)
    synapse, membrane = _positive(node, "tau_syn", where), _positive(node, "tau_mem", where)
    weight = _array(node, "w_in", where) if "w_in" in node.values else np.ones(1)
    flat = weight.reshape(-1)
    if (flat != flat[0]).any():
        x = _driven(scope, node, x, "w_in", where)
        flat = np.ones(1)
    if rule.input_scale is None:
        rule = replace(rule, input_scale=float(flat[0]) * rule.charge(synapse))
    spiking = node.type == "CubaLIF"
    kind = CubaLif(
        membrane,
        (synapse,),
        _same(node, "v_threshold", where) if spiking else math.inf,
        rule,
        _same(node, "v_leak", where),
        _same(node, "r", where),
        not spiking,
    )
    return _run(scope, node, x, kind, inner)


def _positive(node: NirNode, key: str, where: str) -> float:
    value = _same(node, key, where)
    if not value > 0.0:
        raise FormatError(f"{where}: node {node.name!r}: {key} is {value}, expected above 0")
    return value


def _run(
    scope: Scope, node: NirNode, x: TensorId, kind: If | Li | Lif | CubaLif, inner: tuple[int, ...]
) -> TensorId:
    flat = x if len(inner) == 1 else scope.reshape(x, (scope.steps, scope.batch, math.prod(inner)))
    spikes = scope.builder.add(kind, (flat,), node.name)
    if len(inner) == 1:
        return spikes
    return scope.reshape(spikes, (scope.steps, scope.batch, *inner))


LAYERS: Mapping[str, Layer] = {
    "Affine": _linear,
    "AvgPool2d": _pool,
    "Conv1d": _conv,
    "Conv2d": _conv,
    "CubaLI": _current,
    "CubaLIF": _current,
    "Delay": _delay,
    "Flatten": _flatten,
    "I": _neuron,
    "IF": _neuron,
    "LI": _neuron,
    "LIF": _neuron,
    "Linear": _linear,
    "Scale": _scale,
    "SumPool2d": _pool,
    "Threshold": _threshold,
}
