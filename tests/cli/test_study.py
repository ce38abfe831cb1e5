"""`netwright study`: list, show, run, table, and how mistakes end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.study import small
from typer.testing import CliRunner

from netwright.cli.app import app
from netwright.errors import StudyError


def study(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["study", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.stdout


def test_list_run_show_table(tmp_path: Path) -> None:
    small.write(tmp_path)
    where = ("--folder", str(tmp_path))
    assert "not run in full yet" in study("list", *where)
    out = study("run", "on-testing", "--keep", *where)
    assert "published 4, here 4 (accepted = 4): holds" in out
    listed = json.loads(study("list", "--json", *where))["studies"]
    assert [one["verdict"] for one in listed] == ["holds"]
    shown = json.loads(study("show", "on-testing", "--json", *where))
    assert [claim["where"] for claim in shown["claims"]] == ["section 1", "Table 1"]
    assert "run on 20" in study("show", "on-testing", *where)
    study("table", *where)
    assert "on-testing" in (tmp_path / "README.md").read_text()


def test_all_of_a_family_in_processes_of_their_own(tmp_path: Path) -> None:
    small.write(tmp_path)
    small.write(tmp_path, "wrong", "\ndef show(full):\n    yield TWO.shown(5)\n", family="other")
    where = ("--folder", str(tmp_path), "--reduced", "--json")
    out = json.loads(study("run", "--family", "some", *where))
    assert [one["verdict"] for one in out["studies"]] == ["holds"]
    out = json.loads(study("run", "--all", *where, code=1))
    assert len(out["studies"]) == 2
    with pytest.raises(StudyError, match="there are other, some"):
        study("run", "--family", "none", *where)


def test_mistakes(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="by its key, or give --all"):
        study("run")
    with pytest.raises(StudyError, match="by its key, or give --all"):
        study("run", "x", "--all")
    with pytest.raises(StudyError, match="leave out --reduced"):
        study("run", "x", "--keep", "--reduced")


def test_a_study_is_a_runnable_file(tmp_path: Path) -> None:
    path = small.write(tmp_path)
    done = subprocess.run(
        [sys.executable, str(path), "--reduced"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "on-testing: holds; 1 of 1 claims shown hold" in done.stdout
    assert study("run", str(path), "--reduced").endswith("reduced form: seconds\n")
