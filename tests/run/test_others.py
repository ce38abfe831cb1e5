"""The share that other programs took: against made-up looks, and against a real busy process."""

import subprocess
import sys
import time

import pytest

from netwright.run.others import STAT, Taken, others_share, remark_on, taken


def test_what_is_not_ours_is_others() -> None:
    before = Taken(100.0, 10.0, 0.0, 4)
    after = Taken(107.0, 12.0, 2.0, 4)  # 7 s in all, 2 s of them ours, in 8 processor seconds
    assert others_share(before, after) == pytest.approx(5 / 8)


def test_too_short_or_unknown_says_nothing() -> None:
    look = Taken(1.0, 1.0, 1.0, 1)
    assert others_share(look, look) is None
    assert others_share(None, look) is None
    assert remark_on(None) is None
    assert remark_on(0.01) is None
    assert "43%" in (remark_on(0.43) or "")


@pytest.mark.skipif(not STAT.exists(), reason="no /proc/stat here")
def test_a_busy_program_is_seen() -> None:
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        before = taken()
        time.sleep(0.6)
        share = others_share(before, taken())
    finally:
        busy.kill()
        busy.wait()
    assert before is not None and share is not None
    assert share > 0.1 / before.processors
