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
FEW_POINTS = 0.3  # deviation in logarithms of a table too small to test on itself


@final
@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A table as a sum of terms and what is left over.

    `seconds ~ sum_s coefficients[s] * product of the sizes in s`, over all subsets s of the sizes,
    with no coefficient negative: a fixed cost, and one term for each array that a kernel walks
    (for a product of T, K, N: T K N arithmetic, K N weights, T K inputs, T N outputs). The ratio
    of measured to modelled is interpolated between the points (in logarithms, by inverse distance
    to the square). `deviation` is the leave-one-out residual of log seconds.
    """

    log_sizes: NDArray[np.float64]  # [points, dims]
    coefficients: NDArray[np.float64]  # [2 ** dims]
    log_ratio: NDArray[np.float64]  # [points]
    deviation: float

    def seconds(self, sizes: NDArray[np.float64]) -> float:
        """The time at sizes [dims], each at least 1."""
        return float((terms(sizes[None]) @ self.coefficients)[0]) * math.exp(
            interpolate(self.log_sizes, self.log_ratio, np.log(sizes))
        )


def terms(sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sizes [points, dims] → products of every subset [points, 2 ** dims], the empty one first."""
    result = np.ones((len(sizes), 1))
    for column in sizes.T:
        result = np.concatenate([result, result * column[:, None]], axis=1)
    return result


def interpolate(
    at: NDArray[np.float64], values: NDArray[np.float64], where: NDArray[np.float64]
) -> float:
    """Inverse distance weighting: exact at a point, an average of neighbours elsewhere."""
    squared = ((at - where) ** 2).sum(axis=1)
    weights = 1.0 / (squared + 1e-9) ** 2
    return float(weights @ values / weights.sum())


@lru_cache(maxsize=1024)
def fit(table: Table) -> Fit:
    """The table, ready to be asked, with its own leave-one-out error."""
    sizes = np.maximum(np.array([p.sizes for p in table.points], dtype=np.float64), 1.0)
    seconds = np.array([p.seconds for p in table.points])
    features = terms(sizes)
    # Every point counts by its relative error.
    coefficients = non_negative(features / seconds[:, None], np.ones(len(seconds)))
    ratio = np.log(seconds / (features @ coefficients))
    places = np.log(sizes)
    noise = float(np.median([p.spread for p in table.points]))
    deviation = FEW_POINTS
    if len(seconds) > 3:
        left_out = np.arange(len(seconds))
        residuals = [
            abs(ratio[i] - interpolate(places[left_out != i], ratio[left_out != i], places[i]))
            for i in left_out
        ]
        # 1.4826 x the median of absolute values: the deviation, not moved by a few odd points.
        deviation = 1.4826 * float(np.median(residuals))
    return Fit(places, coefficients, ratio, max(math.hypot(deviation, noise), LEAST_SPREAD))


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
    seconds = ready.seconds(np.maximum(np.array(work.sizes, dtype=np.float64), 1.0))
    ideal, resource = ideal_seconds(machine, unit, work, setting)
    if setting.units > 1:
        alone = Setting(1, setting.weights_reuse_bytes, setting.activations_reuse_bytes)
        single = ideal_seconds(machine, unit, work, alone)[0]
        seconds *= ideal / single if single > 0 else 1.0
    seconds = max(seconds, bound_seconds(machine, unit, work, setting))
    fixed = overhead_seconds(machine, work, setting)
    doubt = ready.deviation * (1.0 if found.variant == work.variant else OTHER_VARIANT)
    wide = math.exp(DEVIATIONS * doubt)
    interval = Interval(seconds / wide + fixed, seconds * wide + fixed, CONFIDENCE)
    total = seconds + fixed
    joules = energy_joules(machine, unit, work, setting, total)
    return Cost(total, joules, interval, resource)
