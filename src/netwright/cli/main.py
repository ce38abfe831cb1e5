"""`netwright …`: one file a command."""

from __future__ import annotations

import sys

import typer

from netwright import __version__
from netwright.cli import demo, graph, machine, plan, report, run, simulate
from netwright.cli.screen import complain
from netwright.errors import NetwrightError

app = typer.Typer(
    name="netwright",
    help="Build neural networks onto machines: plan, prove, predict and run.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("run")(run.run)
app.command("plan")(plan.plan)
app.command("simulate")(simulate.simulate)
app.command("report")(report.report)
app.command("demo")(demo.demo)
app.add_typer(machine.app, name="machine")
app.add_typer(graph.app, name="graph")


@app.command("version")
def version() -> None:
    """Print the version."""
    print(__version__)


def main() -> None:
    """The console script. An error that we raise on purpose is one message, not a traceback."""
    try:
        app()
    except NetwrightError as error:
        complain(error)
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(141)
    except KeyboardInterrupt:
        sys.exit(130)
