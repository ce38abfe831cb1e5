"""Roof: what a machine can do at best, as the two lines of a roofline picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from netwright.cost.cost import curve_at
from netwright.cost.hierarchy import bandwidths
from netwright.machine.machine import Machine


@final
@dataclass(frozen=True, slots=True)
class Roof:
    """All units of one member together: operations per second by arithmetic class, highest first.

    `read_bytes_per_second` is that of `memory`, the outermost; None where it is not published.
    """

    machine: str
    unit: str
    operations_per_second: tuple[tuple[str, float], ...]
    memory: str
    read_bytes_per_second: float | None


def roof_of(machine: Machine) -> Roof:
    """The roof of the machine's fastest kind of unit.

    Williams, Waterman and Patterson 2009, 10.1145/1498765.1498785.
    """

    def most(index: int) -> float:
        unit = machine.units[index]
        return max((rate for _, rate in unit.rates), default=0.0) * unit.count

    unit = machine.units[max(range(len(machine.units)), key=most)]
    speed = curve_at(unit.units_speed, unit.count) or float(unit.count)
    rates = sorted(((name, rate * speed) for name, rate in unit.rates), key=lambda r: -r[1])
    outermost = machine.path(unit)[-1]
    read, _ = bandwidths(outermost, unit, unit.count)
    return Roof(machine.title, unit.name, tuple(rates), outermost.name, read)
