"""Measured table: what the kernel took at other sizes, as a sum of terms and their residual."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import final

import numpy as np
from numpy.typing import NDArray

from netwright.cost.cost import Cost, Setting
from netwright.cost.hierarchy import origin
from netwright.cost.kriging import Field, field
from netwright.cost.least_squares import non_negative
from netwright.cost.roofline import (
    bound_seconds,
    energy_joules,
    ideal_seconds,
    overhead_seconds,
    roofline,
)
from netwright.cost.work import TrafficKind, Work
from netwright.machine.machine import Machine, Unit
from netwright.machine.table import Regime, Table
from netwright.timeline.timeline import Interval

ORDER = (Regime.WARM, Regime.CACHED, Regime.COLD)  # from the nearest memory to the furthest

CONFIDENCE = 0.9
DEVIATIONS = 1.645  # of a normal distribution, for CONFIDENCE
LEAST_SPREAD = 0.03  # no interval is narrower: repeats on a shared machine differ by so much
OTHER_VARIANT = 2.0  # how much wider the interval is when another variant's table must do
FEW = 4  # a table of fewer points cannot be tested on itself,
FEW_POINTS = 0.3  # and has this deviation in logarithms


@final
@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A table as a sum of terms and what is left over.

    `seconds ~ sum_s coefficients[s] * product of the sizes in s`, over all subsets s of the sizes,
    with no coefficient negative: a fixed cost, and one term for each array that a kernel walks
    (for a product of T, K, N: T K N arithmetic, K N weights, T K inputs, T N outputs). The
    logarithm of the ratio of measured to modelled is a field over the logarithms of the sizes.
    `least_deviation` is that of log seconds at a point itself.
    """

    coefficients: NDArray[np.float64]  # [2 ** dims]
    ratio: Field
    least_deviation: float

    def seconds(self, sizes: NDArray[np.float64]) -> tuple[float, float]:
        """(the time at sizes [dims], each at least 1; the deviation of its logarithm)."""
        ratio, deviation = self.ratio.at(np.log(sizes))
        modelled = float((terms(sizes[None]) @ self.coefficients)[0])
        return modelled * math.exp(ratio), math.hypot(deviation, self.least_deviation)


def terms(sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sizes [points, dims] → products of every subset [points, 2 ** dims], the empty one first."""
    result = np.ones((len(sizes), 1))
    for column in sizes.T:
        result = np.concatenate([result, result * column[:, None]], axis=1)
    return result


@lru_cache(maxsize=1024)
def fit(table: Table) -> Fit:
    """The table, ready to be asked."""
    sizes = np.maximum(np.array([p.sizes for p in table.points], dtype=np.float64), 1.0)
    seconds = np.array([p.seconds for p in table.points])
    features = terms(sizes)
    # Every point counts by its relative error.
    coefficients = non_negative(features / seconds[:, None], np.ones(len(seconds)))
    ratio = np.log(seconds / (features @ coefficients))
    noise = float(np.median([p.spread for p in table.points]))
    least = max(noise, LEAST_SPREAD if len(seconds) >= FEW else FEW_POINTS)
    return Fit(coefficients, field(np.log(sizes), ratio), least)


def find(unit: Unit, work: Work, regime: Regime) -> Table | None:
    """The table of this opcode nearest to the work: its variant first, then its regime."""
    near = {r: abs(ORDER.index(r) - ORDER.index(regime)) for r in Regime}
    usable = [
        t
        for t in unit.tables
        if t.opcode == work.opcode and len(t.points[0].sizes) == len(work.sizes)
    ]
    return min(usable, key=lambda t: (t.variant != work.variant, near[t.regime]), default=None)


def regime_of(machine: Machine, unit: Unit, work: Work, setting: Setting) -> Regime:
    """Where the weights come from, or without any the activations."""
    kinds = [t.kind for t in work.traffic if t.kind is not TrafficKind.ACTIVATIONS]
    kind = kinds[0] if kinds else TrafficKind.ACTIVATIONS
    level, _ = origin(machine, unit, work, setting, kind)
    outermost = len(machine.path(unit)) - 1
    if level == outermost:
        return Regime.COLD
    return Regime.CACHED if level == outermost - 1 else Regime.WARM


def table(machine: Machine, unit: Unit, work: Work, setting: Setting) -> Cost:
    """Measured seconds of one unit, spread over several as the roofline spreads.

    An opcode that was not measured falls back to the roofline with the declared slowdown.
    """
    found = find(unit, work, regime_of(machine, unit, work, setting))
    if found is None:
        return roofline(machine, unit, work, setting)
    ready = fit(found)
    sizes = np.maximum(np.array(work.sizes, dtype=np.float64), 1.0)
    seconds, deviation = ready.seconds(sizes)
    ideal, resource = ideal_seconds(machine, unit, work, setting)
    if setting.units > 1:
        alone = Setting(1, setting.weights_reuse_bytes, setting.activations_reuse_bytes)
        single = ideal_seconds(machine, unit, work, alone)[0]
        seconds *= ideal / single if single > 0 else 1.0
    seconds = max(seconds, bound_seconds(machine, unit, work, setting))
    fixed = overhead_seconds(machine, work, setting)
    doubt = deviation * (1.0 if found.variant == work.variant else OTHER_VARIANT)
    wide = math.exp(DEVIATIONS * doubt)
    interval = Interval(seconds / wide + fixed, seconds * wide + fixed, CONFIDENCE)
    total = seconds + fixed
    joules = energy_joules(machine, unit, work, setting, total)
    return Cost(total, joules, interval, resource)
