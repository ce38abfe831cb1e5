"""How a continuous neuron becomes steps: the discretisation, as data.

Libraries differ in nothing else, so their conventions are values of this record:

| library | method, reset | and |
|---|---|---|
| snnTorch `Leaky` | subtract | `reset_delay` True by default, `input_scale` 1 |
| SpikingJelly `LIFNode` | Euler, zero | `threshold_included`; no `decay_input`: `input_scale` 1 |
| Sinabs `LIF` | exact, subtract | `threshold_included`, `most_spikes` 0; no `norm_input`: scale 1 |
| Norse `LIFBoxCell` | Euler, value | |
| NEST, Brian2 | exact, value | `refractory_steps`; a spike's jump is felt in the next step |
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import final

from netwright.errors import GraphError


@final
class Method(Enum):
    """How the membrane's linear equation is solved over a step."""

    EXACT = "exact"  # its propagator: exp(-dt / tau)
    EULER = "euler"  # 1 - dt / tau


@final
class Reset(Enum):
    """What a spike does to the membrane."""

    NONE = "none"
    SUBTRACT = "subtract"  # the threshold is taken off, for each spike
    ZERO = "zero"
    VALUE = "value"  # set to `reset_value`


@final
@dataclass(frozen=True, slots=True)
class Discretisation:
    """One convention. A step: input, membrane, comparison, reset, refractory count.

    `input_scale` multiplies the input (of CubaLif: the jump of its current), `current_scale` what
    a synaptic current adds to the membrane; None: what the method says. `reset_delay`: the reset
    of a spike is made at the start of the next step, after the decay (SUBTRACT) or before it.
    `threshold_included`: a spike at v >= threshold, else at v > threshold. A neuron holds its
    membrane for `refractory_steps` steps after a spike. `input_after`: a jump is felt by the
    membrane from the next step on. `most_spikes` of one step: 0 is no limit.
    """

    dt_seconds: float = 1e-3
    method: Method = Method.EXACT
    reset: Reset = Reset.ZERO
    reset_value: float = 0.0
    reset_delay: bool = False
    threshold_included: bool = False
    refractory_steps: int = 0
    input_scale: float | None = None
    current_scale: float | None = None
    input_after: bool = False
    most_spikes: int = 1

    def __post_init__(self) -> None:
        if not (self.dt_seconds > 0 and math.isfinite(self.dt_seconds)):
            raise GraphError(f"dt is {self.dt_seconds} s, expected a time above 0")
        if self.refractory_steps < 0 or self.most_spikes < 0:
            raise GraphError(
                f"refractory_steps is {self.refractory_steps} and most_spikes {self.most_spikes}; "
                "neither can be negative"
            )
        if self.most_spikes != 1 and (self.reset_delay or self.reset is not Reset.SUBTRACT):
            raise GraphError("several spikes a step need a reset that subtracts, without delay")
        if self.reset_delay and self.refractory_steps:
            raise GraphError("a delayed reset and a refractory time exclude each other")

    def decay(self, tau_seconds: float) -> float:
        """What is left of a value after a step."""
        ratio = self.dt_seconds / tau_seconds
        return math.exp(-ratio) if self.method is Method.EXACT else 1.0 - ratio

    def charge(self, tau_seconds: float) -> float:
        """What a constant input of 1 adds in a step."""
        ratio = self.dt_seconds / tau_seconds
        return -math.expm1(-ratio) if self.method is Method.EXACT else ratio

    def coupling(self, tau_seconds: float, synapse_seconds: float) -> float:
        """What a decaying current, 1 at the start of the step, adds to the membrane in it."""
        if self.current_scale is not None:
            return self.current_scale
        if self.method is Method.EULER:
            return self.dt_seconds / tau_seconds
        if math.isclose(tau_seconds, synapse_seconds, rel_tol=1e-9):
            return self.dt_seconds / tau_seconds * self.decay(tau_seconds)
        share = synapse_seconds / (synapse_seconds - tau_seconds)
        return share * (self.decay(synapse_seconds) - self.decay(tau_seconds))
