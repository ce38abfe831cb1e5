"""A study run as a file: `python studies/FAMILY/KEY.py [--reduced]`."""

from __future__ import annotations

import sys
from pathlib import Path

from netwright.errors import NetwrightError
from netwright.study.claim import Finding
from netwright.study.execute import execute
from netwright.study.study import Study
from netwright.study.text import finding_lines, result_lines


def show(one: Finding | str) -> None:
    """Prints a finding, or a line of text, at once."""
    for line in (one,) if isinstance(one, str) else finding_lines(one):
        print(line, flush=True)


def main(study: Study) -> None:
    """Runs the study whose file is the program, and ends the process: 1 when it does not bear out.

    For the last lines of a study's file, under `if __name__ == "__main__":`.
    """
    key = Path(sys.argv[0]).stem.replace("_", "-")
    wrong = [word for word in sys.argv[1:] if word != "--reduced"]
    if wrong:
        sys.exit(f"{sys.argv[0]}: unknown {wrong[0]!r}; it takes --reduced or nothing")
    try:
        result = execute(key, study, "--reduced" not in sys.argv, show)
    except NetwrightError as error:
        sys.exit(f"error: {error}")
    print("\n".join(result_lines(result)))
    sys.exit(bool(result.unexplained))
