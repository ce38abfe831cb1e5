"""The table of all studies, made from their kept results."""

from pathlib import Path

import pytest
from tests.study import small

from netwright.errors import StudyError
from netwright.study.execute import execute
from netwright.study.find import find, load
from netwright.study.result import write_result
from netwright.study.table import readme


def test_the_table(tmp_path: Path) -> None:
    small.write(tmp_path)
    (entry,) = find(tmp_path)
    with pytest.raises(StudyError, match="on-testing: no kept result"):
        readme(tmp_path, (entry,))
    result = execute(entry.key, load(entry), True, lambda _: None)
    write_result(tmp_path / "results", result)
    text = readme(tmp_path, (entry,))
    assert "[on-testing](some/on_testing.py) | [On Testing](https://x.org), 2026" in text
    assert "| on-testing | seconds | Table 1 | 1 s | 0.5 s (<= 1) | holds |" in text
    path = entry.path
    path.write_text(path.read_text().replace("exactly(4)", "at_most(5)"))
    with pytest.raises(StudyError, match="of other claims"):
        readme(tmp_path, find(tmp_path))
