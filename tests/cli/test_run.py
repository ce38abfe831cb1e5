"""`run` on networks made here: outputs, figures, the kept run, its report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.fuzz.kind_onnx import small_models
from typer.testing import CliRunner, Result

import netwright as nw
from netwright.cli.app import app
from netwright.errors import JobError
from netwright.graph.interpret import interpret
from netwright.machine.host import host
from netwright.machine.load import library_machine
from netwright.machine.store import save, store_path

FIGURES = {"peak_memory_bytes", "energy_joules"}


@pytest.fixture(autouse=True)
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another machine's figures for this one, so that no probe is waited for."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    save(store_path(), host().key, "full", library_machine("raspberry-pi-5"))


@pytest.fixture
def onnx(tmp_path: Path) -> Path:
    return small_models(tmp_path)[0]


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, ["run", *arguments])
    if result.exception is not None:
        raise result.exception
    return result


def test_arrays_in_arrays_out(onnx: Path, tmp_path: Path) -> None:
    """The outputs are the reference runtime's for the same file."""
    graph = nw.load(onnx, dims={"batch": 1})
    ((name, shape),) = [(graph[i].name, graph[i].shape) for i in graph.inputs]
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    found = json.loads(run(str(onnx), "--input", str(tmp_path / "x.npy"), "--json").stdout)
    for key, value in interpret(graph, {name: x}, {}, {})[0].items():
        np.testing.assert_allclose(found["outputs"][key], value, rtol=1e-4, atol=1e-5)
    for side in ("predicted", "measured"):
        assert found[side].keys() == {"seconds", *FIGURES}
        assert found[side]["seconds"] > 0
    assert found["plan"]["bound_seconds"] > 0


def test_a_text_and_its_report(tmp_path: Path) -> None:
    sizes = ("--prompt", "Once upon", "--tokens", "4", "--out", str(tmp_path / "kept"))
    found = json.loads(run("smollm2", *sizes, "--json").stdout)
    for side in ("predicted", "measured"):
        assert found[side].keys() == {"prompt_token_seconds", "token_seconds", *FIGURES}
    assert found["text"]
    page = CliRunner().invoke(app, ["report", str(tmp_path / "kept")])
    assert page.exit_code == 0
    assert "<svg" in (tmp_path / "kept" / "report.html").read_text()
    assert "measured" in run("smollm2", "--prompt", "Once upon", "--tokens", "4").stdout


def test_a_prompt_without_tokens() -> None:
    with pytest.raises(JobError, match="no tokens"):
        run("smollm2", "--prompt", "")


def test_a_photo(tmp_path: Path, onnx: Path) -> None:
    """Pixels reach the network: another photo, another answer."""
    answers: list[str] = []
    for shade in (10, 200):
        Image.new("RGB", (40, 30), (shade, 0, 255 - shade)).save(tmp_path / "photo.png")
        answers.append(run(str(onnx), "--input", str(tmp_path / "photo.png"), "--json").stdout)
    first, second = (json.loads(a)["outputs"] for a in answers)
    assert first != second
