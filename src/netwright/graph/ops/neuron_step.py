"""Membranes as coefficients of a step, and the steps in plain numpy: what every kernel must equal.

Legend: v membrane, i current or conductance of a receptor, x input, s spikes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.graph.ops.neuron_rule import Discretisation, Reset

Array: TypeAlias = NDArray[Any]


@final
@dataclass(frozen=True, slots=True)
class Membrane:
    """One step of a linear neuron: `v = decay v + input x + drive`, or with receptors
    `i_k += input x_k; v = decay v + sum gains_k i_k + drive; i_k = decays_k i_k`.

    With `reversals` receptors are conductances: `total = 1 + sum i_k`,
    `v = u + (v - u) exp(-rate total)`, `u = (drive + sum reversals_k i_k) / total`.
    """

    rule: Discretisation
    threshold: float  # infinite: never a spike
    decay: float
    drive: float
    input: float
    gains: tuple[float, ...] = ()
    decays: tuple[float, ...] = ()
    reversals: tuple[float, ...] = ()
    rate: float = 0.0

    @property
    def reset_value(self) -> float:
        """What a spike sets the membrane to, where the rule's reset does."""
        return self.rule.reset_value if self.rule.reset is Reset.VALUE else 0.0


@final
@dataclass(frozen=True, slots=True, eq=False)
class Membranes:
    """As Membrane, of neurons that differ: every coefficient is an array [n]."""

    rule: Discretisation
    threshold: Array
    reset_value: Array
    decay: Array
    drive: Array
    input: Array
    gains: tuple[Array, ...]
    decays: tuple[Array, ...]
    reversals: tuple[Array, ...]
    rate: Array


Number: TypeAlias = float | Array


def above(rule: Discretisation, v: Array, threshold: Number) -> Array:
    """Spikes of this step, as numbers."""
    if rule.most_spikes != 1:
        most = np.inf if rule.most_spikes == 0 else rule.most_spikes
        quanta = v / threshold
        whole = np.floor(quanta) if rule.threshold_included else np.ceil(quanta) - 1.0
        return np.clip(whole, 0.0, most)
    return ((v >= threshold) if rule.threshold_included else (v > threshold)).astype(np.float64)


def after_reset(m: Membrane | Membranes, v: Array, s: Array) -> Array:
    """The membrane once its spikes have reset it."""
    if m.rule.reset is Reset.NONE:
        return v
    if m.rule.reset is Reset.SUBTRACT:
        # Who can never fire has no threshold to take off: infinity times 0 is no number.
        return np.where(s > 0, v - s * np.where(np.isinf(m.threshold), 0.0, m.threshold), v)
    return np.where(s > 0, m.reset_value, v)


def _integrated(
    m: Membrane | Membranes, v: Array, x: Array, currents: list[Array], inputs: list[Array]
) -> Array:
    """The membrane before the comparison; `currents` are brought to the end of the step."""
    if not m.decays:
        return m.decay * v + m.input * x + m.drive
    if not m.rule.input_after:
        for k, jump in enumerate(inputs):
            currents[k] = currents[k] + m.input * jump
    if m.reversals:
        total, pull = (
            1.0 + sum(currents),
            m.drive + sum(e * i for e, i in zip(m.reversals, currents, strict=True)),
        )
        rest = pull / total
        fresh = rest + (v - rest) * np.exp(-m.rate * total)
    else:
        fresh = m.decay * v + m.drive
        for gain, current in zip(m.gains, currents, strict=True):
            fresh = fresh + gain * current
    for k, decay in enumerate(m.decays):
        currents[k] = decay * currents[k]
        if m.rule.input_after:
            currents[k] = currents[k] + m.input * inputs[k]
    return fresh


def advance(
    m: Membrane | Membranes, inputs: Sequence[Array], states: Sequence[Array]
) -> tuple[Array, Array, list[Array]]:
    """Steps over inputs [T, B, n] (one a receptor, at least one).

    `states` [B, n]: membrane, a current for each receptor, steps left in refractory (where the
    rule has them). → spikes [T, B, n], membranes after each step [T, B, n], the states after.
    """
    rule, number = m.rule, len(m.decays)
    v, currents = (
        states[0].astype(np.float64),
        [s.astype(np.float64) for s in states[1 : 1 + number]],
    )
    left = states[1 + number].astype(np.int64) if rule.refractory_steps else None
    spikes, trace = np.zeros(inputs[0].shape), np.zeros(inputs[0].shape)
    for step in range(inputs[0].shape[0]):
        given = [x[step] for x in inputs]
        past = above(rule, v, m.threshold) if rule.reset_delay else np.zeros_like(v)
        if rule.reset_delay and rule.reset is not Reset.SUBTRACT:
            v = after_reset(m, v, past)
        fresh = _integrated(m, v, given[0], currents, given)
        if rule.reset_delay and rule.reset is Reset.SUBTRACT:
            fresh = after_reset(m, fresh, past)
        if left is not None:
            fresh = np.where(left > 0, v, fresh)
        s = above(rule, fresh, m.threshold)
        if left is not None:
            s = np.where(left > 0, 0.0, s)
            left = np.where(s > 0, rule.refractory_steps, np.maximum(left - 1, 0))
        v = fresh if rule.reset_delay else after_reset(m, fresh, s)
        spikes[step], trace[step] = s, v
    return spikes, trace, [v, *currents, *([] if left is None else [left])]
