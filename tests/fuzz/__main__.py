"""The command line of the harness."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .drive import ROOT, Run, drive
from .kinds import KINDS


def main() -> int:
    """Runs what is asked; 1 when anything but a NetwrightError escaped."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=2000, help="cases of each kind")
    parser.add_argument("--kinds", default=",".join(k.name for k in KINDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="index of the first case")
    parser.add_argument("--case-seconds", type=float, default=10.0)
    parser.add_argument("--keep", type=Path, default=ROOT / "build" / "fuzz")
    given = parser.parse_args()
    wanted: list[str] = given.kinds.split(",")
    known = {kind.name: kind for kind in KINDS}
    if unknown := sorted(set(wanted) - set(known)):
        parser.error(f"no kinds {unknown}; known: {', '.join(known)}")
    failed = 0
    for name in wanted:
        run = Run(given.seed, given.first, given.count, given.case_seconds)
        done = drive(known[name], run, given.keep)
        failed += len(done.failures)
        for failure in done.failures:
            sys.stdout.write(f"{failure}\n\n")
        sys.stdout.write(
            f"{name}: {done.cases} cases from {given.first}, {done.taken} files taken, "
            f"{len(done.failures)} failed\n"
        )
        sys.stdout.flush()
    return 1 if failed else 0


sys.exit(main())
