"""Text: a run for terminals; the same figures and groups as the page."""

from __future__ import annotations

import io

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from netwright.report.quantities import (
    bytes_text,
    figure_text,
    label_of,
    ratio_text,
    scaled,
    seconds_text,
    verdict,
)
from netwright.report.run_record import Run
from netwright.report.summary import Row, Summary, summary_of

MOST_ROWS = 12
_STYLES = {"near": "green", "off": "yellow", "far": "red", "unknown": "dim"}


def render(run: Run) -> RenderableType:
    """Figures, then the opcodes and the operators that take longest; to give to a console."""
    summary = summary_of(run)
    parts: list[RenderableType] = [_figures(run), _rows("opcodes", summary.opcodes, summary)]
    parts.append(_rows("operators", summary.operators, summary))
    return Group(*parts)


def as_text(run: Run, width: int = 100) -> str:
    """The same as plain text, so many columns wide."""
    target = io.StringIO()
    console = Console(file=target, width=width, color_system=None, highlight=False)
    console.print(render(run))
    return target.getvalue()


def _table(title: str, *columns: str) -> Table:
    table = Table(title=Text(title, style="bold"), title_justify="left")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right", overflow="fold")
    return table


def _ratio(ratio: float | None) -> Text:
    return Text(ratio_text(ratio), style=_STYLES[verdict(ratio)])


def _figures(run: Run) -> Table:
    machine = run.machine if run.roof is None else run.roof.machine
    table = _table(
        f"{run.network} on {machine}", "", "predicted", "measured", "measured / predicted"
    )
    for figure in run.figures:
        if figure.predicted is None and figure.measured is None:
            continue
        table.add_row(
            Text(label_of(figure.name)),
            figure_text(figure.name, figure.predicted),
            figure_text(figure.name, figure.measured),
            _ratio(figure.ratio),
        )
    return table


def _rows(title: str, rows: tuple[Row, ...], summary: Summary) -> Table:
    if len(rows) > MOST_ROWS:
        title = f"{title}: the {MOST_ROWS} longest of {len(rows)}"
    if summary.windowed:
        title += ", last predicted call"
    table = _table(title, "", "predicted", "measured", "ratio", "bytes", "operations")
    for row in rows[:MOST_ROWS]:
        name = row.name if row.name == row.opcode else f"{row.name} ({row.opcode})"
        table.add_row(
            Text(name),  # never read as markup: names come from files
            seconds_text(row.predicted_seconds or None),
            seconds_text(row.measured_seconds or None),
            _ratio(row.ratio),
            bytes_text(row.bytes_moved),
            scaled(row.operations),
        )
    return table
