"""Finding studies, and files that are none."""

from pathlib import Path

import pytest
from tests.study import small

from netwright.errors import StudyError
from netwright.study.find import entry_of, find, home, load, pick


def test_found_by_being_there(tmp_path: Path) -> None:
    small.write(tmp_path)
    small.write(tmp_path, "another-one", family="other", clock=True)
    (tmp_path / "some" / "_helper.py").write_text("not a study")
    first, second = find(tmp_path)
    assert (first.family, first.key, first.clock) == ("other", "another-one", True)
    assert (second.family, second.key, second.clock) == ("some", "on-testing", False)
    assert second.paper.citation == "Nobody: On Testing. Nowhere, 2026. https://x.org"
    assert load(second).paper == second.paper


def test_a_listing_runs_nothing(tmp_path: Path) -> None:
    path = small.write(tmp_path)
    path.write_text("raise SystemExit(3)\n" + path.read_text())
    assert [one.key for one in find(tmp_path)] == ["on-testing"]


def test_two_with_one_key(tmp_path: Path) -> None:
    small.write(tmp_path)
    small.write(tmp_path, family="other")
    with pytest.raises(StudyError, match="another study is called 'on-testing'"):
        find(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def (", "cannot be read as Python"),
        ("x = 1\x00", "cannot be read as Python"),
        ("x = 1", "sets no `Paper"),
        ("study = Paper(title=open('/etc/passwd'))", "as literals"),
        ("study = Paper('only a title')", "as literals"),
        ("(" * 5000 + ")" * 5000, "cannot be read as Python"),
        ("#" * (1 << 21), "bytes; a study is a short file"),
    ],
)
def test_files_that_are_no_studies(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "broken.py"
    path.write_text(text)
    with pytest.raises(StudyError, match=words):
        entry_of(path)


@pytest.mark.parametrize(
    ("tail", "words"),
    [
        ("\nstudy = 3\n", "sets no `study`"),
        ("\nimport no_such_package\n", "needs no_such_package, which is not installed"),
        ("\n1 / 0\n", "ZeroDivisionError"),
    ],
)
def test_files_that_do_not_load(tmp_path: Path, tail: str, words: str) -> None:
    path = small.write(tmp_path)
    path.write_text(path.read_text() + tail)
    with pytest.raises(StudyError, match=words):
        load(entry_of(path))


def test_names_that_are_close_are_offered(tmp_path: Path) -> None:
    small.write(tmp_path)
    with pytest.raises(StudyError, match="did you mean on-testing"):
        pick("testing", tmp_path)
    with pytest.raises(StudyError, match="study list"):
        pick("zzz", tmp_path)
    with pytest.raises(StudyError, match="no studies at"):
        home(tmp_path / "nowhere")
