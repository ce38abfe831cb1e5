"""CPU seconds from a fresh process to a first result with a cached plan: python -m
benchmarks.first_result. With and without the start of the interpreter and of numpy.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from benchmarks.array_cases import CASES, ArrayCase, case_inputs
from benchmarks.tables import machine_line, show

FOLDER = Path("build/bench")
CLAIMED_SECONDS = 0.1
ROOT = Path(__file__).parents[1]

# What a fresh process does. The clock counts the CPU time of the process since it began.
FORWARD = """
import time, json, sys
bare = time.process_time()
import numpy as np
started = time.process_time()
import netwright as nw
from netwright.job.job import Infer, Limits
from netwright.path.prepare import Request, prepare
from netwright.path.arrays import random_inputs
from netwright.run.native import NativeRuntime
imported = time.process_time()
source, dims = json.loads(sys.argv[1])
job = Infer(limits=Limits(threads=1))
prepared = prepare(Request(source, "here", job, tuple((n, v) for n, v in dims)))
assert prepared.plan is None, "the plan was not in the cache"
found = time.process_time()
given = random_inputs(prepared)
ready = time.process_time()
runtime = NativeRuntime(prepared.file)
runtime.call("forward", given, {})
end = time.process_time()
print(json.dumps([bare, started - bare, imported - started, found - imported, end - ready]))
"""

# The same from the program's file: what a service that was given its plan does.
FROM_FILE = """
import time, json, sys
bare = time.process_time()
import numpy as np
started = time.process_time()
from pathlib import Path
from netwright.program.file import open_program
from netwright.run.native import NativeRuntime
imported = time.process_time()
path, inputs = json.loads(sys.argv[1])
with np.load(inputs) as archive:
    given = {name: archive[name] for name in archive.files}
ready = time.process_time()
file = open_program(Path(path))
found = time.process_time()
NativeRuntime(file).call("forward", given, {})
end = time.process_time()
print(json.dumps([bare, started - bare, imported - started, found - ready, end - found]))
"""


def fresh(script: str, argument: Any) -> list[float]:
    """CPU seconds: interpreter, numpy, our imports, the plan, load and first pass."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", script, json.dumps(argument)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def _row(name: str, script: str, argument: Any, repeats: int) -> list[str]:
    fresh(script, argument)  # the files are in memory from here on
    runs = [fresh(script, argument) for _ in range(repeats)]
    bare, arrays, ours, plan, first = (median(column) for column in zip(*runs, strict=True))
    own = ours + plan + first
    figures = (bare, arrays, ours, plan, first, plan + first, own, own + arrays + bare)
    verdicts = ["reached" if s <= CLAIMED_SECONDS else "missed" for s in (plan + first, own)]
    return [name, *(f"{f:.3f}" for f in figures), ", ".join(verdicts)]


def _rows(case: ArrayCase, repeats: int) -> list[list[str]]:
    request = case.request()
    prepared = case.prepare()
    inputs = (FOLDER / "arrays" / f"{case.source}-first.npz").resolve()
    inputs.parent.mkdir(parents=True, exist_ok=True)
    np.savez(inputs, **case_inputs(prepared))  # pyright: ignore[reportArgumentType]
    return [
        _row(f"{case.name}, by name", FORWARD, [request.source, request.dims], repeats),
        _row(
            f"{case.name}, from its program",
            FROM_FILE,
            [str(prepared.file.path), str(inputs)],
            repeats,
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    given = parser.parse_args()
    print(machine_line())
    rows: list[list[str]] = []
    for case in CASES:
        if given.only in case.name:
            rows += _rows(case, given.repeats)
            print("  " + "  ".join(rows[-1]), flush=True)
    head = ["CPU seconds, medians", "interpreter", "numpy", "import", "cached plan"]
    head += ["load and first pass", "plan, load, pass", "with our imports", "everything"]
    head += ["claimed <= 0.1: without, with imports"]
    show("first result of a fresh process", head, rows)


if __name__ == "__main__":
    main()
