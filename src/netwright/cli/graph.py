"""`netwright graph show`: operators, shapes, einsums, MACs, bytes, intensity."""

from __future__ import annotations

from typing import Annotated

import typer

from netwright.cli.inputs import bound_dims, read_inputs
from netwright.cli.tables import console
from netwright.frontends.load import load
from netwright.graph.text import graph_text
from netwright.path.describe import describe

app = typer.Typer(help="Graphs: show.", no_args_is_help=True)


@app.callback()
def graph() -> None:
    """Graphs."""


@app.command("show")
def show(
    source: Annotated[str, typer.Argument(help="a file, a folder, or a name")],
    dim: Annotated[list[str] | None, typer.Option(help="name=size of a symbolic size")] = None,
) -> None:
    """Print a network: operators, shapes, einsums, MACs, bytes by tensor, intensity."""
    dims = (
        ()
        if describe(source).is_language_model
        else read_inputs(source, [], bound_dims(dim or []))[1]
    )
    console.print(graph_text(load(source, dims=dict(dims) or None)), markup=False)
