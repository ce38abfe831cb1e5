"""One clock for all workers: seconds on worker 0's monotonic clock."""

from __future__ import annotations

import time
from typing import final

import torch
import torch.distributed as dist

_ROUNDS = 16
_TAG = 1 << 20


@final
class Clock:
    """This worker's monotonic clock plus its offset from worker 0's."""

    def __init__(self, offset_seconds: float = 0.0) -> None:
        self.offset_seconds = offset_seconds

    def now(self) -> float:
        """Seconds on worker 0's clock."""
        return time.monotonic() + self.offset_seconds


def common_clock(rank: int, workers: int) -> Clock:
    """Every worker asks worker 0 for the time; the quickest of a few rounds counts.

    Workers of one host share the monotonic clock, so there the offset is the error of the method
    (at most half a round trip) and a smaller one than the round trip itself is taken as zero.
    Source: Cristian, "Probabilistic clock synchronization", Distributed Computing 3 (1989).
    """
    if rank == 0:
        for peer in range(1, workers):
            for _ in range(_ROUNDS):
                dist.recv(torch.empty(1, dtype=torch.float64), peer, tag=_TAG)
                dist.send(torch.tensor([time.monotonic()], dtype=torch.float64), peer, tag=_TAG)
        return Clock()
    best, offset = float("inf"), 0.0
    answer = torch.empty(1, dtype=torch.float64)
    for _ in range(_ROUNDS):
        start = time.monotonic()
        dist.send(torch.zeros(1, dtype=torch.float64), 0, tag=_TAG)
        dist.recv(answer, 0, tag=_TAG)
        end = time.monotonic()
        if end - start < best:
            best, offset = end - start, float(answer.item()) - 0.5 * (start + end)
    return Clock(offset if abs(offset) > best else 0.0)
