"""Every study: its file keeps the rules, its reduced form bears out what it says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from netwright.study.find import Entry, find, home, load
from netwright.study.spread import Order, in_process
from netwright.study.table import kept, readme, stale

FOLDER = home()
STUDIES = find()
MOST_LINES = 150
PRIVATE = ("netwright.native", "netwright.core", "netwright.cli")
KEPT = all((FOLDER / "results" / f"{one.key}.json").exists() for one in STUDIES)
every_study = pytest.mark.parametrize("entry", STUDIES, ids=lambda one: one.key)


@every_study
def test_reduced_form(entry: Entry) -> None:
    ended = in_process(entry, Order(full=False, limit_seconds=240))
    assert ended.result is not None, ended.error
    assert not ended.result.unexplained


@every_study
def test_file(entry: Entry) -> None:
    text = entry.path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    for node in ast.walk(ast.parse(text)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            assert not name.startswith(("studies", "tests", *PRIVATE)), f"{name}: not public"
            assert not any(part.startswith("_") for part in name.split(".")) or (
                name == "__future__.annotations"
            ), f"{name}: not public"


@every_study
def test_claims(entry: Entry) -> None:
    study = load(entry)
    assert study.claims
    texts = [claim.text for claim in study.claims]
    assert len(set(texts)) == len(texts), "two claims with one text"
    assert re.match(r"https://", study.paper.link)
    assert study.paper == entry.paper
    assert study.shows.endswith(".")
    assert study.scale.endswith(".")


@every_study
def test_kept_result_is_of_these_claims(entry: Entry) -> None:
    result = kept(FOLDER, entry)
    if result is None:
        pytest.skip("not run in full yet")
    assert not stale(load(entry), result)
    assert not result.unexplained


def test_results_have_studies() -> None:
    keys = {one.key for one in STUDIES}
    assert {path.stem for path in (FOLDER / "results").glob("*.json")} <= keys


@pytest.mark.skipif(not KEPT, reason="some were not run in full yet")
def test_readme_is_the_generated_table() -> None:
    assert (Path(FOLDER) / "README.md").read_text(encoding="utf-8") == readme(FOLDER, STUDIES)
