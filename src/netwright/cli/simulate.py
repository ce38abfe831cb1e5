"""`netwright simulate`: what a network would do on a machine, as a timeline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netwright.cli.inputs import bound_dims, read_inputs
from netwright.cli.plan import job_of
from netwright.cli.screen import console, print_json, progress
from netwright.frontends.describe import is_language_model
from netwright.job.job import Generate, Limits
from netwright.path.prepare import Request, make
from netwright.plan.plan import quantity
from netwright.report.perfetto import write_trace
from netwright.simulate import simulate as simulate_program
from netwright.simulate import simulate_generate, simulation


def simulate(
    source: Annotated[str, typer.Argument(help="a file, a folder, or a name")],
    machine: Annotated[str, typer.Option(help="a name, a YAML file, or here")] = "here",
    prompt: Annotated[int, typer.Option(help="prompt tokens")] = 128,
    tokens: Annotated[int, typer.Option(help="generated tokens")] = 64,
    dim: Annotated[list[str] | None, typer.Option(help="name=size of a symbolic size")] = None,
    trace: Annotated[Path | None, typer.Option(help="write a Perfetto trace")] = None,
    json: Annotated[bool, typer.Option("--json", help="print one object")] = False,
) -> None:
    """Simulate a network on a machine."""
    job = job_of(source, prompt, tokens, Limits())
    dims = () if is_language_model(source) else read_inputs(source, [], bound_dims(dim or []))[1]
    with progress() as on_progress:
        plan = make(Request(source, machine, job, dims), on_progress)
    program = plan.lower()
    if isinstance(job, Generate):
        timeline = simulate_generate(simulation(program, plan.machine), job)
    else:
        timeline = simulate_program(program, plan.machine, "forward", {})
    if trace is not None:
        write_trace(trace, (timeline,))
    if json:
        print_json(
            {
                "network": timeline.name,
                "machine": timeline.machine,
                "seconds": timeline.seconds,
                "interval_seconds": None
                if timeline.interval is None
                else [timeline.interval.low, timeline.interval.high],
                "peak_memory_bytes": timeline.peak_memory_bytes,
                "energy_joules": timeline.joules,
                "tasks": len(timeline.spans),
                **dict(timeline.facts),
            }
        )
        return
    console.print(f"{timeline.name} on {timeline.machine}, simulated", markup=False)
    console.print(f"  {quantity(timeline.seconds, 'seconds')} in {len(timeline.spans)} tasks")
    for name, value in timeline.facts:
        unit = "seconds" if name.endswith("seconds") else ""
        console.print(f"  {name}: {quantity(value, unit)}")
    console.print(f"  peak memory {quantity(timeline.peak_memory_bytes, 'bytes')}")
    if timeline.joules is not None:
        console.print(f"  energy {quantity(timeline.joules, 'joules')}")
    if trace is not None:
        console.print(f"  trace: {trace} (open it at ui.perfetto.dev)")
