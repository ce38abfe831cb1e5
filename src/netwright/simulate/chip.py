"""Program × chip × recorded spikes → Timeline: what a run would take and cost, step by step.

The network is run once by whoever runs it (the reference, torch, the native core); the chip's time
and energy are then counts of events times what each costs (`cost.spiking`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.cost.spiking import SYNAPSES, Happened, Paid, pay
from netwright.errors import JobError
from netwright.machine.machine import Machine
from netwright.machine.spiking import SpikingMesh
from netwright.native import core
from netwright.plan.chip.axons import Axons, hops
from netwright.plan.chip.events import expected
from netwright.plan.chip.flat import ENTRY, Part, chip_of
from netwright.plan.chip.make import mesh_of
from netwright.program.program import Program
from netwright.timeline.timeline import MemorySample, Span, Timeline

Array: TypeAlias = NDArray[Any]
MOST_SPANS = 20_000  # beyond it a step is one span: a page with more cannot be read


@final
@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Spikes of step t: `neuron[start[t] : start[t + 1]]`, numbered over all populations."""

    start: NDArray[np.int64]
    neuron: NDArray[np.int32]


def trace_of(spikes: Sequence[Array]) -> Trace:
    """From spikes [T, B, ...] of every population in order; samples run one after the other.

    Raises:
        JobError: populations differ in steps or samples, or a value is no spike (0 or 1).
    """
    flat = [np.swapaxes(np.asarray(s), 0, 1) for s in spikes]
    if len({s.shape[:2] for s in flat}) != 1:
        raise JobError(f"spikes: steps and samples differ: {sorted({s.shape[:2] for s in flat})}")
    whole = np.concatenate([s.reshape(s.shape[0] * s.shape[1], -1) for s in flat], axis=1)
    fired = whole != 0
    if not np.array_equal(whole[fired], np.ones(int(fired.sum()))):
        raise JobError("spikes: values other than 0 and 1; a chip's cores send spikes only")
    step, neuron = np.nonzero(fired)
    start = np.concatenate(([0], np.cumsum(np.bincount(step, minlength=len(fired)))))
    return Trace(start.astype(np.int64), neuron.astype(np.int32))


def happened(trace: Trace, wires: Axons, home: NDArray[np.int32], mesh: SpikingMesh) -> Happened:
    """The events of a run on every core in every step; neuron n is on core `home[n]`."""
    steps, cores = len(trace.start) - 1, mesh.num_cores
    fired, sent, received = (np.zeros((steps, cores), np.int64) for _ in range(3))
    synapses = np.zeros((steps, cores, len(SYNAPSES)), np.int64)
    core.chip_count(
        trace.start, trace.neuron, wires.start, wires.core, wires.synapses, wires.kind, home,
        fired, sent, received, synapses,
    )  # fmt: skip
    step = np.repeat(np.arange(steps), np.diff(trace.start))
    cell = step * cores + np.maximum(home[trace.neuron], 0)
    along = [
        np.bincount(cell, hop[trace.neuron], minlength=steps * cores).astype(np.int64)
        for hop in hops(wires, home, mesh)
    ]
    updated = np.bincount(home[home >= 0], minlength=cores).astype(np.int64)
    shape = (steps, cores)
    return Happened(
        updated, fired, sent, received, synapses, along[0].reshape(shape), along[1].reshape(shape)
    )


def simulate_chip(
    program: Program, machine: Machine, spikes: Mapping[str, Array] | None = None
) -> Timeline:
    """The timeline of a run, whose spikes [steps, samples, ...] are given by population.

    Without spikes every neuron fires as often as the graph declared: mean events of a step, in
    every step of the program. A population that only is read out (Li) needs no spikes.

    Raises:
        JobError: a population's spikes are missing, or have another size.
        ProgramError: it is no program for a chip.
        UnsupportedError: the machine is none.
    """
    mesh, chip = mesh_of(machine), chip_of(program)
    if spikes is None:
        events = repeated(expected(chip, mesh), chip.steps)
    else:
        rasters = [_raster(spikes, part) for part in chip.parts]
        known = next((r for r in rasters if r is not None), None)
        if known is None:
            raise JobError(f"{program.name}: no population has spikes; give those of {chip.parts}")
        given = [
            np.zeros((*known.shape[:2], part.size)) if r is None else r
            for r, part in zip(rasters, chip.parts, strict=True)
        ]
        events = happened(trace_of(given), chip.axons, chip.home, mesh)
    return timeline_of(program, machine, events, pay(mesh, events))


def _raster(spikes: Mapping[str, Array], part: Part) -> Array | None:
    """The spikes of one population; None where it sends none."""
    found = spikes.get(part.name)
    if found is None and part.density == 0.0:
        return None
    if found is None or found.ndim < 2 or int(np.prod(found.shape[2:])) != part.size:
        shape = None if found is None else found.shape
        raise JobError(
            f"spikes of {part.name}: got {shape}, expected [steps, samples, {part.size}]"
        )
    return found


def repeated(events: Happened, steps: int) -> Happened:
    """One step's events, so many times."""
    many = {
        f.name: np.repeat(getattr(events, f.name), steps, axis=0)
        for f in fields(events)
        if f.name != "updated"
    }
    return replace(events, **many)


def timeline_of(program: Program, machine: Machine, events: Happened, paid: Paid) -> Timeline:
    """Spans of every core in every step, or of whole steps where they would be too many."""
    ends = np.cumsum(paid.step_seconds)
    starts = ends - paid.step_seconds
    joules = paid.synapse_joules + paid.soma_joules + paid.network_joules
    spans: list[Span] = []
    steps, cores = len(starts), len(program.workers)
    synaptic = events.synapses.sum(2)
    if steps * cores <= MOST_SPANS:
        busy = np.maximum(paid.send_seconds, paid.receive_seconds)
        spans = [
            Span(
                program.workers[c], f"step {t}", "spiking_core", float(starts[t]),
                float(busy[t, c]), float(synaptic[t, c]), 0.0, float(joules[t, c]),
            )
            for t in range(steps)
            for c in range(cores)
        ]  # fmt: skip
    else:
        spans = [
            Span(
                "chip", f"step {t}", "spiking_core", float(starts[t]),
                float(paid.step_seconds[t]), float(synaptic[t].sum()), 0.0, float(joules[t].sum()),
            )
            for t in range(steps)
        ]  # fmt: skip
    peak = _peak_bytes(program, mesh_of(machine))
    memory = machine.units[0].memories[0]
    return Timeline(
        program.name,
        "simulated",
        machine.name,
        tuple(spans),
        (MemorySample(memory, 0.0, peak),),
        float(ends[-1]) if steps else 0.0,
        peak,
        float(joules.sum()),
        facts=_facts(events, paid, cores),
    )


def _facts(events: Happened, paid: Paid, cores: int) -> tuple[tuple[str, float], ...]:
    return (
        ("steps", float(len(paid.step_seconds))),
        ("cores", float(cores)),
        ("spikes", float(events.fired.sum())),
        ("packets", float(events.packets_in.sum())),
        ("synaptic_events", float(events.synapses.sum())),
        ("neuron_updates", float(events.updated.sum() * len(paid.step_seconds))),
        ("hops", float(events.column_hops.sum() + events.row_hops.sum())),
        ("synapse_joules", float(paid.synapse_joules.sum())),
        ("soma_joules", float(paid.soma_joules.sum())),
        ("network_joules", float(paid.network_joules.sum())),
    )


def _peak_bytes(program: Program, mesh: SpikingMesh) -> int:
    """Synapses of the fullest core."""
    held: Counter[int] = Counter()
    for task in program.entry(ENTRY).tasks:
        held[task.worker] += int(str(task.parameters[2]))
    return max(held.values(), default=0) * mesh.synapse_bits // 8
