"""What commands share: the console, progress, tables of predicted against measured."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from netwright.errors import NetwrightError
from netwright.path.outcome import Figures, Outcome
from netwright.path.prepare import Progress as OnProgress
from netwright.plan.plan import quantity

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def complain(error: NetwrightError) -> None:
    """One message on the error stream."""
    errors.print(f"[bold red]{type(error).__name__}[/]: ", end="")
    errors.print(str(error), markup=False)


@contextmanager
def progress() -> Generator[OnProgress]:
    """A bar on the error stream that comes when there is something to wait for."""
    bar = Progress(
        TextColumn("[dim]{task.description}"), BarColumn(), console=errors, transient=True
    )
    with bar:
        task = bar.add_task("", total=1.0, visible=False)

        def show(what: str, share: float) -> None:
            bar.update(task, description=what, completed=share, visible=True)

        yield show


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object on standard output; arrays as nested lists."""
    print(json.dumps(value, default=_plain))


def _plain(value: Any) -> Any:
    array: NDArray[Any] = np.asarray(value)
    if array.dtype == object:
        raise TypeError(f"{type(value)} is not JSON")
    return array.tolist()


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """The object of `run --json`."""
    first: dict[str, Any] = (
        {"text": outcome.text} if outcome.text is not None else {"outputs": outcome.outputs}
    )
    return {
        **first,
        "network": outcome.network,
        "predicted": outcome.predicted.as_dict(),
        "measured": outcome.measured.as_dict(),
        "plan": dict(outcome.plan),
    }


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
        gap = "" if reached is None else f"; measured is {reached / bound:.2f} times the bound"
        console.print(f"bound {quantity(bound, 'seconds')} ({outcome.plan['certificate']}){gap}")
    console.print(f"memory: {outcome.plan.get('memory', '')}")


def _repeated(figures: Figures) -> float | None:
    return figures.token_seconds if figures.seconds is None else figures.seconds


def _cell(value: float | None, unit: str) -> str:
    return "unknown" if value is None else quantity(value, unit)
