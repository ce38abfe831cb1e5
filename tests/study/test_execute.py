"""Running studies: here, in a process of their own, and what they must not do."""

from pathlib import Path

import pytest
from tests.study import small

from netwright.errors import StudyError
from netwright.study.claim import Finding, Verdict
from netwright.study.execute import execute
from netwright.study.find import entry_of, find, load
from netwright.study.result import Result, read_result, result_of, write_result
from netwright.study.spread import Order, in_process, run_all
from netwright.study.text import result_lines


def run(path: Path, full: bool = True) -> tuple[Result, list[Finding | str]]:
    heard: list[Finding | str] = []
    return execute("on-testing", load(entry_of(path)), full, heard.append), heard


def test_findings_come_with_their_lines(tmp_path: Path) -> None:
    result, heard = run(small.write(tmp_path))
    assert heard[0] == "adding"
    assert [row.figure for row in result.rows] == [4, 0.5]
    assert result.verdict is Verdict.HOLDS
    assert result.left_out == ()
    assert result_of(result.as_dict()) == result
    assert read_result(write_result(tmp_path / "results", result)) == result


def test_the_reduced_form_may_leave_claims_out(tmp_path: Path) -> None:
    result, _ = run(small.write(tmp_path), full=False)
    assert result.left_out == ("seconds",)
    assert not result.unexplained


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("    yield TWO.shown(4)\n", "shows nothing of 'seconds'"),
        ("    yield TWO.shown(4)\n    yield TWO.shown(4)\n", "twice"),
        ("    yield Claim('x', 'y', 1, exactly(1)).shown(1)\n", "not among its claims"),
        ("    yield 'text'\n    raise ValueError('late')\n", "ValueError: late"),
    ],
)
def test_what_a_study_must_not_do(tmp_path: Path, body: str, words: str) -> None:
    with pytest.raises(StudyError, match=words):
        run(small.write(tmp_path, show=f"\ndef show(full):\n{body}"))


SLOW = "\ndef show(full):\n    yield TWO.shown(4)\n    yield SLOW.shown(2.0)\n"


def test_the_clock_is_judged_in_full_only(tmp_path: Path) -> None:
    path = small.write(tmp_path, show=SLOW, clock=True)
    assert [row.claim for row in run(path)[0].unexplained] == ["seconds"]
    reduced = run(path, full=False)[0]
    assert not reduced.unexplained
    assert (reduced.verdict, reduced.tally) == (Verdict.HOLDS, "1 of 1")
    assert any("rests on the clock: seconds" in line for line in result_lines(reduced))


def test_the_verdict_is_of_what_the_paper_claims(tmp_path: Path) -> None:
    path = small.write(tmp_path, show=SLOW)
    result = run(path)[0]
    assert (result.verdict, result.tally) == (Verdict.DOES_NOT_HOLD, "1 of 2")
    text = path.read_text()
    path.write_text(text.replace('"Table 1"', '"ours"'))
    result = run(path)[0]
    assert (result.verdict, result.tally) == (Verdict.HOLDS, "1 of 2")
    assert [row.claim for row in result.unexplained] == ["seconds"]
    path.write_text(text.replace("clock=", "checked=False, clock="))
    result = run(path)[0]
    assert (result.verdict, result.tally) == (Verdict.HOLDS, "1 of 1")
    assert not result.unexplained


def test_processes_of_their_own(tmp_path: Path) -> None:
    small.write(tmp_path, "good")
    small.write(tmp_path, "bad", "\ndef show(full):\n    yield TWO.shown(5)\n")
    small.write(
        tmp_path, "broken", "\ndef show(full):\n    import os\n    os.kill(os.getpid(), 9)\n"
    )
    small.write(tmp_path, "timed", clock=True)
    began: list[str] = []
    ended = list(
        run_all(find(tmp_path), Order(False, 60, jobs=2), lambda one: began.append(one.key))
    )
    by_key = {one.entry.key: one for one in ended}
    assert ended[-1].entry.key == began[-1] == "timed"
    good, bad = by_key["good"].result, by_key["bad"].result
    assert good is not None
    assert not good.unexplained
    assert bad is not None
    assert [row.figure for row in bad.unexplained] == [5]
    assert by_key["broken"].error == "ended with -9"


def test_nothing_hangs(tmp_path: Path) -> None:
    path = small.write(tmp_path, show="\ndef show(full):\n    import time\n    time.sleep(600)\n")
    ended = in_process(entry_of(path), Order(False, 3))
    assert ended.result is None
    assert "more than 3 s" in ended.error


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"rows": 3}', '{"rows": [1]}', "9" * 5000])
def test_files_that_are_no_results(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(StudyError, match=r"x\.json: no result of a study"):
        read_result(path)
