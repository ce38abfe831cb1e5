"""(Work, Machine) → Cost, by the model that the unit declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from netwright.cost.array_cost import loop_nest, systolic
from netwright.cost.cost import COLD, Cost, Setting, check_units
from netwright.cost.roofline import bound_seconds, roofline
from netwright.cost.spiking import refuse
from netwright.cost.table import table
from netwright.cost.tiles import tiles
from netwright.cost.work import Work
from netwright.errors import UnsupportedError
from netwright.machine.machine import Machine, Unit

# One file a model; the names are those of `machine.COST_MODELS`.
MODELS: Mapping[str, Callable[[Machine, Unit, Work, Setting], Cost]] = {
    "roofline": roofline,
    "spiking": refuse,
    "table": table,
    "loop_nest": loop_nest,
    "systolic": systolic,
    "tiles": tiles,
}


def estimate(machine: Machine, unit: Unit, work: Work, setting: Setting = COLD) -> Cost:
    """What this work takes on this unit.

    Raises:
        UnsupportedError: the unit lacks the arithmetic, or has fewer units than asked for.
    """
    check_units(machine, unit, setting)
    return MODELS[unit.cost_model](machine, unit, work, setting)


def lower_bound(machine: Machine, unit: Unit, work: Work, setting: Setting = COLD) -> float:
    """Seconds that no kernel can beat on this unit; never more than `estimate` says.

    Raises:
        UnsupportedError: as `estimate`.
    """
    return bound_seconds(machine, unit, work, setting)


def best_unit(machine: Machine, work: Work) -> Unit:
    """The unit that does this work soonest with all of its instances at work.

    Raises:
        UnsupportedError: no unit of the machine can do it.
    """
    best: tuple[float, Unit] | None = None
    problem: UnsupportedError | None = None
    for unit in machine.units:
        try:
            seconds = estimate(machine, unit, work, Setting(unit.count)).seconds
        except UnsupportedError as error:
            problem = error
            continue
        if best is None or seconds < best[0]:
            best = (seconds, unit)
    if best is None:
        raise problem or UnsupportedError(f"{machine.name}: has no unit")
    return best[1]
