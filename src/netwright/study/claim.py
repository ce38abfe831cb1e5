"""What a paper claims, with its figure; what was found; whether that bears it out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import final

from netwright.errors import StudyError


class Verdict(StrEnum):
    """How a claim fared here."""

    HOLDS = "holds"
    HOLDS_AT_OUR_SCALE = "holds at our scale"
    DOES_NOT_HOLD = "does not hold"


@final
@dataclass(frozen=True, slots=True)
class Range:
    """Figures that bear a claim out: low <= figure <= high, in the claim's unit."""

    low: float = -math.inf
    high: float = math.inf

    def holds(self, figure: float) -> bool:
        """Whether it lies inside; not-a-number never does."""
        return self.low <= figure <= self.high

    def __str__(self) -> str:
        if self.low == self.high:
            return f"= {self.low:g}"
        if math.isinf(self.low):
            return f"<= {self.high:g}"
        if math.isinf(self.high):
            return f">= {self.low:g}"
        return f"{self.low:g} to {self.high:g}"


def exactly(figure: float) -> Range:
    """That figure and no other."""
    return Range(figure, figure)


def at_least(figure: float) -> Range:
    """That figure or more."""
    return Range(low=figure)


def at_most(figure: float) -> Range:
    """That figure or less."""
    return Range(high=figure)


def near(figure: float, *, relative: float = 0.0, absolute: float = 0.0) -> Range:
    """Within a share of the figure, or within so much of it, whichever is wider."""
    width = max(abs(figure) * relative, absolute)
    return Range(figure - width, figure + width)


@final
@dataclass(frozen=True, slots=True)
class Claim:
    """One figure of a paper, and what a figure here must be to bear it out.

    `text`: what is claimed. `where`: its place ("Table 5", "section 4.2", "abstract"); "ours" for
    what the paper does not say and this study adds. `published`: the paper's figure in `unit` ("1"
    for a ratio, a share or a count). `accepted`: the figures here that bear it out, fixed before
    the study was run.

    `smaller`: what is smaller here than there (two processes for 32 GPUs); then the claim can
    hold at our scale at best. `fails`: why it is known not to hold here; a claim that does not hold
    and has no reason is an error of the study, and so is one that holds and has one.
    `checked`: false where the paper's figure is known from memory alone: shown, and never judged.
    `clock`: the figure rests on this machine's clock: it is not judged in the reduced form, it may
    hold although `fails` says why it did not, and the study has the machine to itself.
    """

    text: str
    where: str
    published: float
    accepted: Range
    unit: str = "1"
    smaller: str = ""
    fails: str = ""
    clock: bool = False
    checked: bool = True

    def shown(self, figure: float, note: str = "") -> Finding:
        """The figure that was found here, in the claim's unit."""
        return Finding(self, float(figure), note)


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """A claim and the figure that was found here; `note` says what else there is to know."""

    claim: Claim
    figure: float
    note: str = ""

    @property
    def verdict(self) -> Verdict:
        """Whether the figure bears the claim out."""
        if not self.claim.accepted.holds(self.figure):
            return Verdict.DOES_NOT_HOLD
        return Verdict.HOLDS_AT_OUR_SCALE if self.claim.smaller else Verdict.HOLDS

    @property
    def explained(self) -> bool:
        """Whether the verdict is the one that the study knows of."""
        if self.verdict is Verdict.DOES_NOT_HOLD:
            return bool(self.claim.fails) or not self.claim.checked
        return self.claim.clock or not self.claim.fails or not self.claim.checked


def overall(verdicts: tuple[Verdict, ...]) -> Verdict:
    """The worst of them: a study holds when all that its paper claims does.

    Raises:
        StudyError: there is none.
    """
    if not verdicts:
        raise StudyError("a study without findings has no verdict; its `show` yields none")
    order = list(Verdict)
    return max(verdicts, key=order.index)
