"""How much of the machine other programs took while something ran (Linux)."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import final

STAT = Path("/proc/stat")

# Fields of a line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal (proc(5)).
_IDLE = (3, 4)
_NUM_FIELDS = 8

LEAST_SECONDS = 0.2  # the kernel counts in hundredths of a second
WORTH_SAYING = 0.1


@final
@dataclass(frozen=True, slots=True)
class Taken:
    """Processor seconds taken so far: by everything, and by this process; and by the clock."""

    all_seconds: float
    own_seconds: float
    clock_seconds: float
    processors: int


def taken() -> Taken | None:
    """Now; None where the system does not say."""
    try:
        lines = [line.split() for line in STAT.read_text().splitlines() if line.startswith("cpu")]
        fields = [int(field) for field in lines[0][1 : 1 + _NUM_FIELDS]]
    except (OSError, ValueError, IndexError):
        return None
    ticks = sum(fields) - sum(fields[i] for i in _IDLE)
    own = os.times()
    clock = time.perf_counter()
    return Taken(ticks / os.sysconf("SC_CLK_TCK"), own.user + own.system, clock, len(lines) - 1)


def others_share(before: Taken | None, after: Taken | None) -> float | None:
    """The share (0 to 1) of all processors that other programs took between two looks."""
    if before is None or after is None or after.processors < 1:
        return None
    clock = after.clock_seconds - before.clock_seconds
    if clock < LEAST_SECONDS:
        return None
    others = after.all_seconds - before.all_seconds - (after.own_seconds - before.own_seconds)
    return min(1.0, max(0.0, others / clock / after.processors))


def remark_on(share: float | None) -> str | None:
    """What to tell a user who compares a prediction with this run; None where there is nothing."""
    if share is None or share < WORTH_SAYING:
        return None
    return (
        f"other programs took {share:.0%} of this machine's processors meanwhile; the prediction "
        "is of a machine left alone"
    )
