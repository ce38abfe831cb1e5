"""A short run of the harness over every kind, and the harness itself."""

from __future__ import annotations

import subprocess
from pathlib import Path
from random import Random

import pytest

from netwright.errors import FormatError

from . import drive as driver
from .drive import Run, drive
from .kind import Kind
from .kinds import KINDS
from .mutate import OPERATIONS, mutate
from .worker import case, outcome, seeds_of


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name)
def test_only_our_errors_escape(kind: Kind, tmp_path: Path):
    done = drive(kind, Run(seed=1, first=0, count=60, case_seconds=20.0), tmp_path)
    assert not done.failures, "\n".join(map(str, done.failures))
    assert done.cases == 60
    # Some edits hit nothing that matters: a harness whose every file is refused tests little.
    assert done.taken > 0


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name)
def test_equal_seeds_give_equal_cases(kind: Kind, tmp_path: Path):
    seeds = seeds_of(kind, tmp_path)
    cases = [case(kind, seeds, 3, index) for index in range(100)]
    assert cases == [case(kind, seeds, 3, index) for index in range(100)]
    assert len(set(cases)) > 80


def test_nothing_can_be_mutated():
    assert mutate(b"", [b""], Random(0)) is not None


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.__name__)
def test_every_edit_changes_something_and_survives_nothing(operation):
    seeds = [b"size: 12\nname: abcdefgh\n" * 20, bytes(64)]
    random = Random(0)
    changed = 0
    for _ in range(50):
        data = bytearray(seeds[0])
        operation(data, seeds, random)
        changed += data != seeds[0]
        for short in (b"", b"\x01"):
            operation(bytearray(short), seeds, random)
    assert changed > 10


def _kind(failure: BaseException | None) -> Kind:
    def load(_: Path) -> None:
        if failure is not None:
            raise failure

    return Kind("gguf", ".x", lambda _: [], load)


def test_outcomes_are_told_apart(tmp_path: Path):
    assert outcome(_kind(None), tmp_path) is None
    assert outcome(_kind(FormatError("no")), tmp_path) == ""
    assert "KeyError" in str(outcome(_kind(KeyError("x")), tmp_path))
    assert "MemoryError" in str(outcome(_kind(MemoryError()), tmp_path))


def test_a_crash_is_a_failure_and_the_next_case_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def work(kind: Kind, run: Run, folder: str) -> subprocess.CompletedProcess[str]:
        (Path(folder) / "case.x").write_bytes(b"killer")
        if run.first > 2:
            lines = "".join(f"{i}\n{i} null\n" for i in range(run.first, run.first + run.count))
            return subprocess.CompletedProcess([], 0, lines, "")
        return subprocess.CompletedProcess([], -11, "0\n1\n1 null\n2\n", "Segmentation fault")

    monkeypatch.setattr(driver, "_work", work)
    done = drive(_kind(None), Run(0, 0, 5, 1.0), tmp_path)
    assert (done.cases, done.taken) == (5, 3)
    (failure,) = done.failures
    assert failure.index == 2
    assert failure.file.read_bytes() == b"killer"
    assert "ended with -11" in str(failure)
    assert "--first 2 --count 1" in str(failure)
