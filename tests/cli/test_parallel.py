"""`netwright parallel`: what it prints and writes, and how bad questions end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from netwright.cli.app import app
from netwright.errors import JobError, MachineError, NetwrightError, PlanError

SMALL = ("--hidden", "2048", "--layers", "12", "--heads", "16", "--sequence", "1024",
         "--machine", "dgx-a100", "--devices", "8", "--batch", "32")  # fmt: skip


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["parallel", *arguments])
    if result.exception is not None:
        raise result.exception
    return result.stdout


def test_json_ranks_the_layouts(tmp_path: Path) -> None:
    trace = tmp_path / "t.json"
    out = json.loads(run(*SMALL, "--recompute", "any", "--json", "--trace", str(trace)))
    best, seconds = out["best"], [one["seconds"] for one in out["candidates"]]
    assert out["feasible"]
    assert best["tensor"] * best["pipeline"] * best["data"] == 8
    assert best["seconds"] == seconds[0] == min(seconds)
    assert seconds == sorted(seconds)
    assert out["least_seconds"] < best["seconds"]
    parts = ("pipeline_seconds", "embedding_seconds", "data_seconds", "optimiser_seconds")
    assert best["seconds"] == pytest.approx(sum(best[name] for name in parts))
    assert json.loads(trace.read_text())["traceEvents"]


def test_it_explains_the_best() -> None:
    out = run(*SMALL, "--layout", "2,2,2", "--microbatch", "1,2", "--show", "3")
    assert "best: t2 p2 d2" in out
    assert "optimal among" in out
    assert "memory " in out
    assert "+" in out.splitlines()[-1]


def test_a_network_that_does_not_fit_is_an_answer() -> None:
    big = ("--hidden", "12288", "--layers", "96", "--heads", "96", "--devices", "8",
           "--batch", "64", "--machine", "dgx-a100")  # fmt: skip
    assert "does not fit" in run(*big)
    out = json.loads(run(*big, "--json"))
    assert not out["feasible"]
    assert out["best"] is None
    assert "it would fit with" in out["reason"]


@pytest.mark.parametrize(
    ("more", "error", "says"),
    [
        (("--layout", "2,2"), JobError, "t,p,d whose product is 8"),
        (("--layout", "2,2,4"), JobError, "t,p,d whose product is 8"),
        (("--recompute", "some"), JobError, "expected any, or of none, selective, full"),
        (("--microbatch", "0"), JobError, "whole numbers from 1 up"),
        (("--sequence-parallel", "perhaps"), JobError, "expected no, yes, any"),
        (("--devices", "16"), MachineError, "it has 8"),
        (("--devices", "7"), PlanError, "change the number of devices"),
        (("--heads", "3"), JobError, "heads to divide"),
    ],
)
def test_bad_questions(more: tuple[str, ...], error: type[NetwrightError], says: str) -> None:
    with pytest.raises(error, match=says):
        run(*SMALL, *more)
