"""`netwright simulate`: what a network would do on a machine, as a timeline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from netwright.cli.chip import ChipOptions, simulate_spiking
from netwright.cli.inputs import bound_dims, read_inputs
from netwright.cli.plan import job_of
from netwright.cli.screen import print_json, progress
from netwright.cli.tables import console
from netwright.job.job import Generate, Limits
from netwright.machine.load import machine as load_machine
from netwright.path.describe import describe
from netwright.path.outcome import Figures, promise
from netwright.path.prepare import Request, make
from netwright.path.summary import plan_summary
from netwright.plan.plan import Plan
from netwright.plan.quantity import quantity
from netwright.report.perfetto import write_trace
from netwright.report.quantities import figure_text, label_of
from netwright.report.report import report as make_report
from netwright.simulate import simulate as simulate_program
from netwright.simulate import simulate_generate, simulation
from netwright.timeline.timeline import Timeline


def simulate_json(plan: Plan, timeline: Timeline) -> dict[str, Any]:
    """The object of `simulate --json`: that of `run --json` with nothing measured."""
    facts = dict(timeline.facts)
    interval = timeline.interval
    figures = Figures(
        timeline.peak_memory_bytes,
        timeline.joules,
        None if "token_seconds" in facts else timeline.seconds,
        facts.get("prompt_token_seconds"),
        facts.get("token_seconds"),
    )
    return {
        "network": plan.graph.name,
        "machine": timeline.machine,
        "predicted": figures.as_dict(),
        "measured": None,
        "plan": promise(plan_summary(plan)),
        "seconds": timeline.seconds,
        "interval_seconds": None if interval is None else [interval.low, interval.high],
        "tasks": len(timeline.spans),
        "facts": facts,
    }


def is_chip(machine: str) -> bool:
    """Whether a machine is a chip of spiking cores; asked of the library and of files alone."""
    return machine != "here" and load_machine(machine).spiking is not None


def simulate(
    source: Annotated[str, typer.Argument(help="a file, a folder, or a name")],
    machine: Annotated[str, typer.Option(help="a name, a YAML file, or here")] = "here",
    prompt: Annotated[int, typer.Option(help="prompt tokens")] = 128,
    tokens: Annotated[int, typer.Option(help="generated tokens")] = 64,
    dim: Annotated[list[str] | None, typer.Option(help="name=size of a symbolic size")] = None,
    spikes: Annotated[
        Path | None, typer.Option("--input", help="spikes for a chip of spiking cores (.npz)")
    ] = None,
    dt: Annotated[float | None, typer.Option(help="seconds a step of a spiking network")] = None,
    time: Annotated[str | None, typer.Option(help="of a circuit on a chip: run it so long")] = None,
    trace: Annotated[Path | None, typer.Option(help="write a Perfetto trace")] = None,
    report: Annotated[
        Path | None, typer.Option(help="write a page of the prediction and its plan")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print one object")] = False,
) -> None:
    """Simulate a network on a machine."""
    if spikes is not None or time is not None or is_chip(machine):
        options = ChipOptions(spikes, time, dt, trace, report, json)
        simulate_spiking(source, machine, options)
        return
    job = job_of(source, prompt, tokens, Limits())
    dims = (
        ()
        if describe(source).is_language_model
        else read_inputs(source, [], bound_dims(dim or []))[1]
    )
    with progress() as on_progress:
        plan = make(Request(source, machine, job, dims), on_progress)
    program = plan.lower()
    if isinstance(job, Generate):
        timeline = simulate_generate(simulation(program, plan.machine), job)
    else:
        timeline = simulate_program(program, plan.machine, "forward", {})
    if trace is not None:
        write_trace(trace, (timeline,))
    if report is not None:
        promised = promise(plan_summary(plan))
        make_report(timeline, machine=plan.machine, plan=promised).save(report)
    if json:
        print_json(simulate_json(plan, timeline))
        return
    console.print(f"{timeline.name} on {timeline.machine}, simulated", markup=False)
    console.print(f"  {quantity(timeline.seconds, 'seconds')} in {len(timeline.spans)} tasks")
    for name, value in timeline.facts:
        console.print(f"  {label_of(name)}: {figure_text(name, value)}")
    console.print(f"  peak memory {quantity(timeline.peak_memory_bytes, 'bytes')}")
    if timeline.joules is not None:
        console.print(f"  energy {quantity(timeline.joules, 'joules')}")
    if trace is not None:
        console.print(f"  trace: {trace} (open it at ui.perfetto.dev)")
    if report is not None:
        console.print(f"  report: {report}", markup=False)
