"""Point neurons over time: leaky and plain integrators, with and without synaptic currents.

Sequences are time first: inputs [T, B, n], states [B, n]. One step of a recurrent network is the
same operator with T = 1 and its states kept between calls. What `each` of a kind names is an
operand, one value a neuron, after the states (`neuron_each`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

from numpy.typing import NDArray

from netwright.errors import GraphError
from netwright.graph.op import Einsum, OpKind, TensorType
from netwright.graph.ops.neuron_cascade import neuron_cascade
from netwright.graph.ops.neuron_operands import infer_neuron, reference_neuron
from netwright.graph.ops.neuron_rule import Discretisation
from netwright.graph.ops.neuron_step import Membrane
from netwright.graph.ops.shape import fail

Array: TypeAlias = NDArray[Any]

PLAIN = Discretisation()


def refuse_each(each: tuple[str, ...]) -> None:
    """One number cannot stand for neurons that differ.

    Raises:
        GraphError: they do.
    """
    if each:
        raise GraphError(f"neurons differ in {', '.join(each)}; one value for all was expected")


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
    each: tuple[str, ...] = ()

    def membrane(self) -> Membrane:
        """The coefficients of a step.

        Raises:
            GraphError: neurons differ; `neuron_each.membranes` has those of each.
        """
        refuse_each(self.each)
        rule, charge = self.rule, self.rule.charge(self.tau_seconds)
        scale = self.resistance * charge if rule.input_scale is None else rule.input_scale
        decay = rule.decay(self.tau_seconds)
        return Membrane(rule, self.threshold, decay, charge * self.leak, scale)

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        if self.rule.input_after:
            fail(self, "input_after needs a synaptic current (CubaLif) to hold the input")
        return infer_neuron(self, self, types)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return neuron_cascade(self, types, outputs, traced=False)

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        return reference_neuron(self, arrays, traced=False)


@final
@dataclass(frozen=True, slots=True)
class If(OpKind):
    """`dv/dt = resistance x`, without leak. Inputs and outputs as Lif."""

    threshold: float = 1.0
    rule: Discretisation = PLAIN
    resistance: float = 1.0
    each: tuple[str, ...] = ()

    def membrane(self) -> Membrane:
        """The coefficients of a step.

        Raises:
            GraphError: neurons differ; `neuron_each.membranes` has those of each.
        """
        refuse_each(self.each)
        rule = self.rule
        natural = self.resistance * rule.dt_seconds
        scale = natural if rule.input_scale is None else rule.input_scale
        return Membrane(rule, self.threshold, 1.0, 0.0, scale)

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        if self.rule.input_after:
            fail(self, "input_after needs a synaptic current (CubaLif) to hold the input")
        return infer_neuron(self, self, types)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return neuron_cascade(self, types, outputs, traced=False)

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        return reference_neuron(self, arrays, traced=False)


@final
@dataclass(frozen=True, slots=True)
class Li(OpKind):
    """As Lif without spikes: a readout. Outputs: v after every step [T,B,n], v after [B,n]."""

    tau_seconds: float
    rule: Discretisation = PLAIN
    leak: float = 0.0
    resistance: float = 1.0
    each: tuple[str, ...] = ()

    def membrane(self) -> Membrane:
        """The coefficients of a step.

        Raises:
            GraphError: neurons differ; `neuron_each.membranes` has those of each.
        """
        refuse_each(self.each)
        rule, charge = self.rule, self.rule.charge(self.tau_seconds)
        scale = self.resistance * charge if rule.input_scale is None else rule.input_scale
        return Membrane(rule, math.inf, rule.decay(self.tau_seconds), charge * self.leak, scale)

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        if self.rule.refractory_steps or self.rule.input_after:
            fail(self, "a readout has no refractory time and feels its input at once")
        return infer_neuron(self, self, types)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return neuron_cascade(self, types, outputs, traced=True)

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        return reference_neuron(self, arrays, traced=True)


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
    each: tuple[str, ...] = ()

    def membrane(self) -> Membrane:
        """The coefficients of a step.

        Raises:
            GraphError: neurons differ; `neuron_each.membranes` has those of each.
        """
        refuse_each(self.each)
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
        return infer_neuron(self, self, types)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return neuron_cascade(self, types, outputs, self.traced)

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        return reference_neuron(self, arrays, self.traced)


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
    each: tuple[str, ...] = ()

    def membrane(self) -> Membrane:
        """The coefficients of a step.

        Raises:
            GraphError: neurons differ; `neuron_each.membranes` has those of each.
        """
        refuse_each(self.each)
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
        return infer_neuron(self, self, types)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return neuron_cascade(self, types, outputs, traced=False)

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        return reference_neuron(self, arrays, traced=False)
