"""The neurons of NIR as operators: one value of a parameter where all have it, else one of each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from netwright.errors import FormatError
from netwright.frontends.nir_file import NirNode
from netwright.frontends.nir_note import noted_rule
from netwright.frontends.nir_scope import Array, Scope, array_of
from netwright.graph.format import FP32, FP64, INT32
from netwright.graph.ops.elementwise import Binary
from netwright.graph.ops.neuron import CubaLif, If, Li, Lif
from netwright.graph.ops.neuron_each import TIMES, alike, is_of_receptors
from netwright.graph.ops.neuron_rule import Discretisation, Method, Reset
from netwright.graph.tensor import TensorId

Kind: TypeAlias = If | Li | Lif | CubaLif

# NIR's name of a parameter → ours.
_LEAKY = {"tau": "tau_seconds", "v_leak": "leak", "r": "resistance"}
_FIRING = {"v_threshold": "threshold", "v_reset": "reset_value"}
_SYNAPTIC = {
    "tau_mem": "tau_seconds", "tau_syn": "synapse_seconds", "v_leak": "leak", "r": "resistance",
}  # fmt: skip
PARAMETERS: Mapping[str, Mapping[str, str]] = {
    "IF": {"r": "resistance", **_FIRING},
    "LI": _LEAKY,
    "LIF": {**_LEAKY, **_FIRING},
    "CubaLI": _SYNAPTIC,
    "CubaLIF": {**_SYNAPTIC, **_FIRING},
}
NEURONS = ("I", *PARAMETERS)


def of_neurons(node: NirNode, key: str, inner: tuple[int, ...], where: str) -> Array:
    """The values of a parameter, one of each neuron [n].

    Raises:
        FormatError: there are none, or they do not fit the neurons.
    """
    values = array_of(node, key, where)
    try:
        return np.broadcast_to(values, inner).reshape(-1)
    except ValueError:
        raise FormatError(
            f"{where}: node {node.name!r}: {key} has shape {values.shape}, its input {inner}"
        ) from None


def neuron(scope: Scope, node: NirNode, x: TensorId, where: str) -> TensorId:
    """IF, LI, LIF, CubaLI and CubaLIF: neurons lie flat while they run."""
    rule, inner = _rule(scope, node, where), scope.inner(x)
    one: dict[str, Any] = {}
    each: dict[str, Array] = {}
    for key, name in PARAMETERS[node.type].items():
        if key == "v_reset" and key not in node.values:
            continue
        values = of_neurons(node, key, inner, where)
        if name in TIMES and not (values > 0.0).all():
            raise FormatError(
                f"{where}: node {node.name!r}: {key} is {values.min()}, expected above 0"
            )
        if (values == values[0]).all():
            one[name] = float(values[0])
        else:
            each[name] = values
    rule = replace(rule, reset_value=one.pop("reset_value", rule.reset_value))
    if node.type.startswith("Cuba"):
        x, rule = _jump(scope, node, x, rule, where)
    return _run(scope, node, x, _kind(node.type, one, rule), each)


def integrator(scope: Scope, node: NirNode, x: TensorId, where: str) -> TensorId:
    """I: Li with an endless time constant."""
    rule = _rule(scope, node, where)
    r = of_neurons(node, "r", scope.inner(x), where)
    if (r != r[0]).any():
        x = _times(scope, node, x, "r", where)
    elif rule.input_scale is None:
        rule = replace(rule, input_scale=float(r[0]) * rule.dt_seconds)
    if rule.input_scale is None:
        rule = replace(rule, input_scale=rule.dt_seconds)
    return _run(scope, node, x, Li(math.inf, rule), {})


def _kind(name: str, one: dict[str, Any], rule: Discretisation) -> Kind:
    """What differs keeps a value that says nothing: 1."""
    if name == "IF":
        return If(rule=rule, **one)
    if name in ("LI", "LIF"):
        return (Li if name == "LI" else Lif)(one.pop("tau_seconds", 1.0), rule=rule, **one)
    synapse = (one.pop("synapse_seconds", 1.0),)
    if name == "CubaLI":
        one |= {"threshold": math.inf, "traced": True}
    return CubaLif(one.pop("tau_seconds", 1.0), synapse, rule=rule, **one)


def _jump(
    scope: Scope, node: NirNode, x: TensorId, rule: Discretisation, where: str
) -> tuple[TensorId, Discretisation]:
    """dI/dt = (-I + w_in S) / tau_syn: a spike adds w_in (1 - exp(-dt / tau_syn))."""
    if rule.input_scale is not None:
        return x, rule  # our own note says what it adds
    inner = scope.inner(x)
    values = of_neurons(node, "w_in", inner, where) if "w_in" in node.values else np.ones(1)
    synapse = of_neurons(node, "tau_syn", inner, where)
    if (values == values[0]).all() and (synapse == synapse[0]).all():
        scale = float(values[0]) * rule.charge(float(synapse[0]))
        return x, replace(rule, input_scale=scale)
    charge = np.array([rule.charge(float(tau)) for tau in synapse])
    by = scope.constant(f"{node.name}.jump", (values * charge).reshape(inner))
    return scope.builder.add(Binary("mul"), (x, by)), replace(rule, input_scale=1.0)


def _rule(scope: Scope, node: NirNode, where: str) -> Discretisation:
    rule = Discretisation(scope.dt_seconds, Method.EXACT, Reset.VALUE)
    if node.note is None:
        return rule
    return noted_rule(node.note, rule, f"{where}: node {node.name!r}")


def _times(scope: Scope, node: NirNode, x: TensorId, key: str, where: str) -> TensorId:
    """The input times what differs between neurons."""
    by = scope.constant(f"{node.name}.{key}", array_of(node, key, where))
    return scope.builder.add(Binary("mul"), (x, by))


def _run(
    scope: Scope, node: NirNode, x: TensorId, kind: Kind, each: Mapping[str, Array]
) -> TensorId:
    """The neurons; step by step their states are kept."""
    inner, b = scope.inner(x), scope.builder
    size = math.prod(inner)
    kind = replace(kind, each=tuple(each))
    flat = x if len(inner) == 1 else scope.reshape(x, (scope.steps, scope.batch, size))
    m = alike(kind).membrane()
    names = ["v", *(f"i{k}" for k in range(len(m.decays)))]
    names += ["left"] * bool(m.rule.refractory_steps)
    first = [scope.state(f"{node.name}.{name}", size, name == "left") for name in names]
    own: list[TensorId] = []
    for name, values in each.items():
        values = values[None] if is_of_receptors(kind, name) else values
        dims = [(f"d{k}", extent) for k, extent in enumerate(values.shape)]
        own.append(b.weight(f"{node.name}.{name}", dims, FP64, values))
    operands = (flat, *first, *own) if own or any(first) else (flat,)
    formats = [INT32 if name == "left" else FP32 for name in ("y", *names)]
    made, *after = b.add_all(kind, operands, node.name, formats)
    scope.keep(first, after)
    return made if len(inner) == 1 else scope.reshape(made, (scope.steps, scope.batch, *inner))
