"""Where bytes come from: the level of memory that still holds what a task reads, and its speed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from netwright.cost.cost import Setting, curve_at
from netwright.cost.work import TrafficKind, Work
from netwright.machine.machine import Machine, Memory, Unit


@final
@dataclass(frozen=True, slots=True)
class Flow:
    """Bytes through one memory. `seconds` is None where no bandwidth is published."""

    memory: Memory
    read_bytes: float
    written_bytes: float
    seconds: float | None


def instances(memory: Memory, unit: Unit, units: int) -> int:
    """How many instances of a memory this many units have between them."""
    return max(1, memory.count * units // unit.count)


def bandwidths(memory: Memory, unit: Unit, units: int) -> tuple[float | None, float | None]:
    """Bytes per second that this many units together read and write at."""
    copies = instances(memory, unit, units)
    per_instance = -(-units // copies)
    measured = curve_at(memory.units_read, per_instance)
    read, write = memory.read_bytes_per_second, memory.write_bytes_per_second
    if measured is not None:
        ratio = 1.0 if read is None or write is None else write / read
        read, write = measured, measured * ratio
    if write is None:
        write = read
    return (
        None if read is None else read * copies,
        None if write is None else write * copies,
    )


def level_of(path: tuple[Memory, ...], unit: Unit, units: int, reuse_bytes: int) -> int:
    """The innermost memory that holds so many bytes; the outermost when none does."""
    for index, memory in enumerate(path):
        if memory.capacity_bytes * instances(memory, unit, units) >= reuse_bytes:
            return index
    return len(path) - 1


def origin(
    machine: Machine, unit: Unit, work: Work, setting: Setting, kind: TrafficKind
) -> tuple[int, float]:
    """The level that a kind of traffic comes from, and the bytes touched between two uses."""
    path = machine.path(unit)
    if kind is not TrafficKind.ACTIVATIONS and setting.weights_reuse_bytes is not None:
        # Keys and values are met once in a pass, as weights are; what is drawn from more seldom.
        reuse = max(setting.weights_reuse_bytes, work.drawn_bytes)
    elif kind is TrafficKind.WEIGHTS:
        return path.index(machine.store(unit)), float("inf")
    else:
        reuse = setting.activations_reuse_bytes
        if reuse is None:
            reuse = work.working_set_bytes
    writable = path if kind is TrafficKind.WEIGHTS else path[: path.index(machine.home(unit)) + 1]
    return level_of(writable, unit, setting.units, reuse), float(reuse)


def flows(machine: Machine, unit: Unit, work: Work, setting: Setting) -> tuple[Flow, ...]:
    """What passes through every memory when nothing is left over from the use before."""
    return _flows(machine, unit, work, setting, 0.0)


def least_flows(machine: Machine, unit: Unit, work: Work, setting: Setting) -> tuple[Flow, ...]:
    """What must pass even if each inner memory kept all that it can from the use before."""
    return _flows(machine, unit, work, setting, 1.0)


def _flows(
    machine: Machine, unit: Unit, work: Work, setting: Setting, kept: float
) -> tuple[Flow, ...]:
    path = machine.path(unit)
    read, written = [0.0] * len(path), [0.0] * len(path)
    for traffic in work.traffic:
        level, reuse = origin(machine, unit, work, setting, traffic.kind)
        beside = path[level].read_only
        below = 0.0  # share of the bytes that the memories further in kept
        for index in range(level + 1):
            held = path[index].capacity_bytes * instances(path[index], unit, setting.units)
            here = kept * min(1.0, held / reuse) if reuse > 0 else 1.0
            # What is used in place from flash does not pass through the SRAM beside it: there
            # only what it kept is read.
            passing = here if beside and index < level and not path[index].read_only else 1.0
            share = max(0.0, passing - below)
            read[index] += traffic.read_bytes * share
            written[index] += traffic.written_bytes * share
            below = max(below, here if index < level else 0.0)
    result: list[Flow] = []
    for memory, r, w in zip(path, read, written, strict=True):
        read_rate, write_rate = bandwidths(memory, unit, setting.units)
        seconds = None
        if read_rate is not None and write_rate is not None:
            seconds = r / read_rate + w / write_rate
        result.append(Flow(memory, r, w, seconds))
    return tuple(result)
