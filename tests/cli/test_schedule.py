"""`netwright schedule`: what it prints and writes, and how bad numbers end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from netwright.cli.app import app
from netwright.errors import FormatError, JobError, MachineError, PlanError
from netwright.plan.pipeline.build import BUILDERS

SMALL = ("--stages", "2", "--microbatches", "4", "--times", "1,1.1,0.9,0.05")


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["schedule", *arguments])
    if result.exception is not None:
        raise result.exception
    return result.stdout


def test_json_ranks_all(tmp_path: Path) -> None:
    page, trace = tmp_path / "s.html", tmp_path / "s.json"
    out = json.loads(
        run(*SMALL, "--compare", "all", "--json", "--html", str(page), "--trace", str(trace))
    )
    rows = out["schedules"]
    assert len(rows) + len(out["left_out"]) == len(BUILDERS)
    for row in rows:
        work = 4 * 3.0
        assert row["bubble_rate"] == pytest.approx(1 - work / row["makespan_seconds"])
        assert row["bound_seconds"] <= row["makespan_seconds"] * (1 + 1e-9)
        assert row["proved"] == (row["gap"] == 0)
        assert row["fits_memory"] == (row["peak_memory"] <= 2)
    fitting = [row["makespan_seconds"] for row in rows if row["fits_memory"]]
    assert fitting == sorted(fitting)
    text = page.read_text()
    assert "<svg" in text
    assert "http" not in text.replace("http-equiv", "").replace("http://www.w3.org", "")
    assert len(json.loads(trace.read_text())["traceEvents"]) > 9 * 2 * 4


def test_a_drawing_has_a_row_a_worker() -> None:
    out = run(*SMALL, "--schedule", "1f1b")
    assert "1f1b:" in out
    assert "  0 " in out
    assert "  1 " in out
    assert "bubbles" in out


def test_times_of_every_stage_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "times.json"
    file.write_text('{"T_F": [1, 2, 1], "T_B": [1, 2, 1], "T_W": 1, "T_comm": 0, "kept": 0.25}')
    out = json.loads(run("--stage-times", str(file), "--schedule", "1f1b", "--json"))
    assert out["stages"] == 3
    assert out["schedules"][0]["makespan_seconds"] >= 8 * 5.0


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (("--times", "1,2"), JobError, "expected T_F,T_B,T_W,T_comm"),
        (("--memory", "much"), JobError, "times what 1F1B holds"),
        (("--compare", "best"), JobError, "no schedule 'best'"),
        (("--schedule", "best"), JobError, "no schedule 'best'"),
        (("--machine", "dgx-a100", "--message", "much"), JobError, "expected bytes"),
        (("--machine", "dgx-a100", "--stages", "9"), MachineError, "it has 8"),
        (("--stages", "0"), JobError, "expected 1 to"),
        (("--microbatches", "0"), PlanError, "expected at least one"),
        (("--stage-times", "/nowhere.yaml"), JobError, "cannot be read"),
    ],
)
def test_bad_numbers_are_named(arguments: tuple[str, ...], error: type, said: str) -> None:
    with pytest.raises(error, match=said):
        run(*arguments)


def test_messages_take_a_machine_s_links() -> None:
    out = run("--stages", "2", "--schedule", "gpipe", "--microbatches", "1", "--times", "1,1,1,0",
              "--machine", "dgx-a100", "--message", "300GB", "--json")  # fmt: skip
    # Two messages over 300 GB/s stand between the two halves of either worker.
    assert json.loads(out)["schedules"][0]["end_to_end_seconds"] == pytest.approx(6 + 2, rel=1e-3)


def test_a_file_with_other_columns_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "times.yaml"
    file.write_text("T_F: [1, 2]\nT_B: [1, 2]\nW: 1\n")
    with pytest.raises(JobError, match=r"unknown \['W'\], missing \['T_W', 'T_comm'\]"):
        run("--stage-times", str(file))
    file.write_text("T_F: [1, x]\nT_B: 1\nT_W: 1\nT_comm: 0\n")
    with pytest.raises(JobError, match=r"T_F: got .*expected numbers"):
        run("--stage-times", str(file))
    file.write_text("T_F: [1, 2]\nT_B: 1\nT_W: 1\nT_comm: 0\n")
    with pytest.raises(JobError, match="--stages is 3"):
        run("--stage-times", str(file), "--stages", "3")


def test_a_network_is_priced_on_a_machine(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.py"
    recipe.write_text(
        "from netwright.graph.zoo.gpt import GptSizes, gpt\n"
        "network = gpt(GptSizes(vocabulary=64, width=32, layers=4, heads=2, tokens=16, tied=False))"
    )
    on = ("--machine", "dgx-a100", "--stages", "4", "--microbatches", "8", "--schedule", "1f1b")
    out = json.loads(run(str(recipe), *on, "--json"))
    assert (out["network"], out["machine"]) == ("gpt", "dgx-a100")
    assert all(len(out["stage_times"][name]) == 4 for name in ("T_F", "T_B", "T_W", "T_comm"))
    again = tmp_path / "times.json"
    again.write_text(json.dumps(out["stage_times"]))
    by_file = json.loads(
        run("--stage-times", str(again), "--microbatches", "8", "--schedule", "1f1b", "--json")
    )
    assert by_file["schedules"] == out["schedules"]
    assert "gpt on dgx-a100" in run(str(recipe), *on)
    with pytest.raises(JobError, match="--machine says where its passes run"):
        run(str(recipe))
    with pytest.raises(FormatError, match=r"none\.py: no such file"):
        run("none.py", *on)
