"""`netwright graph show`: operators, shapes, einsums, MACs, bytes, intensity."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from netwright.cli.inputs import bound_dims, read_inputs
from netwright.cli.screen import print_json, say
from netwright.frontends.load import load
from netwright.graph.analysis import Analysis, Work, analyse
from netwright.graph.text import graph_text
from netwright.path.describe import describe
from netwright.plan.quantity import count, quantity

app = typer.Typer(help="Graphs: show.", no_args_is_help=True)


@app.callback()
def graph() -> None:
    """Graphs."""


@app.command("show")
def show(
    source: Annotated[str, typer.Argument(help="a file, a folder, or a name")],
    dim: Annotated[list[str] | None, typer.Option(help="name=size of a symbolic size")] = None,
    json: Annotated[bool, typer.Option("--json", help="print one object")] = False,
) -> None:
    """Print a network: operators, shapes, einsums, MACs, bytes by tensor, intensity."""
    given = bound_dims(dim or [])
    text = describe(source).is_language_model
    dims = () if text else read_inputs(source, [], given)[1]
    found = load(source, dims=dict(dims) or None)
    known = dict(given)
    symbols = {s.name: known.get(s.name, s.low) for s in found.symbols}
    analysis = analyse(found, symbols)
    if json:
        print_json({"network": found.name, "symbols": symbols, **_json(analysis)})
        return
    say(graph_text(found))
    say("\n".join(_lines(analysis, symbols)))


def _passes(work: Work) -> int:
    """The most passes over one input."""
    return max((t.passes for t in work.traffic if not t.written), default=0)


def _json(analysis: Analysis) -> dict[str, Any]:
    return {
        "macs": analysis.macs,
        "moved_bytes": analysis.moved_bytes,
        "weight_bytes": analysis.weight_bytes,
        "bits_per_weight": analysis.bits_per_weight,
        "operations_per_byte": analysis.intensity,
        "operators": [
            {
                "name": w.name,
                "kind": w.kind,
                "repeat": w.repeat,
                "macs": w.macs,
                "read_bytes": w.read_bytes,
                "written_bytes": w.written_bytes,
                "operations_per_byte": w.intensity,
                "passes": _passes(w),
            }
            for w in analysis.works
        ],
    }


def _lines(analysis: Analysis, symbols: dict[str, int]) -> Iterator[str]:
    """One row an operator (once, of a folded block), then the whole."""
    at = ", ".join(f"{name} = {value}" for name, value in symbols.items())
    yield f"\nwork of each operator{f' at {at}' if at else ''}, nothing fused:"
    head = ("operator", "kind", "times", "MACs", "read", "written", "operations a byte", "passes")
    rows = [head, *(_row(w) for w in analysis.works)]
    wide = [max(len(row[i]) for row in rows) for i in range(len(head))]
    for row in rows:
        cells = [
            c.ljust(w) if i < 2 else c.rjust(w)
            for i, (c, w) in enumerate(zip(row, wide, strict=True))
        ]
        yield "  " + "  ".join(cells)
    moved, weights = (quantity(n, "bytes") for n in (analysis.moved_bytes, analysis.weight_bytes))
    yield (
        f"in all {count(analysis.macs)}MACs, {moved} moved, {analysis.intensity:.3g} operations a "
        f"byte; weights {weights}, {analysis.bits_per_weight:.3g} true bits each"
    )


def _row(work: Work) -> tuple[str, ...]:
    return (
        work.name,
        work.kind,
        str(work.repeat),
        count(work.macs).strip() or "0",
        quantity(work.read_bytes, "bytes"),
        quantity(work.written_bytes, "bytes"),
        f"{work.intensity:.3g}",
        str(_passes(work)),
    )
