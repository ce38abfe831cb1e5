"""Runs workers in batches and collects what escaped, crashed or hung."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import final

from .kind import Kind
from .worker import escaped_name

ROOT = Path(__file__).parents[2]
BATCH = 2000
# Starting a worker and writing its seeds, under a sanitiser on a busy machine.
START_SECONDS = 120.0


@final
@dataclass(frozen=True, slots=True)
class Failure:
    """One case that did not end in success or a NetwrightError; `file` holds its bytes."""

    kind: str
    seed: int
    index: int
    what: str
    file: Path

    def __str__(self) -> str:
        again = f"--kinds {self.kind} --seed {self.seed} --first {self.index} --count 1"
        return (
            f"{self.kind} case {self.index} ({self.file}):\n{self.what}\n"
            f"again: python -m tests.fuzz {again}"
        )


@final
@dataclass(frozen=True, slots=True)
class Run:
    """Which cases to run: `count` from `first` on, each within `case_seconds`."""

    seed: int
    first: int
    count: int
    case_seconds: float


@final
@dataclass(frozen=True, slots=True)
class Outcome:
    """How many cases were run, how many of those files were taken, and what went wrong."""

    cases: int
    taken: int
    failures: tuple[Failure, ...]


def drive(kind: Kind, run: Run, kept: Path, most_failures: int = 20) -> Outcome:
    """Runs the cases of a kind, at most until `most_failures`; failing files go to `kept`."""
    failures: tuple[Failure, ...] = ()
    cases = taken = 0
    while cases < run.count and len(failures) < most_failures:
        count = min(BATCH, run.count - cases)
        done = _batch(kind, Run(run.seed, run.first + cases, count, run.case_seconds), kept)
        cases += done.cases
        taken += done.taken
        failures += done.failures
    return Outcome(cases, taken, failures)


def _batch(kind: Kind, run: Run, kept: Path) -> Outcome:
    """One worker. A crash or a hang ends it early."""
    with tempfile.TemporaryDirectory(prefix="netwright-fuzz-") as folder:
        done = _work(kind, run, folder)
        reached, taken, failures = -1, 0, list[Failure]()
        for line in done.stdout.splitlines():
            number, _, text = line.partition(" ")
            reached = int(number)
            what = json.loads(text) if text else ""
            if what is None:
                taken += 1
            elif what:
                case = Path(folder) / escaped_name(kind, reached)
                failures.append(_keep(kind, run, reached, what, case, kept))
        if done.returncode == 0:
            return Outcome(run.count, taken, tuple(failures))
        if reached < 0:
            raise RuntimeError(f"{kind.name}: no case was run:\n{done.stderr[-4000:]}")
        what = f"the process ended with {done.returncode}:\n{done.stderr[-4000:]}"
        case = Path(folder) / f"case{kind.suffix}"
        failures.append(_keep(kind, run, reached, what, case, kept))
        return Outcome(reached + 1 - run.first, taken, tuple(failures))


def _work(kind: Kind, run: Run, folder: str) -> subprocess.CompletedProcess[str]:
    # What the caller has put first stays first: `make sanitize` does.
    paths = (os.environ.get("PYTHONPATH"), str(ROOT / "src"), str(ROOT))
    sanitised = "asan" in os.environ.get("LD_PRELOAD", "")
    command = [
        sys.executable, "-m", "tests.fuzz.worker", kind.name, str(run.seed), str(run.first),
        str(run.count), str(run.case_seconds), folder, str(int(sanitised)),
    ]  # fmt: skip
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in paths if p)},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=START_SECONDS + run.count * run.case_seconds,
        check=False,
    )


def _keep(kind: Kind, run: Run, index: int, what: str, case: Path, kept: Path) -> Failure:
    kept.mkdir(parents=True, exist_ok=True)
    file = kept / f"{kind.name}-{run.seed}-{index}{kind.suffix}"
    if case.exists():
        shutil.copy(case, file)
    return Failure(kind.name, run.seed, index, what, file)
