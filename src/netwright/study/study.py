"""What a study's file sets: the paper, its claims, and the function that shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import final

from netwright.study.claim import Claim, Finding

# `show(full)` yields findings as they come, and lines of text between them: tables, progress.
# With `full` false it shows what takes seconds; it may leave claims out.
Show = Callable[[bool], Iterator[Finding | str]]


@final
@dataclass(frozen=True, slots=True)
class Paper:
    """Whom to cite. Written out in the study's file as literals, so that it is read unrun."""

    title: str
    authors: str
    year: int
    venue: str
    link: str

    @property
    def citation(self) -> str:
        """One line."""
        return f"{self.authors}: {self.title}. {self.venue}, {self.year}. {self.link}"


@final
@dataclass(frozen=True, slots=True)
class Study:
    """A paper, what it claims, what is shown here and how.

    `shows`: what is shown here and how, in a few sentences. `scale`: at what scale (sizes,
    machine, data). `differences`: what is known to differ from the paper. `needs`: packages beyond
    the base install that it imports (installed by `make test`).
    """

    paper: Paper
    shows: str
    scale: str
    claims: tuple[Claim, ...]
    show: Show
    differences: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
