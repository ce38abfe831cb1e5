"""`netwright simulate NETWORK --machine loihi2`: a run on a chip of spiking cores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import final

from netwright.cli.limits import duration
from netwright.cli.screen import print_json, progress
from netwright.cli.tables import console
from netwright.machine.load import machine as load_machine
from netwright.path.chip import OnChip, run_on_chip
from netwright.path.outcome import Figures, promise
from netwright.path.spiking import Asked, network_for, read_spikes
from netwright.path.summary import plan_summary
from netwright.plan.quantity import quantity
from netwright.report.perfetto import write_trace
from netwright.report.report import report as make_report


@final
@dataclass(frozen=True, slots=True)
class ChipOptions:
    """The file of input spikes or the time to run, the seconds of a step, and what is written."""

    inputs: Path | None
    time: str | None
    dt_seconds: float | None
    trace: Path | None
    report: Path | None
    json: bool


def simulate_spiking(source: str, machine: str, options: ChipOptions) -> None:
    """Maps, runs and prices; prints a summary or one object."""
    asked = Asked(
        None if options.inputs is None else read_spikes(options.inputs),
        None if options.time is None else duration("--time", options.time),
        options.dt_seconds,
    )
    with progress() as on_progress:
        graph = network_for(source, asked)
        found = run_on_chip(graph, load_machine(machine, on_progress), asked)
    if options.trace is not None:
        write_trace(options.trace, (found.timeline,))
    if options.report is not None:
        promised = promise(plan_summary(found.plan))
        make_report(found.timeline, machine=found.plan.machine, plan=promised).save(options.report)
    if options.json:
        print_json(_json(found))
        return
    _show(found)
    for path in (options.trace, options.report):
        if path is not None:
            console.print(f"  {path}", markup=False)


def _show(found: OnChip) -> None:
    timeline, facts = found.timeline, dict(found.timeline.facts)
    machine = found.plan.machine
    console.print(f"{timeline.name} on {machine.title}, simulated", markup=False)
    console.print(f"  {quantity(timeline.seconds, 'seconds')} for {int(facts['steps'])} steps")
    parts = ", ".join(
        f"{part} {quantity(facts[f'{part}_joules'], 'joules')}"
        for part in ("synapse", "soma", "network")
    )
    console.print(f"  energy {quantity(timeline.joules or 0.0, 'joules')}: {parts}")
    console.print(
        f"  {facts['spikes']:.0f} spikes, {facts['packets']:.0f} packets,"
        f" {facts['synaptic_events']:.0f} synaptic events, {facts['hops']:.0f} hops"
    )
    console.print(f"  memory of the fullest core {quantity(timeline.peak_memory_bytes, 'bytes')}")
    if found.spikes is None:
        console.print("  by the densities that the network declares; --input or --time runs it")
    for decision in found.plan.decisions:
        console.print(f"  {decision.subject}: {decision.chosen}, {decision.why}", markup=False)
    if machine.spiking is not None:
        basis = machine.spiking.source.basis.value
        text = machine.spiking.source.text
        console.print(f"  costs by event ({basis}): {text}", markup=False)


def _json(found: OnChip) -> dict[str, object]:
    timeline, plan = found.timeline, found.plan
    decision = plan.decisions[0]
    figures = Figures(timeline.peak_memory_bytes, timeline.joules, timeline.seconds)
    return {
        "network": timeline.name,
        "machine": timeline.machine,
        "predicted": figures.as_dict(),
        "measured": None,
        "plan": promise(plan_summary(plan)),
        "seconds": timeline.seconds,
        "joules": timeline.joules,
        "tasks": len(found.program.entry("step").tasks),
        "cores": decision.value,
        "cores_bound": decision.bound,
        "spikes": None if found.spikes is None else dict(found.spikes),
        "facts": dict(timeline.facts),
    }
