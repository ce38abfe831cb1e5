"""The operands of neurons: inputs, first states, parameters of each; checked, and run in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from netwright.errors import GraphError
from netwright.graph.op import OpKind, TensorType
from netwright.graph.ops.neuron_each import (
    TIMES,
    Neuron,
    alike,
    given_each,
    is_of_receptors,
    known_parameters,
    membranes,
    place_of_each,
)
from netwright.graph.ops.neuron_step import advance
from netwright.graph.ops.shape import count, expect, fail, optional

Array: TypeAlias = NDArray[Any]


def infer_neuron(
    kind: OpKind, as_neuron: Neuron, types: Sequence[TensorType | None]
) -> tuple[TensorType, ...]:
    """[T, B, n] and the states after the last step, from inputs and optional first states."""
    m = alike(as_neuron).membrane()
    receptors = max(1, len(m.decays))
    states = 1 + len(m.decays) + bool(m.rule.refractory_steps)
    differing = len(as_neuron.each)
    whole = receptors + states + differing
    count(kind, types, whole if differing else receptors, whole)
    x = _sequence(kind, types, receptors, bool(m.decays))
    for index in range(receptors):
        found = optional(types, index)
        if found is not None:
            expect(kind, f"input {index}", found.shape, x.shape)
            if found.element != "float":
                fail(kind, f"input {index} is {found.element}, expected float; cast it first")
    elements = ["float"] * (1 + len(m.decays)) + ["int"] * bool(m.rule.refractory_steps)
    for place, element in enumerate(elements):
        first = optional(types, receptors + place)
        if first is not None:
            expect(kind, f"state {place}", first.shape, x.shape[1:])
            if first.element != element:
                fail(kind, f"state {place} is {first.element}, expected {element}; cast it first")
    _check_each(kind, as_neuron, types, x)
    return (x, *(TensorType(x.shape[1:], element) for element in elements))


def _check_each(
    kind: OpKind, as_neuron: Neuron, types: Sequence[TensorType | None], x: TensorType
) -> None:
    """One float a neuron (and receptor) of every parameter that differs."""
    known, names = known_parameters(as_neuron), as_neuron.each
    if len(set(names)) != len(names) or not set(names) <= set(known):
        fail(kind, f"each is {names}, expected some of {known}, none twice")
    receptors = len(alike(as_neuron).membrane().decays)
    for index, name in enumerate(names):
        found = optional(types, place_of_each(as_neuron) + index)
        own = (receptors,) if is_of_receptors(as_neuron, name) else ()
        if found is None or found.element != "float":
            fail(kind, f"{name} of each neuron is missing, or no float")
        expect(kind, f"{name} of each neuron", found.shape, (*own, x.shape[2]))


def _sequence(
    kind: OpKind, types: Sequence[TensorType | None], receptors: int, may_lack: bool
) -> TensorType:
    """The type of the inputs. Of currents all may be absent: one step, nothing arrives."""
    given = [t for t in types[:receptors] if t is not None]
    if given:
        if len(given[0].shape) != 3:
            got = len(given[0].shape)
            fail(kind, f"the input has {got} dims, expected [steps, batch, neurons]")
        return given[0]
    first = optional(types, receptors)
    if not may_lack or first is None or len(first.shape) != 2:
        fail(kind, "has no input, and no currents with a first state [batch, neurons] in its place")
    return TensorType((1, *first.shape))


def reference_neuron(
    kind: Neuron, arrays: Sequence[Array | None], traced: bool
) -> tuple[Array, ...]:
    """Spikes (or the membrane) at every step, and the states after.

    Raises:
        GraphError: a time of a neuron is not above 0.
    """
    given = given_each(kind, arrays)
    for name in TIMES:
        if name in given and not (given[name] > 0).all():
            raise GraphError(f"{name} of neuron {int(given[name].argmin())}: expected above 0")
    m = membranes(kind, given)
    receptors = max(1, len(m.decays))
    number = 1 + len(m.decays) + bool(m.rule.refractory_steps)
    known = next((a.shape for a in arrays[:receptors] if a is not None), None)
    first = (*arrays[receptors : receptors + number], *([None] * number))[:number]
    if known is None:
        assert first[0] is not None
        known = (1, *first[0].shape)
    inputs = [np.zeros(known) if a is None else a for a in arrays[:receptors]]
    states = [np.zeros(known[1:]) if a is None else a for a in first]
    spikes, trace, after = advance(m, inputs, states)
    return (trace if traced else spikes, *after)
