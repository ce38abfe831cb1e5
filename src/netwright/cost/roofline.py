"""Roofline over the memory hierarchy: the slowest of arithmetic and every level of memory.

Source: Williams, Waterman, Patterson, CACM 52(4), 2009; levels as in Ilic, Pratas, Sousa,
IEEE CAL 13(1), 2014 (the cache-aware form).
"""

from __future__ import annotations

from collections.abc import Iterable

from netwright.cost.cost import Cost, Setting, check_units, curve_at
from netwright.cost.hierarchy import Flow, bandwidths, flows, least_flows
from netwright.cost.work import Work
from netwright.errors import UnsupportedError
from netwright.machine.machine import Machine, Unit
from netwright.timeline.timeline import Interval


def compute_seconds(machine: Machine, unit: Unit, work: Work, units: int) -> float:
    """Seconds of the arithmetic alone at the full rate, classes one after the other.

    Raises:
        UnsupportedError: the unit has no rate for a class, nor for a wider one.
    """
    alone = curve_at(unit.units_speed, 1) or 1.0
    speed = curve_at(unit.units_speed, units)
    times = float(units) if speed is None else speed / alone
    seconds = 0.0
    for arithmetic, count in work.operations:
        found = unit.rate(arithmetic)
        if found is None:
            raise UnsupportedError(
                f"{machine.name}: unit {unit.name!r} has no {arithmetic} arithmetic, which "
                f"{work.opcode} needs; it has {', '.join(a for a, _ in unit.rates)}: quantise the "
                f"network to one of these or choose another machine"
            )
        seconds += count / (found[1] * times)
    return seconds


def _slowest(compute: float, levels: Iterable[Flow]) -> tuple[float, str]:
    worst, resource = compute, "compute"
    for flow in levels:
        if flow.seconds is not None and flow.seconds > worst:
            worst, resource = flow.seconds, flow.memory.name
    return worst, resource


def bound_seconds(machine: Machine, unit: Unit, work: Work, setting: Setting) -> float:
    """No kernel can be faster: full rates, caches that keep all they can, no fixed cost."""
    check_units(machine, unit, setting)
    compute = compute_seconds(machine, unit, work, setting.units)
    return _slowest(compute, least_flows(machine, unit, work, setting))[0]


def ideal_seconds(machine: Machine, unit: Unit, work: Work, setting: Setting) -> tuple[float, str]:
    """The roofline itself, with what bounds it; a level without a bandwidth counts as the next."""
    check_units(machine, unit, setting)
    levels = flows(machine, unit, work, setting)
    compute = compute_seconds(machine, unit, work, setting.units)
    seconds, resource = _slowest(compute, levels)
    hidden = 0.0
    for index in range(len(levels) - 1, -1, -1):
        if levels[index].seconds is None:
            hidden = max(hidden, _borrowed_seconds(levels, index, unit, setting.units))
    return (hidden, "memory") if hidden > seconds else (seconds, resource)


def _borrowed_seconds(levels: tuple[Flow, ...], index: int, unit: Unit, units: int) -> float:
    # Only bytes that come from this level: those from further out are counted out there.
    moved = levels[index].read_bytes + levels[index].written_bytes
    if index + 1 < len(levels):
        moved -= levels[index + 1].read_bytes + levels[index + 1].written_bytes
    for outer in levels[index + 1 :]:
        read, _ = bandwidths(outer.memory, unit, units)
        if read is not None:
            # A cache is at least a few times faster than what stands behind it.
            return max(moved, 0.0) / (CACHE_SPEED_UP * read)
    return 0.0


# Without a published figure a cache is taken as this much faster than the next known level:
# 63 against 18 GB/s (L3 against DRAM) were measured on a Zen 3 core, 5.5 against 2 TB/s is
# usual for a GPU's L2 against its HBM.
CACHE_SPEED_UP = 3.0


def overhead_seconds(machine: Machine, work: Work, setting: Setting) -> float:
    """Fixed cost: starting the task, and a barrier when several units share it."""
    barriers = work.synchronisations if setting.units > 1 else 0
    return work.launches * machine.launch_seconds + barriers * machine.synchronise_seconds


def energy_joules(
    machine: Machine, unit: Unit, work: Work, setting: Setting, seconds: float
) -> float | None:
    """Static power over the time plus operations plus bytes; else power under load; else None."""
    per_operation = dict(unit.energy_joules_per_operation)
    levels = flows(machine, unit, work, setting)
    moved = [f for f in levels if f.read_bytes + f.written_bytes > 0]
    known = all(f.memory.read_joules_per_byte is not None for f in moved) and all(
        arithmetic in per_operation for arithmetic, _ in work.operations
    )
    if known and machine.static_power_watts is not None:
        joules = machine.static_power_watts * seconds
        joules += sum(per_operation[a] * n for a, n in work.operations)
        for f in moved:
            read = f.memory.read_joules_per_byte or 0.0
            write = f.memory.write_joules_per_byte
            joules += f.read_bytes * read + f.written_bytes * (read if write is None else write)
        return joules
    if machine.busy_power_watts is not None:
        return machine.busy_power_watts * seconds
    return None


def roofline(machine: Machine, unit: Unit, work: Work, setting: Setting) -> Cost:
    """The roofline times the unit's declared slowdown, plus the fixed cost."""
    ideal, resource = ideal_seconds(machine, unit, work, setting)
    fixed = overhead_seconds(machine, work, setting)
    slow = unit.slowdown
    seconds = ideal * slow.typical + fixed
    interval = Interval(ideal * slow.low + fixed, ideal * slow.high + fixed, slow.confidence)
    joules = energy_joules(machine, unit, work, setting, seconds)
    return Cost(seconds, joules, interval, resource)
