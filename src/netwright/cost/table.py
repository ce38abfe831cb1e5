"""Measured table: what the kernel took at neighbouring sizes, interpolated in logarithms."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import final

import numpy as np
from numpy.typing import NDArray

from netwright.cost.cost import Cost, Setting
from netwright.cost.hierarchy import origin
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

CONFIDENCE = 0.9
DEVIATIONS = 1.645  # of a normal distribution, for CONFIDENCE
LEAST_SPREAD = 0.03  # no interval is narrower: repeats on a shared machine differ by so much
STEEPEST = 1.3  # a kernel's time grows at most a little faster than any of its sizes
RIDGE = 1e-2


@final
@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A table in logarithms. `deviation` is the leave-one-out residual of log seconds."""

    sizes: NDArray[np.float64]  # [points, dims]
    seconds: NDArray[np.float64]  # [points]
    deviation: float

    def log_seconds(self, at: NDArray[np.float64], skip: int | None = None) -> float:
        """Local linear regression around `at`; slopes are kept from 0 to STEEPEST."""
        keep = np.ones(len(self.seconds), dtype=bool)
        if skip is not None:
            keep[skip] = False
        sizes = self.sizes[keep]
        # Beyond the largest size measured, time grows in proportion: every loop is linear in it.
        within = np.minimum(at, sizes.max(axis=0))
        beyond = float((at - within).sum())
        offsets = sizes - within
        seconds = self.seconds[keep]
        distance = np.sqrt((offsets**2).sum(axis=1))
        nearest = int(distance.argmin())
        if distance[nearest] < 1e-9:
            return float(seconds[nearest]) + beyond
        weights = 1.0 / (distance**2 + 1e-6)
        weights /= weights.sum()
        mean_offset, mean_seconds = weights @ offsets, float(weights @ seconds)
        centred = offsets - mean_offset
        gram = (centred * weights[:, None]).T @ centred + RIDGE * np.eye(offsets.shape[1])
        pull = (centred * weights[:, None]).T @ (seconds - mean_seconds)
        slopes = np.asarray(np.linalg.solve(gram, pull), dtype=np.float64)
        slopes = np.clip(slopes, 0.0, STEEPEST)
        return mean_seconds - float(slopes @ mean_offset) + beyond


@lru_cache(maxsize=1024)
def fit(table: Table) -> Fit:
    """The table, ready to be asked, with its own leave-one-out error."""
    sizes = np.log(np.maximum(np.array([p.sizes for p in table.points], dtype=np.float64), 1.0))
    seconds = np.log(np.array([p.seconds for p in table.points]))
    plain = Fit(sizes, seconds, 0.0)
    noise = float(np.median([p.spread for p in table.points]))
    residuals = [0.5]
    if len(table.points) > 2:
        residuals = [
            abs(plain.log_seconds(sizes[i], skip=i) - seconds[i]) for i in range(len(seconds))
        ]
    # The middle of the absolute residuals: edge points are extrapolated when they are left out.
    deviation = 1.4826 * float(np.median(residuals))
    return Fit(sizes, seconds, max(math.hypot(deviation, noise), LEAST_SPREAD))


def find(unit: Unit, work: Work, regime: Regime) -> Table | None:
    """The table of this opcode and variant, in this regime if there is one, else in the other."""
    other: Table | None = None
    for candidate in unit.tables:
        same = candidate.opcode == work.opcode and candidate.variant == work.variant
        if same and len(candidate.points[0].sizes) == len(work.sizes):
            if candidate.regime is regime:
                return candidate
            other = candidate
    return other


def regime_of(machine: Machine, unit: Unit, work: Work, setting: Setting) -> Regime:
    """COLD when the weights come from where they live (or, without any, the activations do)."""
    kinds = [t.kind for t in work.traffic if t.kind is not TrafficKind.ACTIVATIONS]
    kind = kinds[0] if kinds else TrafficKind.ACTIVATIONS
    level, _ = origin(machine, unit, work, setting, kind)
    return Regime.COLD if level == len(machine.path(unit)) - 1 else Regime.WARM


def table(machine: Machine, unit: Unit, work: Work, setting: Setting) -> Cost:
    """Measured seconds of one unit, spread over several as the roofline spreads.

    An opcode that was not measured falls back to the roofline with the declared slowdown.
    """
    found = find(unit, work, regime_of(machine, unit, work, setting))
    if found is None:
        return roofline(machine, unit, work, setting)
    ready = fit(found)
    at = np.log(np.maximum(np.array(work.sizes, dtype=np.float64), 1.0))
    seconds = math.exp(ready.log_seconds(at))
    ideal, resource = ideal_seconds(machine, unit, work, setting)
    if setting.units > 1:
        alone = Setting(1, setting.weights_reuse_bytes, setting.activations_reuse_bytes)
        single = ideal_seconds(machine, unit, work, alone)[0]
        seconds *= ideal / single if single > 0 else 1.0
    seconds = max(seconds, bound_seconds(machine, unit, work, setting))
    fixed = overhead_seconds(machine, work, setting)
    wide = math.exp(DEVIATIONS * ready.deviation)
    interval = Interval(seconds / wide + fixed, seconds * wide + fixed, CONFIDENCE)
    total = seconds + fixed
    joules = energy_joules(machine, unit, work, setting, total)
    return Cost(total, joules, interval, resource)
