"""docs/formats.md says what the code does."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from netwright.graph.format import FORMATS, Format
from netwright.graph.format.table import facts, normal_error, table

_PAGE = Path(__file__).parents[3] / "docs" / "formats.md"


def test_the_page_holds_the_table_of_the_code(capsys: pytest.CaptureFixture[str]):
    runpy.run_module("netwright.graph.format", run_name="__main__")
    printed = capsys.readouterr().out
    assert printed == table()
    assert _PAGE.read_text().endswith(printed), (
        "docs/formats.md is out of date: replace its table by `python -m netwright.graph.format`"
    )


@pytest.mark.parametrize("form", FORMATS, ids=lambda f: f.name)
def test_every_format_has_facts(form: Format):
    meaning, _ = facts(form)
    assert meaning
    error = normal_error(form)
    assert error is None or 0 <= error < 1
