"""Report: a prediction laid over a measurement, to save as a page or to print."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from netwright.errors import ReportError
from netwright.machine.machine import Machine
from netwright.report.html import html_page
from netwright.report.roof import roof_of
from netwright.report.run_record import Run, in_order, nothing_measured, plain_plan
from netwright.report.summary import figures_of
from netwright.report.text import as_text
from netwright.timeline.timeline import Timeline


@final
@dataclass(frozen=True, slots=True)
class Report:
    """A report of one run; `print` shows it as text."""

    run: Run

    def html(self) -> str:
        """One self-contained page."""
        return html_page(self.run)

    def save(self, path: str | Path) -> Path:
        """Writes the page and gives its path.

        Raises:
            ReportError: the file cannot be written.
        """
        target = Path(path)
        try:
            target.write_text(self.html(), encoding="utf-8", errors="replace")
        except OSError as error:
            raise ReportError(f"{target}: cannot be written ({error.strerror})") from error
        return target

    def __str__(self) -> str:
        """The same for a terminal."""
        return as_text(self.run)


def report(
    predicted: Timeline,
    measured: Timeline | None = None,
    machine: Machine | None = None,
    plan: Mapping[str, Any] | None = None,
) -> Report:
    """Lays a prediction over a measurement, or shows it alone where nothing was measured.

    With the machine, its roofline is drawn; `plan` is what the plan promised (path/outcome.py).

    Raises:
        ReportError: `predicted` was not simulated or `measured` not measured.
    """
    for side, timeline, origin in (
        ("predicted", predicted, "simulated"),
        ("measured", measured, "measured"),
    ):
        if timeline is not None and timeline.origin != origin:
            raise ReportError(
                f"report: the {side} timeline {timeline.name!r} is {timeline.origin}, expected"
                f" {origin}; swap the two?"
            )
    shown = predicted if measured is None else measured
    run = Run(
        shown.name,
        shown.machine if machine is None else machine.title,
        figures_of(predicted, measured),
        plain_plan(plan or {}),
        in_order(predicted),
        nothing_measured(predicted) if measured is None else in_order(measured),
        roof=None if machine is None else roof_of(machine),
    )
    return Report(run)
