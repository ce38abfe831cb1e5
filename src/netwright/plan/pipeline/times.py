"""Stage times: what the passes of every worker take, and what they hold in between."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

from netwright.cost.link import message_seconds
from netwright.errors import JobError
from netwright.machine.machine import Machine
from netwright.plan.pipeline.schedule import (
    BACKWARD,
    FORWARD,
    INPUT_GRADIENT,
    PassKind,
    Schedule,
)


@final
@dataclass(frozen=True, slots=True)
class StageTimes:
    """One number a worker: seconds of one micro-batch through all that the worker holds.

    `transfer_seconds[w]` is one message from worker w to a neighbour. `kept` is the share of an
    activation that is still held between B and W (M_W / M_B of arXiv 2401.10241). A worker with
    several chunks takes an equal part of its seconds and of its memory for each.

    Raises:
        JobError: the lists differ in length, or a number makes no sense.
    """

    forward_seconds: tuple[float, ...]
    input_seconds: tuple[float, ...]
    weight_seconds: tuple[float, ...]
    transfer_seconds: tuple[float, ...]
    kept: float = 0.5

    def __post_init__(self) -> None:
        lists = (self.forward_seconds, self.input_seconds, self.weight_seconds)
        counts = {len(column) for column in (*lists, self.transfer_seconds)}
        if len(counts) != 1 or counts == {0}:
            raise JobError(
                f"stage times: columns of {sorted(counts)} numbers; expected one a stage"
            )
        for column in lists:
            if not all(0 < t < math.inf for t in column):
                raise JobError(f"stage times {column}: expected seconds above 0")
        if not all(0 <= t < math.inf for t in self.transfer_seconds):
            raise JobError(f"transfer times {self.transfer_seconds}: expected seconds from 0 up")
        if not 0 <= self.kept <= 1:
            raise JobError(f"kept share {self.kept}: expected 0 to 1")

    @property
    def num_workers(self) -> int:
        """For how many workers there are times."""
        return len(self.forward_seconds)

    def pass_seconds(self, kind: PassKind, worker: int, chunks: int) -> float:
        """One pass of one of the `chunks` chunks of a worker."""
        if kind is FORWARD:
            whole = self.forward_seconds[worker]
        elif kind is INPUT_GRADIENT:
            whole = self.input_seconds[worker]
        elif kind is BACKWARD:
            whole = self.input_seconds[worker] + self.weight_seconds[worker]
        else:
            whole = self.weight_seconds[worker]
        return whole / chunks

    def work_seconds(self, worker: int) -> float:
        """F, B and W of one micro-batch."""
        return (
            self.forward_seconds[worker] + self.input_seconds[worker] + self.weight_seconds[worker]
        )


def uniform_times(workers: int, times: Sequence[float], kept: float = 0.5) -> StageTimes:
    """The same (T_F, T_B, T_W, T_comm) for every worker, in seconds.

    Raises:
        JobError: not four numbers, or one makes no sense.
    """
    if len(times) != 4:
        raise JobError(f"got {len(times)} times, expected T_F, T_B, T_W and T_comm")
    forward, back, weight, transfer = ((t,) * workers for t in times)
    return StageTimes(forward, back, weight, transfer, kept)


def over_machine(times: StageTimes, machine: Machine, message_bytes: int) -> StageTimes:
    """With the transfers of a machine's links: worker w is its member w, neighbours are peers.

    A worker with a faster and a slower neighbour counts as having two of the slower: one number a
    sender.

    Raises:
        MachineError: the machine has fewer members than there are workers, or lacks a link.
    """
    last = times.num_workers - 1
    hops = [message_seconds(machine, w, w + 1, message_bytes) for w in range(last)]
    around = [0.0, *hops, 0.0]
    transfers = tuple(max(around[w], around[w + 1]) for w in range(times.num_workers))
    return replace(times, transfer_seconds=transfers)


def peaks(schedule: Schedule, kept: float) -> tuple[float, ...]:
    """The most that each worker ever holds, in activations of one micro-batch of a whole worker.

    F takes one (or its chunk's part), B gives back all but `kept`, W the rest, fused ones all.
    """
    chunks = chunks_of(schedule)
    found: list[float] = []
    for worker, order in enumerate(schedule.orders):
        forward = finished = half = most = 0
        peak = 0.0
        for step in order:
            if step.kind is FORWARD:
                forward += 1
            elif step.kind is BACKWARD:
                finished += 1
            elif step.kind is INPUT_GRADIENT:
                half += 1
            else:
                half, finished = half - 1, finished + 1
            most = forward - finished - half
            peak = max(peak, most + kept * half)
        found.append(peak / max(chunks[worker], 1))
    return tuple(found)


def chunks_of(schedule: Schedule) -> tuple[int, ...]:
    """How many chunks each worker holds, of one copy of the network."""
    return tuple(schedule.placement.count(w) for w in range(schedule.num_workers))
