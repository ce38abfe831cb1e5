"""The machine at hand → Machine: measured once, kept in the user's cache folder, reused."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import final

from netwright.machine.build import UNMEASURED
from netwright.machine.host import Host, host
from netwright.machine.machine import Axis, Basis, Machine, MachineKind, Memory, Source, Unit
from netwright.machine.probe.points import KernelPoint
from netwright.machine.probe.points_language import language_points
from netwright.machine.probe.points_spiking import spiking_points
from netwright.machine.probe.points_vision import vision_points
from netwright.machine.probe.process import held
from netwright.machine.probe.sweep import Progress, better_memories, better_peaks, memories, peaks
from netwright.machine.probe.timing import rounds
from netwright.machine.probe.undisturbed import Samples, tables_of
from netwright.machine.store import is_stale, load, save, store_path
from netwright.machine.verify import verify

__all__ = ["FULL", "QUICK", "Depth", "Progress", "full", "here", "probe", "store_path"]


@final
@dataclass(frozen=True, slots=True)
class Depth:
    """How long a probe looks: wall seconds in all at most, for one sweep and one visit of a kernel.

    Bandwidths and arithmetic are swept once, and again after as many rounds over the kernels.
    """

    name: str
    seconds: float
    sweep_seconds: float
    point_seconds: float
    sweeps: int


FULL = Depth("full", seconds=52.0, sweep_seconds=0.06, point_seconds=0.0002, sweeps=4)
QUICK = Depth("quick", seconds=8.0, sweep_seconds=0.02, point_seconds=0.0, sweeps=1)

# One task of the executable: read its record, resolve, call. Judged, not measured apart.
DISPATCH_SECONDS = 1e-7
BARRIER_SECONDS = 2e-6


def silent(what: str, share: float) -> None:
    """The progress callback of those who want none."""


def probe(depth: Depth = FULL, progress: Progress = silent) -> Machine:
    """Measures this machine and keeps the profile in the store (`store_path`).

    Raises:
        MachineError: the store cannot be written.
    """
    found = host()
    machine = measure(found, depth, progress)
    save(store_path(), found.key, depth.name, machine)
    progress("done", 1.0)
    return machine


def here(progress: Progress = silent) -> Machine:
    """The stored profile of this machine, the fullest there is; a quick probe when there is none.

    A profile counts only for the build of the core that it was taken with: other kernels, other
    times. `progress` is told when it is stale.

    Raises:
        MachineError: the store is damaged or cannot be written.
    """
    found = host()
    stored = load(store_path(), found.key, (FULL.name, QUICK.name))
    if stored is not None:
        return stored
    if is_stale(store_path(), found.hardware):
        progress("the kernels have changed since this machine was probed: probing again", 0.0)
    return probe(QUICK, progress)


def full(progress: Progress = silent) -> Machine:
    """The stored full profile of this machine; probed now when there is none.

    Raises:
        MachineError: the store is damaged or cannot be written.
    """
    return load(store_path(), host().key, (FULL.name,)) or probe(FULL, progress)


def measure(found: Host, depth: Depth, progress: Progress) -> Machine:
    """The machine as measured now; nothing is kept."""
    deadline = time.monotonic() + depth.seconds
    progress("arithmetic", 0.0)
    source = _source(found)
    arithmetic = peaks(found, depth.sweep_seconds * 2)
    progress("memory", 0.02)
    levels = memories(found, depth.sweep_seconds, source)
    points: tuple[KernelPoint, ...] = (
        *language_points(),
        *vision_points(),
        *spiking_points(),
    )
    samples: Mapping[KernelPoint, Samples] = {}
    sweeps = depth.sweeps
    for taken in rounds(
        points,
        found.caches[-1].size_bytes,
        depth.point_seconds,
        deadline,
        lambda what, share: progress(what, 0.05 + 0.9 * share),
    ):
        samples = taken
        if sweeps > 0:
            # Once more: what the machine can do shows when others leave it alone.
            levels = better_memories(levels, memories(found, depth.sweep_seconds, source))
            arithmetic = better_peaks(arithmetic, peaks(found, depth.sweep_seconds * 2))
            sweeps -= 1
    progress("tables", 0.97)
    kernels = tables_of(samples)
    unit = Unit(
        name="core",
        count=found.processors,
        cost_model="roofline",
        rates=(("fp32", arithmetic.fp32), ("int8", arithmetic.int8)),
        memories=tuple(m.name for m in levels),
        slowdown=UNMEASURED,
        source=source,
        units_speed=arithmetic.units_speed,
        tables=kernels,
    )
    return verify(_machine(found, unit, levels, source))


def _machine(found: Host, unit: Unit, levels: tuple[Memory, ...], source: Source) -> Machine:
    judged = Source(
        Basis.MEMORY, "cost of one task and of one barrier of the native runtime, judged"
    )
    beside = held()
    return Machine(
        name="here",
        title=f"this machine: {found.processor}",
        kind=MachineKind.CPU,
        axes=(Axis("device", 1, source),),
        units=(replace(unit, cost_model="table" if unit.tables else "roofline"),),
        memories=levels,
        links=(),
        sources=(("probe", source), ("judged", judged), ("unmeasured", UNMEASURED.source)),
        power_source=source,
        overheads_source=judged,
        launch_seconds=DISPATCH_SECONDS,
        synchronise_seconds=BARRIER_SECONDS,
        runtime_bytes=beside.runtime_bytes,
        code=beside.code,
    )


def _source(found: Host) -> Source:
    day = datetime.now(UTC).date().isoformat()
    return Source(
        Basis.MEASURED,
        f"measured on {day} on {found.processor}, {found.processors} processors, by thread CPU "
        f"time, core {found.build}",
    )
