"""`netwright …`: the console script. What a command needs is imported when it is called."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING

from netwright import __version__
from netwright.errors import NetwrightError
from netwright.later import imports_of

if TYPE_CHECKING:
    pass

HOMES = {"app": "netwright.cli.app"}
__getattr__ = imports_of(__name__, HOMES)

BAD_INPUT, INTERRUPTED = 2, 130


def main() -> None:
    """Runs the command line. An error that we raise on purpose is one message, not a traceback."""
    if sys.argv[1:] == ["--version"]:  # what needs nothing imports nothing
        print(__version__)
        return
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # what a terminal cannot show is a "?"
    try:
        __getattr__("app")()
    except NetwrightError as error:
        _complain(type(error).__name__, f": {error}")
        sys.exit(BAD_INPUT)
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            print()  # ends the line that was being streamed
            _complain("interrupted", "")
        raise


def _complain(kind: str, rest: str) -> None:
    red, plain = ("\033[1;31m", "\033[0m") if sys.stderr.isatty() else ("", "")
    print(f"{red}{kind}{plain}{rest}", file=sys.stderr)
