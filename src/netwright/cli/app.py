"""The commands, by an explicit table: a command's module is imported when it is called."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from netwright import __version__

# Command → its home (`module:name`; an `app` is a group) and what `--help` says of it.
HOMES: Mapping[str, tuple[str, str]] = {
    "run": ("netwright.cli.run:run", "Run a network here and lay the prediction over it."),
    "plan": ("netwright.cli.plan:plan", "Plan a network for a machine, here or not."),
    "simulate": ("netwright.cli.simulate:simulate", "Simulate a network on a machine."),
    "schedule": ("netwright.cli.schedule:schedule", "Schedule a pipeline over many workers."),
    "parallel": ("netwright.cli.parallel:parallel", "Lay training over a cluster: t x p x d."),
    "train": ("netwright.cli.train:train", "Train a network in worker processes."),
    "report": ("netwright.cli.report:report", "Write the report of a kept run: one page."),
    "demo": ("netwright.cli.demo:demo", "SmolLM2-135M here, then planned for five machines."),
    "study": ("netwright.cli.study:app", "Studies of published papers: list, run, show."),
    "machine": ("netwright.cli.machine:app", "Machines: list, show, probe."),
    "graph": ("netwright.cli.graph:app", "Graphs: show."),
}


@final
class Commands(TyperGroup):
    """Shows the table; loads what is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Every command, in the order of the table."""
        return list(HOMES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """What help shows of a command; nothing of it is imported."""
        if cmd_name not in HOMES:
            return None
        return TyperCommand(cmd_name, help=HOMES[cmd_name][1])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command itself."""
        if args and args[0] in HOMES:
            return args[0], _command(args[0]), args[1:]
        return super().resolve_command(ctx, args)


def _command(name: str) -> Any:
    module, _, attribute = HOMES[name][0].partition(":")
    found: Any = getattr(import_module(module), attribute)
    if not isinstance(found, typer.Typer):
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        app.command(name)(found)
        found = app
    command = get_command(found)
    command.name = name
    return command


app = typer.Typer(
    name="netwright",
    cls=Commands,
    help="Build neural networks onto machines: plan, prove, predict and run.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def netwright(
    version: bool = typer.Option(False, "--version", help="Print the version."),
) -> None:
    """Build neural networks onto machines: plan, prove, predict and run."""
    if version:
        print(__version__)
        raise typer.Exit()
