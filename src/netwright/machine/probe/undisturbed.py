"""Samples → tables, as the machine is when it is left alone.

Other guests share the silicon: a neighbour on the same core comes and goes within 20 to 100 ms, and
what runs beside it takes up to 1.6 times as long. Each sample has a gauge beside it that feels such
a neighbour as the kernels do (native/probe/measure.hpp). How much more or less a kernel feels it is
seen where it has samples of both kinds: that is its sensitivity, and by it every sample is brought
to the gauge's least.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np

from netwright.machine.machine import Machine
from netwright.machine.probe.points import KernelPoint
from netwright.machine.table import Point, Regime, Table

# Seconds of a call, of the reference beside it, of reading what lies further out just before it.
Sample: TypeAlias = tuple[float, float, float]
Samples: TypeAlias = list[Sample]

LEAST_SHARE = 0.03  # a gauge's least is this quantile of all that it took
ALONE = 1.05  # times its least that the reference takes beside samples of a machine left alone
BUSY = 1.2  # and beside samples that surely had a neighbour
MOST = 1.8  # beyond, something else happened, and the sample does not count
ENOUGH = 3  # samples that a median is taken of; when fewer count, the least disturbed
WANTED = 6  # samples of a machine left alone that the probe looks for while there is time
EVEN = 1.0  # the sensitivity of a kernel that was never seen both ways
LARGEST_SENSITIVITY = 2.5

# The gauges' own tables in a profile: no task has this opcode.
GAUGE, REFERENCE, STREAM = "gauge", "reference", "stream"


@final
@dataclass(frozen=True, slots=True)
class Usual:
    """The least seconds of the gauges: the reference, and reading the main memory."""

    reference_seconds: float
    stream_seconds: float

    def slowdown(self, sample: Sample) -> float:
        """Of the reference beside a sample."""
        return max(sample[1] / max(self.reference_seconds, 1e-12), 1.0)

    def num_alone(self, samples: Iterable[Sample]) -> int:
        """How many of the samples were left alone."""
        return sum(self.slowdown(s) <= ALONE for s in samples)


def usual_of(taken: Mapping[KernelPoint, Samples]) -> Usual:
    """The least of the gauges over all samples of a probe."""
    references = [s[1] for samples in taken.values() for s in samples]
    streams = [s[2] for p, samples in taken.items() if p.streams for s in samples]
    least = [float(np.quantile(seen or [0.0], LEAST_SHARE)) for seen in (references, streams)]
    return Usual(least[0], least[1])


def sensitivity(groups: Iterable[Sequence[Sample]], usual: Usual) -> float:
    """The power of the reference's slowdown by which these slow down; each group is one thing."""
    found: list[float] = []
    for samples in groups:
        alone = [s for s in samples if usual.slowdown(s) <= ALONE]
        busy = [s for s in samples if BUSY <= usual.slowdown(s) <= MOST]
        if min(len(alone), len(busy)) < 2:
            continue
        longer = np.median([s[0] for s in busy]) / np.median([s[0] for s in alone])
        slower = np.median([s[1] for s in busy]) / np.median([s[1] for s in alone])
        found.append(float(np.log(longer) / np.log(slower)))
    if len(found) < ENOUGH:
        return EVEN
    return float(np.clip(np.median(found), 0.0, LARGEST_SENSITIVITY))


def undisturbed(samples: Sequence[Sample], power: float, usual: Usual) -> list[float]:
    """Seconds of the samples that count, brought to a machine that is left alone."""
    ranked = sorted(samples, key=usual.slowdown)
    num_counting = max(sum(usual.slowdown(s) <= MOST for s in ranked), ENOUGH)
    return [s[0] / min(usual.slowdown(s), MOST) ** power for s in ranked[:num_counting]]


def point_of(sizes: tuple[int, ...], seconds: Sequence[float]) -> Point:
    """Median and spread of what counts."""
    low, middle, high = (float(q) for q in np.quantile(np.array(seconds), (0.25, 0.5, 0.75)))
    return Point(sizes, middle, (high - low) / 2 / middle)


def tables_of(taken: Mapping[KernelPoint, Samples]) -> tuple[Table, ...]:
    """A table for each opcode, variant and regime, and those of the gauges."""
    usual = usual_of(taken)
    groups: dict[tuple[str, str, Regime], dict[KernelPoint, Samples]] = {}
    for point, samples in taken.items():
        groups.setdefault((point.opcode, point.variant, point.regime), {})[point] = samples
    found: dict[tuple[str, str, Regime], list[Point]] = {}
    for group in groups.values():
        power = sensitivity(group.values(), usual)
        for point, samples in group.items():
            measured = point_of(point.sizes, undisturbed(samples, power, usual))
            for regime in (point.regime, *point.stands_for):
                found.setdefault((point.opcode, point.variant, regime), []).append(measured)
    for variant, regime, seconds in (
        (REFERENCE, Regime.WARM, usual.reference_seconds),
        (STREAM, Regime.COLD, usual.stream_seconds),
    ):
        if seconds > 0:
            found[GAUGE, variant, regime] = [Point((1,), seconds, 0.0)]
    return tuple(
        Table(opcode, variant, regime, tuple(sorted(points, key=lambda p: p.sizes)))
        for (opcode, variant, regime), points in found.items()
    )


def gauges_of(machine: Machine) -> Usual | None:
    """The gauges of a profile; None when it has none."""
    found = {
        t.variant: t.points[0].seconds
        for unit in machine.units
        for t in unit.tables
        if t.opcode == GAUGE
    }
    if REFERENCE not in found:
        return None
    return Usual(found[REFERENCE], found.get(STREAM, 0.0))
