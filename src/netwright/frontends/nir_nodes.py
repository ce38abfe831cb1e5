"""An operator as a node of NIR: its values in the shapes that the package nir reads."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, NoReturn, TypeAlias, cast, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import UnsupportedError
from netwright.frontends.nir_neurons import PARAMETERS
from netwright.frontends.nir_note import note_of
from netwright.graph.graph import Graph
from netwright.graph.interpret import Interpreter
from netwright.graph.op import Op
from netwright.graph.ops.conv import Conv
from netwright.graph.ops.elementwise import Binary
from netwright.graph.ops.linear import Linear
from netwright.graph.ops.neuron import CubaLif, If, Li, Lif
from netwright.graph.ops.neuron_each import is_of_receptors, place_of_each
from netwright.graph.ops.position import StateUpdate
from netwright.graph.tensor import TensorId

Array: TypeAlias = NDArray[Any]
Node: TypeAlias = dict[str, Any]
MORE = (
    "Linear, products with a weight, convolutions, sums, delays, thresholds and Lif, If, Li and "
    "CubaLif with one current"
)


@final
@dataclass(frozen=True, slots=True)
class Written:
    """An operator to be written. `places` are its operands, the one that is computed first, and
    `shape` is what NIR knows of it: of one step of one sample."""

    graph: Graph
    weights: Interpreter
    op: Op
    shape: tuple[int, ...]
    places: tuple[TensorId | None, ...]

    def weight(self, index: int) -> Array:
        """An operand that must be a weight, in fp32 as it lies there."""
        place = self.places[index]
        if place is None or not self.graph[place].data:
            self.refuse(f"has no weight as its operand {index}")
        return self.weights.weight(place, 0)

    def refuse(self, why: str) -> NoReturn:
        """The error for what has no node."""
        raise UnsupportedError(
            f"{self.graph.name}: operator {self.op.name} ({type(self.op.kind).__name__}) {why}; "
            f"NIR files are written of {MORE}"
        )


@final
@dataclass(frozen=True, slots=True)
class Wrote:
    """The node, and the shape of what it gives."""

    node: Node
    shape: tuple[int, ...]


def node_of(w: Written) -> Wrote:
    """The node of an operator.

    Raises:
        UnsupportedError: NIR has none.
    """
    kind = w.op.kind
    if isinstance(kind, Linear):
        return _linear(w, kind)
    if isinstance(kind, Binary):
        return _elementwise(w, kind)
    if isinstance(kind, Conv):
        return _window(w, kind)
    if not isinstance(kind, Lif | If | Li | CubaLif):
        w.refuse("has no node")
    return Wrote(_neuron(w, kind), w.shape)


def _linear(w: Written, kind: Linear) -> Wrote:
    if kind != Linear() or len(w.places) > 3:
        w.refuse("is no plain product with a weight [outputs, inputs]")
    weight = w.weight(1).astype(np.float32)
    node: Node = {"type": "Linear", "weight": weight}
    if len(w.places) > 2 and w.places[2] is not None:
        node = {**node, "type": "Affine", "bias": w.weight(2).astype(np.float32)}
    return Wrote(node, (*w.shape[:-1], weight.shape[0]))


def _elementwise(w: Written, kind: Binary) -> Wrote:
    """A product is a Scale; x > limit is a Threshold."""
    name = {"mul": "Scale", "greater": "Threshold"}.get(kind.operator)
    values = w.weight(1)
    plain = kind == Binary(kind.operator)
    if name is None or not plain or values.ndim > len(w.shape):
        w.refuse(f"({kind.operator}) of shape {values.shape} is no Scale and no Threshold")
    whole = np.broadcast_to(values, w.shape).astype(np.float32)
    return Wrote({"type": name, name.lower(): whole}, w.shape)


def _window(w: Written, kind: Conv) -> Wrote:
    """Conv1d or Conv2d; a sum or mean of each channel alone is a pool."""
    weight, number = w.weight(1).astype(np.float32), len(kind.strides)
    if number not in (1, 2) or len(w.shape) != number + 1:
        w.refuse(f"of {number} dims over {w.shape}")
    if kind != replace(kind, function=Conv((), (), ()).function) or len(w.places) > 3:
        w.refuse("does more than convolve and add a bias")
    spatial = w.shape[1:]
    reach = [d * (k - 1) for d, k in zip(kind.dilations, weight.shape[2:], strict=True)]
    out = tuple(
        (size + low + high - r - 1) // step + 1
        for size, (low, high), r, step in zip(spatial, kind.pads, reach, kind.strides, strict=True)
    )
    has_bias = len(w.places) > 2 and w.places[2] is not None
    pool = _pool(w, kind, weight) if number == 2 and not has_bias else None
    if pool is not None:
        return Wrote(pool, (w.shape[0], *out))
    node: Node = {
        "type": f"Conv{number}d",
        "input_shape": np.array(spatial) if number == 2 else spatial[0],
        "weight": weight,
        "stride": np.array(kind.strides) if number == 2 else kind.strides[0],
        "dilation": np.array(kind.dilations) if number == 2 else kind.dilations[0],
        "groups": kind.groups,
        "bias": (w.weight(2) if has_bias else np.zeros(weight.shape[0])).astype(np.float32),
    }
    if all(low == high for low, high in kind.pads):
        node["padding"] = np.array([p for p, _ in kind.pads]) if number == 2 else kind.pads[0][0]
    elif kind.pads == tuple((r // 2, r - r // 2) for r in reach):
        node["padding"] = "same"
    else:
        w.refuse(f"pads {kind.pads}, and a node pads both ends alike")
    return Wrote(node, (weight.shape[0], *out))


def _pool(w: Written, kind: Conv, weight: Array) -> Node | None:
    alone = kind.groups == w.shape[0] == weight.shape[0] and weight.shape[1] == 1
    plain = all(low == high for low, high in kind.pads) and kind.dilations == (1, 1)
    one, value = np.float32(1.0), weight.reshape(-1)[0]
    mean = np.float32(1.0 / math.prod(weight.shape[2:]))
    if not (alone and plain and (weight == value).all() and value in (one, mean)):
        return None
    return {
        "type": "SumPool2d" if value == one else "AvgPool2d",
        "kernel_size": np.array(weight.shape[2:]),
        "stride": np.array(kind.strides),
        "padding": np.array([low for low, _ in kind.pads]),
    }


def _neuron(w: Written, kind: Lif | If | Li | CubaLif) -> Node:
    """The parameters of every neuron, and the discretisation as a note."""
    states = w.places[1 : place_of_each(kind)]
    kept = {op.inputs[0] for op, _ in w.graph.ops() if isinstance(op.kind, StateUpdate)}
    if any(place is not None and (place not in kept or w.graph[place].data) for place in states):
        w.refuse("is given first states, for which NIR has no word")
    rule = kind.rule
    if isinstance(kind, CubaLif):
        if len(kind.synapse_seconds) != 1:
            w.refuse(f"has {len(kind.synapse_seconds)} currents, and CubaLIF has one")
        rule = replace(rule, input_scale=kind_input(kind))
    name = _name(kind)
    if name == "I":
        scale = kind_scale(cast(Li, kind))
        node: Node = {"r": np.full(w.shape, scale / rule.dt_seconds)}
        rule = replace(rule, input_scale=scale)
    else:
        node = {key: _values(w, kind, ours) for key, ours in PARAMETERS[name].items()}
    if isinstance(kind, CubaLif):
        charge = np.array([rule.charge(float(t)) for t in node["tau_syn"].reshape(-1)])
        node["w_in"] = kind_input(kind) / charge.reshape(w.shape)
    return {"type": name, **node, "metadata": {"netwright": note_of(rule)}}


def kind_input(kind: CubaLif) -> float:
    """What a spike adds to the current."""
    return 1.0 if kind.rule.input_scale is None else kind.rule.input_scale


def kind_scale(kind: Li) -> float:
    """What an input of 1 adds to a membrane without leak."""
    return kind.rule.dt_seconds if kind.rule.input_scale is None else kind.rule.input_scale


def _name(kind: Lif | If | Li | CubaLif) -> str:
    if isinstance(kind, CubaLif):
        return "CubaLI" if kind.traced else "CubaLIF"
    if isinstance(kind, Li):
        return "I" if math.isinf(kind.tau_seconds) and not kind.each else "LI"
    return "IF" if isinstance(kind, If) else "LIF"


def _values(w: Written, kind: Lif | If | Li | CubaLif, name: str) -> Array:
    """One value of each neuron, in double precision."""
    if name in kind.each:
        values = w.weight(place_of_each(kind) + kind.each.index(name))
        return np.asarray(values, np.float64).reshape(w.shape)
    found: Any = kind.rule.reset_value if name == "reset_value" else getattr(kind, name)
    return np.full(w.shape, float(found[0] if is_of_receptors(kind, name) else found))
