"""Neurons that differ: parameters that are operands, one value a neuron.

A kind's `each` names them. They stand after the first states, in that order: [n], or [K, n] for
what a kind has of every receptor; their fields in the kind then say nothing. The coefficients of a
neuron are those of a population that has its values alone: both ways give the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, Protocol, TypeAlias, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from netwright.graph.ops.neuron_rule import Discretisation
from netwright.graph.ops.neuron_step import Membrane, Membranes

Array: TypeAlias = NDArray[Any]

PARAMETERS = (
    "tau_seconds", "synapse_seconds", "threshold", "leak", "resistance", "reset_value",
    "reversals", "drive",
)  # fmt: skip
TIMES = ("tau_seconds", "synapse_seconds")  # those that must be above 0


class Neuron(Protocol):
    """What every kind of neuron has."""

    @property
    def rule(self) -> Discretisation: ...
    @property
    def each(self) -> tuple[str, ...]: ...
    def membrane(self) -> Membrane: ...


AnyNeuron = TypeVar("AnyNeuron", bound=Neuron)


def alike(kind: AnyNeuron) -> AnyNeuron:
    """The kind as if its neurons were all the same: how many receptors and states it has."""
    return cast(AnyNeuron, replace(cast(Any, kind), each=())) if kind.each else kind


def known_parameters(kind: Neuron) -> tuple[str, ...]:
    """What `each` may name."""
    assert is_dataclass(kind)
    own = {f.name for f in fields(kind)} | {"reset_value"}
    return tuple(name for name in PARAMETERS if name in own)


def is_of_receptors(kind: Neuron, name: str) -> bool:
    """Whether a parameter has one value a receptor: its operand is [K, n]."""
    return isinstance(getattr(kind, name, None), tuple)


def place_of_each(kind: Neuron) -> int:
    """The index of the first operand that `each` names."""
    m = alike(kind).membrane()
    return max(1, len(m.decays)) + 1 + len(m.decays) + bool(m.rule.refractory_steps)


def given_each(kind: Neuron, arrays: Sequence[Array | None]) -> dict[str, Array]:
    """The operands that `each` names, by name."""
    first = place_of_each(kind)
    found = arrays[first : first + len(kind.each)]
    return {n: a for n, a in zip(kind.each, found, strict=True) if a is not None}


def membranes(kind: Neuron, given: Mapping[str, Array]) -> Membrane | Membranes:
    """The coefficients of a step: of all neurons at once, or of every one."""
    if not kind.each:
        return kind.membrane()
    parts = [np.atleast_2d(np.asarray(given[name], np.float64)) for name in kind.each]
    values, place = np.unique(np.concatenate(parts).T, axis=0, return_inverse=True)
    widths = [len(part) for part in parts]
    made = [_alone(kind, widths, [float(x) for x in row]).membrane() for row in values]
    place = place.reshape(-1)

    def of(name: str) -> Array:
        return np.array([getattr(m, name) for m in made], np.float64)[place]

    def many(name: str) -> tuple[Array, ...]:
        return tuple(np.moveaxis(of(name), -1, 0)) if getattr(made[0], name) else ()

    return Membranes(
        kind.rule, of("threshold"), of("reset_value"), of("decay"), of("drive"), of("input"),
        many("gains"), many("decays"), many("reversals"), of("rate"),
    )  # fmt: skip


def _alone(kind: Neuron, widths: Sequence[int], row: Sequence[float]) -> Neuron:
    """The kind with one neuron's values as its own."""
    changes: dict[str, Any] = {"each": ()}
    at = 0
    for name, width in zip(kind.each, widths, strict=True):
        values = tuple(row[at : at + width])
        at += width
        if name == "reset_value":
            changes["rule"] = replace(kind.rule, reset_value=values[0])
        else:
            changes[name] = values if is_of_receptors(kind, name) else values[0]
    return cast(Neuron, replace(cast(Any, kind), **changes))
