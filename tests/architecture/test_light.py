"""Importing Netwright loads nothing heavy."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.fuzz.kind_onnx import small_models

from netwright.job.job import Infer
from netwright.path.prepare import Request, prepare

HEAVY = (
    "torch",
    "ortools",
    "onnx",
    "onnxruntime",
    "gguf",
    "scipy",
    "pandas",
    "plotly",
    "tokenizers",
    "numpy",
    "pydantic",
    "yaml",
    "rich",
)


def test_import_loads_nothing_heavy() -> None:
    code = f"import sys, netwright; print([m for m in {HEAVY!r} if m in sys.modules])"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert out.stdout.strip() == "[]"


# What only planning, probing or showing needs.
PLANNING = (
    "pydantic",
    "yaml",
    "rich",
    "jinja2",
    "sqlite3",
    "netwright.frontends.load",
    "netwright.graph.graph",
    "netwright.cost",
    "netwright.machine.machine",
    "netwright.plan.make",
    "netwright.simulate.simulate",
)
SECOND = """
import sys
from pathlib import Path
from netwright.job.job import Infer
from netwright.path.arrays import random_inputs
from netwright.path.prepare import Request, prepare
from netwright.run.native import NativeRuntime
found = prepare(Request(sys.argv[1], "raspberry-pi-5", Infer(), (("batch", 1),)))
print(found.plan is None)
NativeRuntime(found.file).call("forward", random_inputs(found), {})
print([m for m in sys.argv[2].split() if m in sys.modules])
"""


def test_a_cached_plan_loads_nothing_that_planning_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = small_models(tmp_path)[0]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert (
        prepare(Request(str(network), "raspberry-pi-5", Infer(), (("batch", 1),))).plan is not None
    )
    out = subprocess.run(
        [sys.executable, "-c", SECOND, str(network), " ".join(PLANNING)],
        capture_output=True, text=True, check=True,
        env={"PYTHONPATH": ":".join(sys.path), "XDG_CACHE_HOME": str(tmp_path)},
    )  # fmt: skip
    assert out.stdout.split("\n")[:2] == ["True", "[]"]
