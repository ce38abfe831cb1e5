"""Times of calls that are set against each other: in turns, so that they share what disturbs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping


def interleaved(calls: Mapping[str, Callable[[], object]], turns: int) -> dict[str, float]:
    """Median processor seconds of each call over so many turns, after one turn to warm up.

    Seconds of this process, all of its threads together: what other processes take does not count.
    """
    spent: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(turns + 1):
        for name, call in calls.items():
            start = time.process_time()
            call()
            spent[name].append(time.process_time() - start)
    return {name: statistics.median(seconds[1:]) for name, seconds in spent.items()}
