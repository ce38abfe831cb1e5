"""Process: what runs inside one worker process, from joining the others to its last report."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Any, cast, final

import torch
import torch.distributed as dist

from netwright.errors import RunError
from netwright.run.workers.clock import Clock, common_clock
from netwright.run.workers.link import LostLink, guarded
from netwright.run.workers.worker import StepReport, Work, Worker


@final
@dataclass(frozen=True, slots=True)
class Meeting:
    """Where the workers find each other (an init method of torch.distributed), and their patience.

    `timeout_seconds` is how long a worker waits for another's message.
    """

    address: str
    workers: int
    timeout_seconds: float


@final
@dataclass(frozen=True, slots=True)
class Failure:
    """Why a worker gave up. `lost_link`: because another one did."""

    rank: int
    cause: str
    lost_link: bool


def join(rank: int, meeting: Meeting) -> None:
    """Joins the process group of all workers."""
    dist.init_process_group(
        "gloo",
        init_method=meeting.address,
        rank=rank,
        world_size=meeting.workers,
        timeout=timedelta(seconds=meeting.timeout_seconds),
    )


def work_steps(work: Work, workers: int, steps: int, tell: Callable[[StepReport], None]) -> None:
    """Runs all steps and tells of each; with other workers, a process group has been joined.

    Torch gets one thread meanwhile: results do not depend on how many there would be.

    Raises:
        RunError: a link was lost, or a pass found nothing to work on.
        GraphError: torch refused an operator.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        clock = common_clock(work.rank, workers) if workers > 1 else Clock()
        begin = _together if workers > 1 else _alone
        with torch.no_grad():
            worker = Worker(work, clock)
            for step in range(steps):
                tell(worker.step(step, begin))
    except LostLink as error:
        raise RunError(str(error)) from error
    finally:
        torch.set_num_threads(threads)


def _together() -> None:
    guarded("the start of a step", -1, cast(Any, dist).barrier)


def _alone() -> None:
    """A worker without others waits for nobody."""


def child(pipe: Connection, meeting: Meeting, steps: int) -> None:
    """The main function of a spawned process: takes its work from the pipe, reports through it."""
    work: Work = pipe.recv()
    threading.Thread(target=_end_with_parent, args=(pipe,), daemon=True).start()
    try:
        join(work.rank, meeting)
        work_steps(work, meeting.workers, steps, pipe.send)
        dist.destroy_process_group()
    except Exception as error:  # whatever it is, the parent must hear of it
        lost = isinstance(error.__cause__, LostLink)
        pipe.send(Failure(work.rank, f"{type(error).__name__}: {error}", lost))
    else:
        pipe.send(None)


def _end_with_parent(pipe: Connection) -> None:
    """The parent never writes again: when its end closes, it is gone, and so must this process."""
    try:
        pipe.recv()
    except (EOFError, OSError):
        os._exit(1)
