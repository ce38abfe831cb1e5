"""Writes the tables in docs/ that come from the code: `make docs`."""

from pathlib import Path

from netwright.graph.format.table import table
from netwright.machine.catalogue import library_table

DOCS = Path(__file__).parent


def between(page: Path, begin: str, end: str, text: str) -> None:
    """Replaces what stands between two marks of a page."""
    before, _, rest = page.read_text().partition(begin)
    _, mark, after = rest.partition(end)
    page.write_text(f"{before}{begin}{text}{mark}{after}")


if __name__ == "__main__":
    between(DOCS / "machines.md", "<!-- library -->\n", "<!-- end", library_table() + "\n")
    fresh = table()
    formats = DOCS / "formats.md"
    head, _, _ = formats.read_text().partition(fresh.splitlines()[0])
    formats.write_text(head + fresh)
