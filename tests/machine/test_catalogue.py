"""docs/machines.md shows the library as it is."""

from pathlib import Path

from netwright.machine.catalogue import binary, library_table

PAGE = Path(__file__).parents[2] / "docs" / "machines.md"
BEGIN, END = "<!-- library -->\n", "<!-- end of library -->"


def page() -> str:
    """The page with its table generated anew."""
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{library_table()}\n{END}{after}"


def test_the_page_shows_the_library() -> None:
    """When it fails: python tests/machine/test_catalogue.py writes the page."""
    assert PAGE.read_text() == page()


def test_prefixes() -> None:
    assert binary(80 * 2**30) == "80 GiB"
    assert binary(320 * 1024) == "320 KiB"
    assert binary(1000 * 1024) == "0.977 MiB"


if __name__ == "__main__":
    PAGE.write_text(page())
