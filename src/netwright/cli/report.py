"""`netwright report`: a kept run as one HTML page."""

from __future__ import annotations

import webbrowser
from json import dumps
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from netwright.report.report import Report
from netwright.report.save import load_run, run_json
from netwright.report.text import render


def report(
    folder: Annotated[Path, typer.Argument(help="a folder that `run --out` wrote")],
    out: Annotated[
        Path | None, typer.Option(help="the page; FOLDER/report.html if left out")
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="show it in a browser")] = False,
    json: Annotated[bool, typer.Option("--json", help="print one object")] = False,
) -> None:
    """Write the report of a kept run: one page, complete in itself."""
    run = load_run(folder)
    page = Report(run).save(folder / "report.html" if out is None else out)
    if json:
        print(dumps({"report": str(page), **run_json(run)}, allow_nan=False))
    else:
        console = Console(highlight=False)
        console.print(render(run))
        console.print(str(page), markup=False, soft_wrap=True)
    if open_:
        webbrowser.open(page.resolve().as_uri())
