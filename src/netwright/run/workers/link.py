"""Link: tensors between workers over torch.distributed, with an added delay where one is asked.

A message is its values and, behind them, when it was sent (the sender's clock). It counts as
arrived once it is here and the delay has passed since then: a link of that latency and full
bandwidth, on which nobody waits for a send.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
import torch.distributed as dist
from torch import Tensor

from netwright.run.workers.clock import Clock

_STAMP_BYTES = 8


class LostLink(Exception):
    """Another worker is gone or silent: the cause lies there, not here."""


@final
@dataclass(frozen=True, slots=True)
class Port:
    """One message to come: from whom, which, and of what shape (float32)."""

    peer: int
    tag: int
    shape: tuple[int, ...]
    name: str


@final
class Links:
    """What one worker sends and receives. Receives are posted `ahead` of their turn."""

    def __init__(self, clock: Clock, delay_seconds: float, ahead: int = 4) -> None:
        self._clock = clock
        self._delay_seconds = delay_seconds
        self._ahead = ahead
        self._posted: list[tuple[Port, Tensor, Any]] = []
        self._coming: list[Port] = []
        self._going: list[tuple[Any, Tensor]] = []

    def expect(self, ports: Sequence[Port]) -> None:
        """The messages of a step, in the order in which `receive` will be called."""
        self._coming = list(ports)
        self._post()

    def _post(self) -> None:
        while self._coming and len(self._posted) < self._ahead:
            port = self._coming.pop(0)
            size = 4 * _count(port.shape) + _STAMP_BYTES
            buffer = torch.empty(size, dtype=torch.uint8)
            work = guarded(port.name, port.peer, dist.irecv, buffer, port.peer, tag=port.tag)
            self._posted.append((port, buffer, work))

    def send(self, values: Tensor, peer: int, tag: int, name: str) -> None:
        """Starts a transfer and goes on."""
        flat = values.detach().contiguous().reshape(-1).view(torch.uint8)
        stamp = torch.tensor([self._clock.now()], dtype=torch.float64).view(torch.uint8)
        message = torch.cat((flat, stamp))
        work = guarded(name, peer, dist.isend, message, peer, tag=tag)
        self._going.append((work, message))

    def receive(self) -> tuple[Tensor, float]:
        """The next expected message, and when it was sent."""
        port, buffer, work = self._posted.pop(0)
        self._post()
        guarded(port.name, port.peer, work.wait)
        values, stamp = buffer[:-_STAMP_BYTES], buffer[-_STAMP_BYTES:].clone()
        sent = float(stamp.view(torch.float64).item())
        due = sent + self._delay_seconds
        while (left := due - self._clock.now()) > 0:
            time.sleep(left)
        return values.view(torch.float32).reshape(port.shape), sent

    def finish(self) -> None:
        """Waits until everything that was sent has gone out."""
        for work, _ in self._going:
            guarded("a message", -1, work.wait)
        self._going.clear()


def _count(shape: Sequence[int]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total


def guarded(name: str, peer: int, action: Any, *given: Any, **named: Any) -> Any:
    """What an action on the process group gives.

    Raises:
        LostLink: torch says that the other side is gone, or time ran out.
    """
    try:
        return action(*given, **named)
    except RuntimeError as error:
        whom = f" with worker {peer}" if peer >= 0 else ""
        raise LostLink(f"{name}: the link{whom} is lost: {error}") from error
