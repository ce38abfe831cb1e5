"""The coefficients of a neuron as a cascade reads them: numbers, or einsums over the neurons.

The formulas are those of `Lif.membrane` and its like, over operands in place of numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast, final

from netwright.graph.op import Access
from netwright.graph.ops.cascade import access
from netwright.graph.ops.neuron_cascade_writer import Value, Writer
from netwright.graph.ops.neuron_each import Neuron, alike, is_of_receptors, place_of_each
from netwright.graph.ops.neuron_rule import Discretisation, Method, Reset

_CLOSE = 1e-9  # relative: two times that are taken as one (`Discretisation.coupling`)


@final
@dataclass(frozen=True, slots=True)
class Coefficients:
    """As Membrane; what differs between neurons is the access of a value of each."""

    rule: Discretisation
    threshold: Value
    reset_value: Value
    decay: Value
    drive: Value
    input: Value
    gains: tuple[Value, ...]
    decays: tuple[Value, ...]
    reversals: tuple[Value, ...]
    rate: Value


def coefficients(w: Writer, kind: Neuron) -> Coefficients:
    """Numbers where neurons are alike; else einsums that make them of the operands."""
    m = alike(kind).membrane()
    one = Coefficients(
        m.rule, m.threshold, m.reset_value, m.decay, m.drive, m.input, m.gains, m.decays,
        m.reversals, m.rate,
    )  # fmt: skip
    return _Each(w, kind).coefficients(one) if kind.each else one


class _Each:
    """Writes what differs."""

    def __init__(self, w: Writer, kind: Neuron) -> None:
        self.w, self.kind, self.rule = w, kind, kind.rule
        first = place_of_each(kind)
        self.place: Mapping[str, int] = {n: first + i for i, n in enumerate(kind.each)}
        name = kind.each[0]
        self.any = access(first, (0, "n") if is_of_receptors(kind, name) else ("n",))

    def coefficients(self, one: Coefficients) -> Coefficients:
        """All of them, those that cannot differ as they are."""
        w, receptors = self.w, len(one.decays)
        synapses = [self.parameter("synapse_seconds", k) for k in range(receptors)]
        decays = tuple(self.decay(s) for s in synapses) or one.decays
        threshold, reset = self.parameter("threshold"), one.reset_value
        threshold = one.threshold if threshold is None else threshold
        if self.rule.reset is Reset.VALUE and "reset_value" in self.place:
            reset = self.parameter("reset_value")
        tau = self.parameter("tau_seconds")
        if tau is None:  # If: no leak at all
            scale = one.input
            if self.rule.input_scale is None:
                scale = w.of_neuron(
                    "scale", self.parameter("resistance"), parameters=(self.rule.dt_seconds, 0.0)
                )
            return Coefficients(
                one.rule, threshold, reset, one.decay, one.drive, scale, (), (), (), one.rate
            )
        decay, charge = self.decay(tau), self.charge(tau)
        leak = self.parameter("leak")
        if one.reversals:
            drive = w.of_neuron("add", leak, self.parameter("drive"))
            reversals = tuple(self.parameter("reversals", k) for k in range(receptors))
            return Coefficients(
                one.rule, threshold, reset, one.decay, drive, one.input, (), decays, reversals,
                self.over(self.rule.dt_seconds, tau),
            )  # fmt: skip
        resistance, drive = self.parameter("resistance"), w.of_neuron("mul", charge, leak)
        gains = tuple(w.of_neuron("mul", resistance, self.coupling(tau, s)) for s in synapses)
        scale: Value = one.input
        if not receptors and self.rule.input_scale is None:
            scale = w.of_neuron("mul", resistance, charge)
        return Coefficients(
            one.rule, threshold, reset, decay, drive, scale, gains, decays, (), one.rate
        )

    def parameter(self, name: str, receptor: int = 0) -> Any:
        """The value of each neuron; None where the kind has no such parameter."""
        many = is_of_receptors(self.kind, name)
        if name in self.place:
            return access(self.place[name], (receptor, "n") if many else ("n",))
        found = cast(Any, getattr(self.kind, name, None))
        return None if found is None else self.constant(float(found[receptor] if many else found))

    def constant(self, value: float) -> Access:
        return self.w.of_neuron("scale", self.any, parameters=(0.0, value))

    def over(self, value: float, tau: Access) -> Access:
        return self.w.of_neuron("div", self.constant(value), tau)

    def decay(self, tau: Access) -> Access:
        ratio = self.over(-self.rule.dt_seconds, tau)
        if self.rule.method is Method.EXACT:
            return self.w.of_neuron("exp", ratio)
        return self.w.of_neuron("scale", ratio, parameters=(1.0, 1.0))

    def charge(self, tau: Access) -> Access:
        return self.w.of_neuron("scale", self.decay(tau), parameters=(-1.0, 1.0))

    def coupling(self, tau: Access, synapse: Access) -> Access:
        """`Discretisation.coupling`, both of its cases computed and one taken."""
        w, rule = self.w, self.rule
        if rule.current_scale is not None:
            return self.constant(rule.current_scale)
        if rule.method is Method.EULER:
            return self.over(rule.dt_seconds, tau)
        apart = w.of_neuron("sub", synapse, tau)
        larger = w.of_neuron("max", synapse, tau)
        size = w.of_neuron("max", apart, w.of_neuron("scale", apart, parameters=(-1.0, 0.0)))
        close = w.of_neuron(
            "greater_equal", w.of_neuron("scale", larger, parameters=(_CLOSE, 0.0)), size
        )
        share = w.of_neuron("div", synapse, w.of_neuron("add", apart, close))
        far = w.of_neuron("mul", share, w.of_neuron("sub", self.decay(synapse), self.decay(tau)))
        near = w.of_neuron("mul", self.over(rule.dt_seconds, tau), self.decay(tau))
        kept = w.of_neuron("mul", far, w.of_neuron("scale", close, parameters=(-1.0, 1.0)))
        return w.of_neuron("add", kept, w.of_neuron("mul", near, close))
