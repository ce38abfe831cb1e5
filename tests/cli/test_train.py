"""`netwright train`: options, the object, the page, and refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from netwright.cli import later
from netwright.cli.app import app
from netwright.errors import FormatError, JobError, UnsupportedError
from netwright.machine.load import library_machine

RECIPE = """
from netwright.graph.zoo.gpt import GptSizes, gpt
sizes = GptSizes(vocabulary=256, width=16, layers=2, heads=2, tokens=8, batch=2, tied=False)
network = gpt(sizes)
text = b"A plague on both your houses! " * 9
"""


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(later, "machine", lambda name: library_machine("raspberry-pi-5"), False)
    path = tmp_path / "recipe.py"
    path.write_text(RECIPE)
    return path


def call(*arguments: object):
    result = CliRunner().invoke(app, ["train", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def test_one_object_and_one_page(recipe: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    printed = call(recipe, "--steps", 6, "--microbatches", 2, "--json", "--report", page).stdout
    found = json.loads(printed)
    assert len(found["losses"]) == len(found["step_seconds"]) == 6
    assert found["losses"][-1] < found["losses"][0]
    assert found["predicted_before"]["step_seconds"] > 0
    assert found["predicted"]["step_seconds"] > 0 < found["measured"]["step_seconds"]
    assert (found["workers"], found["schedule"]) == (1, "1f1b")
    assert "chunks: 1" in found["plan"]["explanation"]
    assert "stage_forward" in page.read_text()


def test_text_for_people(recipe: Path, tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("out, damned spot! out, I say! " * 5)
    trace = tmp_path / "trace.json"
    said = call(recipe, "--steps", 4, "--text", words, "--trace", trace).stdout
    assert {"stage_update"} <= {e.get("cat") for e in json.loads(trace.read_text())["traceEvents"]}
    assert "loss" in said
    assert "predicted from the first half" in said
    assert "a step will take" in said
    assert "predicted before the run" in said
    assert "1 worker, " in said


def test_refusals(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(JobError, match="--steps: got 1, expected at least 2"):
        call(recipe, "--steps", 1)
    with pytest.raises(JobError, match="--on 'moon': expected here or ray"):
        call(recipe, "--on", "moon")
    with pytest.raises(FormatError, match=r"none\.py: no such file"):
        call(tmp_path / "none.py")
    with pytest.raises(FormatError, match=r"none\.txt: cannot be read"):
        call(recipe, "--text", tmp_path / "none.txt")
    other = tmp_path / "other.py"
    other.write_text("network = 1")
    with pytest.raises(JobError, match="sets no `network`, a Graph; got int"):
        call(other)
    other.write_text(RECIPE.replace("text =", "words ="))
    with pytest.raises(JobError, match="sets no `text`, bytes; set it or give --text"):
        call(other)
    other.write_text("network =")
    with pytest.raises(FormatError, match=r"other\.py: not Python"):
        call(other)
    monkeypatch.setattr("netwright.cli.train.find_spec", lambda name: None)
    with pytest.raises(UnsupportedError, match=r"pip install 'netwright\[torch\]'"):
        call(recipe)
