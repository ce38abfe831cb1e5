"""`netwright demo`: a real language model here, and what it would do on five other machines."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from netwright.cli.screen import outcome_json, print_json, progress
from netwright.cli.tables import console, show_outcome
from netwright.job.job import Generate
from netwright.path.prepare import Request, make
from netwright.path.text import TextOptions, run_text
from netwright.plan.plan import Plan, infeasible_text
from netwright.plan.quantity import quantity

NETWORK = "smollm2"
PROMPT = "The capital of France is"
MACHINES = ("stm32f746", "raspberry-pi-5", "xeon-8380", "a100-sxm-80", "h100-sxm")
TOKENS = 64


def demo(json: Annotated[bool, typer.Option("--json", help="print one object")] = False) -> None:
    """Run SmolLM2-135M here, then plan it for five machines from a microcontroller to an H100."""
    with progress() as on_progress:
        if not json:
            console.print(f"[bold]{PROMPT}[/]", end="")

        def show(text: str) -> None:
            if not json:
                console.out(text, end="", highlight=False)

        outcome = run_text(NETWORK, PROMPT, TextOptions(TOKENS), show, on_progress)
        job = Generate(prompt=128, tokens=TOKENS)
        plans = [make(Request(NETWORK, name, job)) for name in MACHINES]
    if json:
        print_json({**outcome_json(outcome), "machines": [_row_json(p) for p in plans]})
        return
    console.print("\n")
    show_outcome(outcome)
    table = Table(title="The same network elsewhere, simulated", title_justify="left")
    table.add_column("machine")
    for column in ("prompt of 128", "one token", "bound", "energy a token"):
        table.add_column(column, justify="right")
    for plan in plans:
        table.add_row(*_row(plan))
    console.print(table)
    for plan in plans:
        if plan.infeasible is not None:
            console.print(f"{_title(plan)} {infeasible_text(plan.infeasible)}", markup=False)


def _title(plan: Plan) -> str:
    """The machine's title without what is in brackets."""
    return plan.machine.title.partition(" (")[0]


def _row(plan: Plan) -> tuple[str, ...]:
    if plan.infeasible is not None:
        return _title(plan), "does not fit", "", "", ""
    prompt, token = plan.prediction("prefill"), plan.prediction("decode")
    bound = token.certificate.bound
    return (
        _title(plan),
        quantity(prompt.seconds, "seconds"),
        quantity(token.seconds, "seconds"),
        "" if bound is None else quantity(bound, "seconds"),
        "unknown" if token.joules is None else quantity(token.joules, "joules"),
    )


def _row_json(plan: Plan) -> dict[str, object]:
    reason = None if plan.infeasible is None else infeasible_text(plan.infeasible)
    token = plan.prediction("decode")
    return {
        "machine": plan.machine.name,
        "feasible": reason is None,
        "reason": reason,
        "prompt_seconds": plan.prediction("prefill").seconds,
        "token_seconds": token.seconds,
        "bound_seconds": token.certificate.bound,
    }
