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

from benchmarks.array_cases import CASES, ArrayCase
from benchmarks.llm import CASES as TEXTS
from benchmarks.llm import planned
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

TOKEN = """
import time, json, sys
from pathlib import Path
bare = time.process_time()
import numpy as np
started = time.process_time()
import netwright as nw
from netwright.job.job import Generate, Limits
from netwright.path.prepare import Request, prepare
from netwright.run.decoder import NativeDecoder
from netwright.run.native import NativeRuntime
imported = time.process_time()
source, prompt, tokens = json.loads(sys.argv[1])
job = Generate(prompt=prompt, tokens=tokens, limits=Limits(threads=1))
prepared = prepare(Request(source, "here", job))
assert prepared.plan is None, "the plan was not in the cache"
found = time.process_time()
decoder = NativeDecoder(NativeRuntime(prepared.file), 49152)
decoder.prefill([1, 2])
end = time.process_time()
print(json.dumps([bare, started - bare, imported - started, found - imported, end - found]))
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
    return [
        name,
        f"{bare:.3f}",
        f"{arrays:.3f}",
        f"{ours:.3f}",
        f"{plan:.3f}",
        f"{first:.3f}",
        f"{own:.3f}",
        f"{own + arrays + bare:.3f}",
        "reached" if own <= CLAIMED_SECONDS else "missed",
    ]


def _forward(case: ArrayCase, repeats: int) -> list[str]:
    request = case.request()
    case.prepare()
    return _row(case.name, FORWARD, [request.source, request.dims], repeats)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    print(machine_line())
    rows = [_forward(case, given.repeats) for case in CASES]
    text = TEXTS[0]
    path = text.file()
    planned(path, text, 1)
    argument = [str(path), text.context - text.tokens, text.tokens]
    rows.append(_row("SmolLM2, first token of 2", TOKEN, argument, given.repeats))
    head = ["CPU seconds, medians", "interpreter", "numpy", "import", "cached plan"]
    head += ["load and first pass", "ours together", "everything", "claimed <= 0.1 (ours)"]
    show("first result of a fresh process", head, rows)


if __name__ == "__main__":
    main()
