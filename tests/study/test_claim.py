"""Ranges, findings and verdicts."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.errors import StudyError
from netwright.study.claim import (
    Claim,
    Range,
    Verdict,
    at_least,
    at_most,
    exactly,
    near,
    overall,
)

figures = st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(figures, figures)
def test_ranges_are_comparisons(limit: float, figure: float) -> None:
    assert at_least(limit).holds(figure) == (figure >= limit)
    assert at_most(limit).holds(figure) == (figure <= limit)
    assert exactly(limit).holds(figure) == (figure == limit)


@given(figures, st.floats(0, 1), st.floats(0, 100))
def test_near_is_the_wider_of_both(figure: float, relative: float, absolute: float) -> None:
    found = near(figure, relative=relative, absolute=absolute)
    width = max(abs(figure) * relative, absolute)
    assert found == Range(figure - width, figure + width)
    assert found.holds(figure)


def test_no_number_bears_anything_out() -> None:
    assert not Range().holds(math.nan)
    assert Range().holds(math.inf)


@pytest.mark.parametrize(
    ("smaller", "fails", "clock", "figure", "verdict", "explained"),
    [
        ("", "", False, 4, Verdict.HOLDS, True),
        ("two for 32", "", False, 4, Verdict.HOLDS_AT_OUR_SCALE, True),
        ("two for 32", "", False, 5, Verdict.DOES_NOT_HOLD, False),
        ("", "known", False, 5, Verdict.DOES_NOT_HOLD, True),
        ("", "known", False, 4, Verdict.HOLDS, False),
        ("", "known", True, 4, Verdict.HOLDS, True),
        ("", "", True, 5, Verdict.DOES_NOT_HOLD, False),
    ],
)
def test_verdicts(
    smaller: str, fails: str, clock: bool, figure: float, verdict: Verdict, explained: bool
) -> None:
    found = Claim("c", "w", 4, exactly(4), smaller=smaller, fails=fails, clock=clock).shown(figure)
    assert found.verdict is verdict
    assert found.explained is explained


def test_a_study_is_as_good_as_its_worst_claim() -> None:
    assert overall((Verdict.HOLDS, Verdict.HOLDS_AT_OUR_SCALE)) is Verdict.HOLDS_AT_OUR_SCALE
    assert overall((Verdict.DOES_NOT_HOLD, Verdict.HOLDS)) is Verdict.DOES_NOT_HOLD
    assert overall((Verdict.HOLDS,)) is Verdict.HOLDS
    with pytest.raises(StudyError, match="without findings"):
        overall(())
