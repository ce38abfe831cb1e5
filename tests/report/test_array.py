"""What is planned for a spatial array is explained, simulated, traced and shown like anything else,
though nothing of it can be measured here."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.report.test_report import checked
from typer.testing import CliRunner

import netwright as nw
from netwright.cli.main import app
from netwright.graph.zoo.resnet import ResnetSizes, resnet
from netwright.report.report import Report
from netwright.report.save import load_run, write_run
from netwright.simulate import simulate

SIZES = ResnetSizes(layers=(1, 1), width=8, image=32, classes=10)
SOURCE = """
from netwright.graph.zoo.resnet import ResnetSizes, resnet
network = resnet(ResnetSizes(layers=(1, 1), width=8, image=32, classes=10), seed=None)
"""


@pytest.mark.parametrize("name", ["eyeriss-like", "spatial-256x256", "tpu-v1"])
def test_a_page_of_a_prediction_alone(name: str, tmp_path: Path) -> None:
    made = nw.plan(resnet(SIZES, seed=None), nw.machine(name), nw.Infer())
    timeline = simulate(made.lower(), made.machine, "forward", {})
    shown = nw.report(timeline, plan=made)
    page = shown.html()
    words = " ".join(checked(page).words)
    assert "nothing was measured" in words
    assert "mapping of stem_conv" in words
    assert "measured peak" not in words
    assert "stem_conv" in str(shown)
    without = nw.report(replace(timeline, memory=())).html()
    assert "measured peak" not in " ".join(checked(without).words)
    write_run(shown.run, tmp_path)
    assert Report(load_run(tmp_path)).html() == page


def test_the_plan_and_the_timeline_need_the_same_memory() -> None:
    made = nw.plan(resnet(SIZES, seed=None), nw.machine("eyeriss-like"), nw.Infer())
    timeline = simulate(made.lower(), made.machine, "forward", {})
    assert timeline.peak_memory_bytes == made.peak_memory_bytes
    assert max(s.used_bytes for s in timeline.memory) <= made.peak_memory_bytes
    assert timeline.seconds == pytest.approx(made.predictions[0].seconds)


def test_the_commands(tmp_path: Path) -> None:
    source = tmp_path / "small.py"
    source.write_text(SOURCE)
    run = CliRunner()
    explained = run.invoke(app, ["plan", str(source), "--machine", "eyeriss-like", "--explain"])
    assert explained.exit_code == 0, explained.output
    assert "mapping of stem_conv" in explained.output
    trace, page = tmp_path / "trace.json", tmp_path / "page.html"
    files = ["--trace", str(trace), "--report", str(page)]
    simulated = run.invoke(app, ["simulate", str(source), "--machine", "eyeriss-like", *files])
    assert simulated.exit_code == 0, simulated.output
    events = json.loads(trace.read_text())["traceEvents"]
    assert {e["name"] for e in events if e["ph"] == "X"} >= {"stem_conv"}
    checked(page.read_text())
