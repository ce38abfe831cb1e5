"""`netwright simulate NETWORK --machine loihi2 --input spikes.npz`: a run on a spiking chip."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import final

from netwright.cli.screen import print_json, progress
from netwright.cli.tables import console
from netwright.machine.load import machine as load_machine
from netwright.path.chip import OnChip, load_for, read_spikes, run_on_chip
from netwright.plan.quantity import quantity
from netwright.report.perfetto import write_trace


@final
@dataclass(frozen=True, slots=True)
class ChipInput:
    """The file of input spikes, and the seconds of a step (None: 1 ms)."""

    path: Path
    dt_seconds: float | None


def simulate_spiking(
    source: str, machine: str, given: ChipInput, trace: Path | None, json: bool
) -> None:
    """Maps, runs and prices; prints a summary or one object."""
    spikes = read_spikes(given.path)
    with progress() as on_progress:
        graph = load_for(source, spikes, given.dt_seconds)
        found = run_on_chip(graph, load_machine(machine, on_progress), spikes)
    if trace is not None:
        write_trace(trace, (found.timeline,))
    if json:
        print_json(_json(found))
        return
    timeline, facts = found.timeline, dict(found.timeline.facts)
    title = found.mapped.plan.machine.title
    console.print(f"{timeline.name} on {title}, simulated", markup=False)
    steps = int(facts["steps"])
    console.print(f"  {quantity(timeline.seconds, 'seconds')} for {steps} steps")
    parts = ", ".join(
        f"{part} {quantity(facts[f'{part}_joules'], 'joules')}"
        for part in ("synapse", "soma", "network")
    )
    console.print(f"  energy {quantity(timeline.joules or 0.0, 'joules')}: {parts}")
    console.print(
        f"  {facts['spikes']:.0f} spikes, {facts['packets']:.0f} packets,"
        f" {facts['synaptic_events']:.0f} synaptic events, {facts['hops']:.0f} hops"
    )
    for decision in found.mapped.plan.decisions:
        console.print(f"  {decision.subject}: {decision.chosen}, {decision.why}", markup=False)
    mesh = found.mapped.plan.machine.spiking
    if mesh is not None:
        basis = mesh.source.basis.value
        console.print(f"  costs by event ({basis}): {mesh.source.text}", markup=False)


def _json(found: OnChip) -> dict[str, object]:
    timeline = found.timeline
    decision = found.mapped.plan.decisions[0]
    return {
        "network": timeline.name,
        "machine": timeline.machine,
        "seconds": timeline.seconds,
        "joules": timeline.joules,
        "cores": decision.value,
        "cores_bound": decision.bound,
        "spikes": dict(found.spikes),
        "facts": dict(timeline.facts),
    }
