"""What commands share: the console, progress, tables of predicted against measured."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from netwright.cli import later
from netwright.path.outcome import Outcome
from netwright.path.prepare import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bar


def say(text: str, end: str = "\n") -> None:
    """Plain text on standard output, at once."""
    print(text, end=end, flush=True)


def remark(text: str) -> None:
    """Something that the user should know, on the error stream."""
    print(f"note: {text}", file=sys.stderr)


@contextmanager
def progress() -> Generator[Progress]:
    """A bar on the error stream that comes when there is something to wait for."""
    bars: list[tuple[Bar, Any]] = []

    def show(what: str, share: float) -> None:
        if not bars:
            bar = later.new_bar()
            bar.start()
            bars.append((bar, bar.add_task("", total=1.0)))
        bar, task = bars[0]
        bar.update(task, description=what, completed=share)
        if share >= 1.0:
            bar.stop()

    try:
        yield show
    finally:
        for bar, _ in bars:
            bar.stop()


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object on standard output; arrays as nested lists."""
    print(json.dumps(value, default=_plain))


def _plain(value: Any) -> Any:
    array: Any = np.asarray(value)
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
        "notes": list(outcome.notes),
    }
