"""`netwright plan`: what would be done on a machine, and how far from the bound."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import typer

from netwright.cli.inputs import bound_dims, read_inputs
from netwright.cli.limits import limits
from netwright.cli.limits import precision as precision_of
from netwright.cli.screen import print_json, progress
from netwright.cli.tables import console
from netwright.errors import JobError
from netwright.job.job import Generate, Goal, Infer, Job, Limits
from netwright.path.describe import describe
from netwright.path.outcome import promise
from netwright.path.prepare import Request, make
from netwright.path.summary import plan_summary, predicted
from netwright.plan.plan import Plan, infeasible_text
from netwright.plan.quantity import quantity


def job_of(source: str, prompt: int, tokens: int, limits: Limits) -> Job:
    """Generate for a language model, Infer for everything else."""
    if describe(source).is_language_model:
        return Generate(prompt, tokens, limits=limits)
    return Infer(limits=limits)


def goal_of(name: str) -> Goal:
    """The goal of this name.

    Raises:
        JobError: there is none.
    """
    known = {one.value: one for one in (Goal.SECONDS, Goal.JOULES)}
    if name not in known:
        raise JobError(f"--goal {name!r}: expected {' or '.join(known)}")
    return known[name]


def plan_json(made: Plan) -> dict[str, Any]:
    """The object of `plan --json`: that of `run --json`, nothing measured, and the decisions."""
    summary = plan_summary(made)
    reason = None if made.infeasible is None else infeasible_text(made.infeasible)
    return {
        "network": summary["network"],
        "machine": summary["machine"],
        "feasible": reason is None,
        "reason": reason,
        "predicted": predicted(made),
        "measured": None,
        "plan": promise(summary),
        "predictions": summary["predictions"],
        "memory": summary["memory"],
        "decisions": summary["decisions"],
    }


def plan(
    source: Annotated[str, typer.Argument(help="a file, a folder, or a name")],
    machine: Annotated[str, typer.Option(help="a name, a YAML file, or here")] = "here",
    prompt: Annotated[int, typer.Option(help="prompt tokens")] = 128,
    tokens: Annotated[int, typer.Option(help="generated tokens")] = 64,
    threads: Annotated[int | None, typer.Option(help="most threads to use")] = None,
    memory_limit: Annotated[str | None, typer.Option(help="most memory in all: 80MB")] = None,
    time_limit: Annotated[
        str | None, typer.Option(help="most time of one token or pass: 5ms")
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="keep, choose (by default, under a limit), or a format")
    ] = None,
    goal: Annotated[str, typer.Option(help="seconds or joules: what is made small")] = "seconds",
    dim: Annotated[list[str] | None, typer.Option(help="name=size of a symbolic size")] = None,
    explain: Annotated[bool, typer.Option(help="every decision")] = False,
    json: Annotated[bool, typer.Option("--json", help="print one object")] = False,
) -> None:
    """Plan a network for a machine, here or not."""
    within = limits(memory_limit, time_limit, threads)
    chosen = precision_of(precision, within)
    job = replace(job_of(source, prompt, tokens, within), precision=chosen, goal=goal_of(goal))
    dims = (
        ()
        if describe(source).is_language_model
        else read_inputs(source, [], bound_dims(dim or []))[1]
    )
    with progress() as on_progress:
        made = make(Request(source, machine, job, dims), on_progress)
    if json:
        print_json(plan_json(made))
        return
    if explain:
        console.print(made.explain(), markup=False, soft_wrap=True)
        return
    if made.infeasible is not None:
        console.print(infeasible_text(made.infeasible), markup=False, soft_wrap=True)
        return
    for p in made.predictions:
        bound = p.certificate.bound
        against = "" if bound is None else f", bound {quantity(bound, 'seconds')}"
        console.print(
            f"{p.entry}: {quantity(p.seconds, 'seconds')}{against}, {p.certificate.text}",
            markup=False,
        )
