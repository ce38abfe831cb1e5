"""Importing Netwright loads nothing heavy."""

import subprocess
import sys

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
)


def test_import_loads_nothing_heavy() -> None:
    code = f"import sys, netwright; print([m for m in {HEAVY!r} if m in sys.modules])"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert out.stdout.strip() == "[]"
