"""Cost: what a task takes on a machine, with the range it is expected in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from netwright.errors import UnsupportedError
from netwright.machine.machine import Machine, Unit
from netwright.timeline.timeline import Interval


@final
@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds and joules of one task; joules is None where the machine's energy is not known.

    `resource` is what bounds it: an arithmetic class ("int8") or a memory's name ("dram").
    """

    seconds: float
    joules: float | None
    interval: Interval
    resource: str


@final
@dataclass(frozen=True, slots=True)
class Setting:
    """Where a task stands: on how many units it runs, and what happens between two uses.

    `weights_reuse_bytes` is how much is touched between two uses of the same weights, or of the
    same keys and values (all of the entry, say): the smallest memory that holds so much still has
    them. None: weights come from where weights live. `activations_reuse_bytes` likewise; None: the
    task's own working set.
    """

    units: int = 1
    weights_reuse_bytes: int | None = None
    activations_reuse_bytes: int | None = None


COLD = Setting()


def check_units(machine: Machine, unit: Unit, setting: Setting) -> None:
    """Raises UnsupportedError when the setting asks for units that are not there."""
    if not 1 <= setting.units <= unit.count:
        raise UnsupportedError(
            f"{machine.name}: {setting.units} of {unit.name!r} are asked for, and there are "
            f"{unit.count}; choose between 1 and {unit.count}"
        )


def curve_at(points: tuple[tuple[int, float], ...], units: int) -> float | None:
    """A measured curve at a number of units: linear between points, flat beyond the last."""
    if not points:
        return None
    before = points[0]
    for point in points:
        if point[0] == units:
            return point[1]
        if point[0] > units:
            share = (units - before[0]) / (point[0] - before[0]) if point != before else 0.0
            return before[1] + share * (point[1] - before[1])
        before = point
    return before[1]
