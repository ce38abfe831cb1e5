"""Point neurons over time: leaky and plain integrators, with and without synaptic currents.

Sequences are time first: inputs [T, B, n], states [B, n]. One step of a recurrent network is the
same operator with T = 1 and its states kept between calls.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.graph.op import Einsum, OpKind, TensorType
from netwright.graph.ops.neuron_cascade import neuron_cascade
from netwright.graph.ops.neuron_rule import Discretisation
from netwright.graph.ops.neuron_step import Membrane, advance
from netwright.graph.ops.shape import count, expect, fail, optional

Array: TypeAlias = NDArray[Any]

PLAIN = Discretisation()


def infer_neuron(
    kind: OpKind, m: Membrane, types: Sequence[TensorType | None]
) -> tuple[TensorType, ...]:
    """[T, B, n] and the states after the last step, from inputs and optional first states."""
    receptors = max(1, len(m.decays))
    states = 1 + len(m.decays) + bool(m.rule.refractory_steps)
    count(kind, types, receptors, receptors + states)
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
    return (x, *(TensorType(x.shape[1:], element) for element in elements))


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
    m: Membrane, arrays: Sequence[Array | None], traced: bool
) -> tuple[Array, ...]:
    """Spikes (or the membrane) at every step, and the states after."""
    receptors = max(1, len(m.decays))
    number = 1 + len(m.decays) + bool(m.rule.refractory_steps)
    known = next((a.shape for a in arrays[:receptors] if a is not None), None)
    given = (*arrays[receptors:], *([None] * number))[:number]
    if known is None:
        assert given[0] is not None
        known = (1, *given[0].shape)
    inputs = [np.zeros(known) if a is None else a for a in arrays[:receptors]]
    states = [np.zeros(known[1:]) if a is None else a for a in given]
    spikes, trace, after = advance(m, inputs, states)
    return (trace if traced else spikes, *after)


@final
@dataclass(frozen=True, slots=True)
class Lif(OpKind):
    """`tau dv/dt = leak - v + resistance x`; a spike where v passes the threshold.

    Inputs: x [T,B,n], v0 [B,n] or None, refractory0 int [B,n] or None (where the rule has a
    refractory time). Outputs: spikes [T,B,n], v after, refractory after.
    """

    tau_seconds: float
    threshold: float = 1.0
    rule: Discretisation = PLAIN
    leak: float = 0.0
    resistance: float = 1.0

    def membrane(self) -> Membrane:
        """The coefficients of a step."""
        rule, charge = self.rule, self.rule.charge(self.tau_seconds)
        scale = self.resistance * charge if rule.input_scale is None else rule.input_scale
        decay = rule.decay(self.tau_seconds)
        return Membrane(rule, self.threshold, decay, charge * self.leak, scale)

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        if self.rule.input_after:
            fail(self, "input_after needs a synaptic current (CubaLif) to hold the input")
        return infer_neuron(self, self.membrane(), types)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return neuron_cascade(self.membrane(), types, outputs, traced=False)

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        return reference_neuron(self.membrane(), arrays, traced=False)


@final
@dataclass(frozen=True, slots=True)
class If(OpKind):
    """`dv/dt = resistance x`, without leak. Inputs and outputs as Lif."""

    threshold: float = 1.0
    rule: Discretisation = PLAIN
    resistance: float = 1.0

    def membrane(self) -> Membrane:
        """The coefficients of a step."""
        rule = self.rule
        natural = self.resistance * rule.dt_seconds
        scale = natural if rule.input_scale is None else rule.input_scale
        return Membrane(rule, self.threshold, 1.0, 0.0, scale)

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        if self.rule.input_after:
            fail(self, "input_after needs a synaptic current (CubaLif) to hold the input")
        return infer_neuron(self, self.membrane(), types)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return neuron_cascade(self.membrane(), types, outputs, traced=False)

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        return reference_neuron(self.membrane(), arrays, traced=False)


@final
@dataclass(frozen=True, slots=True)
class Li(OpKind):
    """As Lif without spikes: a readout. Outputs: v after every step [T,B,n], v after [B,n]."""

    tau_seconds: float
    rule: Discretisation = PLAIN
    leak: float = 0.0
    resistance: float = 1.0

    def membrane(self) -> Membrane:
        """The coefficients of a step."""
        rule, charge = self.rule, self.rule.charge(self.tau_seconds)
        scale = self.resistance * charge if rule.input_scale is None else rule.input_scale
        return Membrane(rule, math.inf, rule.decay(self.tau_seconds), charge * self.leak, scale)

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        if self.rule.refractory_steps or self.rule.input_after:
            fail(self, "a readout has no refractory time and feels its input at once")
        return infer_neuron(self, self.membrane(), types)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return neuron_cascade(self.membrane(), types, outputs, traced=True)

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        return reference_neuron(self.membrane(), arrays, traced=True)


@final
@dataclass(frozen=True, slots=True)
class CubaLif(OpKind):
    """Lif driven by currents, one a receptor: `di_k/dt = -i_k / synapse_k`, i_k jumps by x_k.

    `tau dv/dt = leak - v + resistance sum_k i_k`. Inputs: x_1 .. x_K [T,B,n] (None: nothing
    arrives but what the first current holds), then first states or None: v, i_1 .. i_K [B,n],
    refractory int (where the rule has one). Outputs: spikes [T,B,n] and the states after.
    `traced`: the membrane at every step in place of the spikes (CubaLI of NIR).
    """

    tau_seconds: float
    synapse_seconds: tuple[float, ...]
    threshold: float = 1.0
    rule: Discretisation = PLAIN
    leak: float = 0.0
    resistance: float = 1.0
    traced: bool = False

    def membrane(self) -> Membrane:
        """The coefficients of a step."""
        rule, tau = self.rule, self.tau_seconds
        return Membrane(
            rule,
            self.threshold,
            rule.decay(tau),
            rule.charge(tau) * self.leak,
            1.0 if rule.input_scale is None else rule.input_scale,
            tuple(self.resistance * rule.coupling(tau, s) for s in self.synapse_seconds),
            tuple(rule.decay(s) for s in self.synapse_seconds),
        )

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        if not self.synapse_seconds:
            fail(self, "has no receptor; give at least one synapse time or use Lif")
        return infer_neuron(self, self.membrane(), types)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return neuron_cascade(self.membrane(), types, outputs, self.traced)

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        return reference_neuron(self.membrane(), arrays, self.traced)


@final
@dataclass(frozen=True, slots=True)
class CobaLif(OpKind):
    """Lif driven by conductances (in units of the leak's), by exponential Euler.

    `tau dv/dt = leak - v + drive + sum_k g_k (reversal_k - v)`, `dg_k/dt = -g_k / synapse_k`, g_k
    jumps by x_k. Within a step conductances are taken as they are at its start. Inputs and outputs
    as CubaLif. Source: Vogels and Abbott (2005), as in Brette et al. (2007), benchmark 1.
    """

    tau_seconds: float
    synapse_seconds: tuple[float, ...]
    reversals: tuple[float, ...]
    threshold: float = 1.0
    rule: Discretisation = PLAIN
    leak: float = 0.0
    drive: float = 0.0

    def membrane(self) -> Membrane:
        """The coefficients of a step."""
        rule = self.rule
        return Membrane(
            rule,
            self.threshold,
            0.0,
            self.leak + self.drive,
            1.0 if rule.input_scale is None else rule.input_scale,
            (),
            tuple(rule.decay(s) for s in self.synapse_seconds),
            self.reversals,
            rule.dt_seconds / self.tau_seconds,
        )

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        if not self.synapse_seconds or len(self.synapse_seconds) != len(self.reversals):
            fail(
                self,
                f"has {len(self.synapse_seconds)} synapse times and {len(self.reversals)} reversal "
                "potentials, expected as many of each, at least one",
            )
        return infer_neuron(self, self.membrane(), types)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return neuron_cascade(self.membrane(), types, outputs, traced=False)

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        return reference_neuron(self.membrane(), arrays, traced=False)
