"""Report: a prediction laid over a measurement, to save as a page or to print."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import final

from netwright.errors import ReportError
from netwright.machine.machine import Machine
from netwright.report.html import html_page
from netwright.report.roof import roof_of
from netwright.report.run_record import Run, in_order
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


def report(predicted: Timeline, measured: Timeline, machine: Machine | None = None) -> Report:
    """Lays a prediction over a measurement. With the machine, its roofline is drawn.

    Raises:
        ReportError: `predicted` was not simulated or `measured` not measured.
    """
    for side, timeline, origin in (
        ("predicted", predicted, "simulated"),
        ("measured", measured, "measured"),
    ):
        if timeline.origin != origin:
            raise ReportError(
                f"report: the {side} timeline {timeline.name!r} is {timeline.origin}, expected"
                f" {origin}; swap the two?"
            )
    run = Run(
        measured.name,
        measured.machine if machine is None else machine.title,
        figures_of(predicted, measured),
        {},
        in_order(predicted),
        in_order(measured),
        roof=None if machine is None else roof_of(machine),
    )
    return Report(run)
