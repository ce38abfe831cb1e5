"""Program × chip × recorded spikes → Timeline: what a run would take and cost, step by step.

The network is run once by whoever runs it (the reference, torch, the native core); the chip's time
and energy are then counts of events times what each costs (`cost.spiking`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.cost.spiking import SYNAPSES, Happened, Paid, pay
from netwright.errors import JobError
from netwright.machine.spiking import SpikingMesh
from netwright.native import core
from netwright.plan.chip.axons import Axons
from netwright.plan.chip.make import Mapped, mesh_of
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


def happened(trace: Trace, wires: Axons, mesh: SpikingMesh) -> Happened:
    """The events of a run on every core in every step."""
    steps, cores = len(trace.start) - 1, mesh.num_cores
    fired, sent, received = (np.zeros((steps, cores), np.int64) for _ in range(3))
    synapses = np.zeros((steps, cores, len(SYNAPSES)), np.int64)
    core.chip_count(
        trace.start, trace.neuron, wires.start, wires.core, wires.synapses, wires.kind, wires.home,
        fired, sent, received, synapses,
    )  # fmt: skip
    step = np.repeat(np.arange(steps), np.diff(trace.start))
    cell = step * cores + np.maximum(wires.home[trace.neuron], 0)
    hops = [
        np.bincount(cell, hop[trace.neuron], minlength=steps * cores).astype(np.int64)
        for hop in (wires.column_hops, wires.row_hops)
    ]
    inside = wires.home[wires.home >= 0]
    updated = np.bincount(inside, minlength=cores).astype(np.int64)
    shape = (steps, cores)
    return Happened(
        updated, fired, sent, received, synapses, hops[0].reshape(shape), hops[1].reshape(shape)
    )


def simulate_chip(mapped: Mapped, spikes: Mapping[str, Array]) -> Timeline:
    """The timeline of a run whose spikes [T, B, ...] are given by population.

    Raises:
        JobError: a population's spikes are missing, or have another size.
    """
    mesh = mesh_of(mapped.plan.machine)
    given: list[Array] = []
    for population in mapped.wiring.populations:
        found = spikes.get(population.name)
        if found is None or found.ndim < 2 or int(np.prod(found.shape[2:])) != population.size:
            shape = None if found is None else found.shape
            raise JobError(
                f"spikes of {population.name}: got {shape}, expected [steps, samples, "
                f"{population.size}]"
            )
        given.append(found)
    events = happened(trace_of(given), mapped.axons, mesh)
    return timeline_of(mapped, events, pay(mesh, events))


def timeline_of(mapped: Mapped, events: Happened, paid: Paid) -> Timeline:
    """Spans of every core in every step, or of whole steps where they would be too many."""
    program, machine = mapped.plan.program, mapped.plan.machine
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
    peak = mapped.plan.peak_memory_bytes
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
