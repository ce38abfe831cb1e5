"""What commands show with rich: the console, a bar, predicted against measured."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from netwright.path.outcome import Figures, Outcome
from netwright.plan.quantity import quantity

# What goes to a file or a pipe is not folded to the width of a screen.
PIPE_COLUMNS = 160
console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_COLUMNS)
errors = Console(stderr=True, highlight=False)


def new_bar() -> Progress:
    """A bar on the error stream; gone when it is done."""
    return Progress(
        TextColumn("[dim]{task.description}"), BarColumn(), console=errors, transient=True
    )


ROWS = (
    ("prompt, per token", "prompt_token_seconds", "seconds"),
    ("generation, per token", "token_seconds", "seconds"),
    ("one pass", "seconds", "seconds"),
    ("peak memory", "peak_memory_bytes", "bytes"),
    ("energy", "energy_joules", "joules"),
)


def show_outcome(outcome: Outcome) -> None:
    """Predicted beside measured, and the gap to the bound."""
    table = Table(title=f"{outcome.network} on this machine", title_justify="left")
    for column in ("", "predicted", "measured", "measured / predicted"):
        table.add_column(column, justify="left" if not column else "right")
    predicted, measured = outcome.predicted.as_dict(), outcome.measured.as_dict()
    for label, key, unit in ROWS:
        a, b = predicted.get(key), measured.get(key)
        if a is None and b is None:
            continue
        ratio = f"{b / a:.2f}" if a and b else ""
        table.add_row(label, _cell(a, unit), _cell(b, unit), ratio)
    console.print(table)
    bound = outcome.plan.get("bound_seconds")
    if bound:
        reached = _repeated(outcome.measured)
        gap = "" if reached is None else f"; measured {reached / bound:.2f} times the bound"
        certificate = f"the plan is {outcome.plan['certificate']}{gap}"
        least = quantity(bound, "seconds")
        console.print(f"no plan can take less than {least}: {certificate}", soft_wrap=True)
    console.print(f"memory: {outcome.plan.get('memory', 'no bound known')}", soft_wrap=True)
    for note in outcome.notes:
        console.print(f"note: {note}", soft_wrap=True)


def _repeated(figures: Figures) -> float | None:
    return figures.token_seconds if figures.seconds is None else figures.seconds


def _cell(value: float | None, unit: str) -> str:
    return "unknown" if value is None else quantity(value, unit)
