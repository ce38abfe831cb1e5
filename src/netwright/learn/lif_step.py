"""One step of leaky integrate-and-fire neurons as numbers, as the fused kernels are told it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, final

from netwright.graph.ops.neuron import If, Lif
from netwright.graph.ops.neuron_rule import Reset
from netwright.learn.surrogate import Surrogate

Spiking: TypeAlias = Lif | If

# Reset of native/spikes/train_lif.hpp.
_RESETS = {
    (Reset.NONE, False): 0,
    (Reset.NONE, True): 0,
    (Reset.SUBTRACT, False): 1,
    (Reset.SUBTRACT, True): 2,
    (Reset.ZERO, False): 3,
    (Reset.VALUE, False): 3,
    (Reset.ZERO, True): 4,
    (Reset.VALUE, True): 4,
}


@final
@dataclass(frozen=True, slots=True)
class Gradient:
    """How the backward pass goes through a spike.

    `detach_reset`: nothing flows back through the reset. `through_time`: it flows back from step to
    step; else the membrane carried into a step is a constant (Meng et al., ICCV 2023, SLTT), and
    many steps in one call are the same as one call a step.
    """

    surrogate: Surrogate
    detach_reset: bool = False
    through_time: bool = True


@final
@dataclass(frozen=True, slots=True)
class Step:
    """u = decay v (less the threshold, for a delayed reset) + gain x + drive; what fires is reset.

    Decay and threshold are tensors, so they are not here. `reset` is the code that the kernels
    have for it, `included` whether a spike is at u >= threshold, else u > threshold.
    """

    gain: float
    drive: float
    reset_value: float
    reset: int
    included: bool
    gradient: Gradient


def step_of(kind: Spiking, gradient: Gradient) -> Step:
    """The step of a kind."""
    membrane, rule = kind.membrane(), kind.rule
    value = rule.reset_value if rule.reset is Reset.VALUE else 0.0
    code = _RESETS[rule.reset, rule.reset_delay]
    return Step(membrane.input, membrane.drive, value, code, rule.threshold_included, gradient)
