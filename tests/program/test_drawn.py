"""Rows drawn from a table in a file: bounds that any system keeps."""

from pathlib import Path

import pytest

from netwright.program.drawn import PAGE_BYTES, PAGES, drawn_bytes

ROWS, ROW_BYTES = 1000, 1536
linux = pytest.mark.skipif(not PAGES.exists(), reason="the system has no table of pages")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("drawn") / "table"
    path.write_bytes(bytes(ROWS * ROW_BYTES + 8192))
    return path


@linux
@pytest.mark.parametrize("drawn", [1, 10, 500])
def test_rows_that_are_drawn_are_there(table: Path, drawn: int) -> None:
    found = drawn_bytes(table, 8192, 8192 + ROWS * ROW_BYTES, drawn, ROWS)
    assert found is not None
    assert PAGE_BYTES <= found <= ROWS * ROW_BYTES + 2 * PAGE_BYTES


@linux
def test_more_rows_bring_no_less(table: Path) -> None:
    counts = [drawn_bytes(table, 0, ROWS * ROW_BYTES, n, ROWS) or 0 for n in (1, 30, 900)]
    assert counts == sorted(counts)


def test_what_cannot_be_asked_is_none(table: Path, tmp_path: Path) -> None:
    assert drawn_bytes(tmp_path / "absent", 0, 4096, 1, 1) is None
    assert drawn_bytes(table, 4096, 4096, 1, 1) is None
    assert drawn_bytes(table, 0, 4096, 0, 1) is None
    empty = tmp_path / "empty"
    empty.touch()
    assert drawn_bytes(empty, 0, 4096, 1, 1) is None
