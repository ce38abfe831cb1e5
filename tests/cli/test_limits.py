"""Limits and precision as the command line has them."""

from __future__ import annotations

import pytest

from netwright.cli.limits import limits, precision
from netwright.errors import JobError
from netwright.job.job import Choose, Keep, Limits, Uniform


@pytest.mark.parametrize(
    ("text", "size"), [("80MB", 80_000_000), ("64 MiB", 1 << 26), ("1.5kb", 1500), ("4096", 4096)]
)
def test_sizes(text: str, size: int) -> None:
    assert limits(text, None, None) == Limits(memory_bytes=size)


@pytest.mark.parametrize(("text", "seconds"), [("5ms", 5e-3), ("2", 2.0), ("250 us", 2.5e-4)])
def test_times(text: str, seconds: float) -> None:
    found = limits(None, text, 2)
    assert found.seconds == pytest.approx(seconds)
    assert found.threads == 2


@pytest.mark.parametrize("text", ["", "much", "80 parsecs", "-1MB", "0", "1e3MB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(JobError, match=r"--memory-limit .* expected a number above 0 and one of"):
        limits(text, None, None)


def test_precision_is_chosen_where_there_is_a_limit() -> None:
    assert precision(None, Limits(threads=1)) == Keep()
    assert precision(None, Limits(memory_bytes=1)) == Choose()
    assert precision(None, Limits(seconds=1.0)) == Choose()
    assert precision("keep", Limits(memory_bytes=1)) == Keep()
    assert precision("q4_0", Limits()) == Uniform("q4_0")
