"""Small studies written to a folder of the test's own."""

from pathlib import Path

HEAD = """
from netwright.study import Claim, Paper, Study, at_most, exactly, main
PAPER = Paper(title="On Testing", authors="Nobody", year=2026, venue="Nowhere", link="https://x.org")
TWO = Claim("two and two", "section 1", 4, exactly(4))
SLOW = Claim("seconds", "Table 1", 1.0, at_most(1.0), unit="s", clock={clock})
"""
TAIL = """
study = Study(paper=PAPER, shows="Sums.", scale="Whole.", claims=(TWO, SLOW), show=show)
if __name__ == "__main__":
    main(study)
"""
GOOD = """
def show(full):
    yield "adding"
    yield TWO.shown(2 + 2)
    if full:
        yield SLOW.shown(0.5, "quick")
"""


def write(
    folder: Path,
    key: str = "on-testing",
    show: str = GOOD,
    family: str = "some",
    clock: bool = False,
) -> Path:
    """A study whose function `show` is given."""
    path = folder / family / f"{key.replace('-', '_')}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEAD.format(clock=clock) + show + TAIL)
    return path
