"""Tasks as columns of numbers to their start and end: the face of the native event engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import ProgramError
from netwright.native import core

Reals: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int32]
Longs: TypeAlias = NDArray[np.int64]


@final
@dataclass(frozen=True, slots=True, eq=False)
class EventTasks:
    """Row t: `seconds[t]` on one server of `resource[t]`, after the tasks that it waits for.

    Those are `wait[wait_start[t]:wait_start[t + 1]]`; `servers` has one number a resource. Every
    resource issues its tasks in order of t: a task starts when the one before it on that resource
    has started, a server is free and what it waits for has ended.
    """

    seconds: Reals
    resource: Integers
    wait_start: Longs
    wait: Integers
    servers: Integers

    def __len__(self) -> int:
        return len(self.seconds)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Transfers:
    """What the tasks move besides: `bytes_moved[t]` over all channels of its path at once.

    `channel[channel_start[t]:channel_start[t + 1]]` is the path. Tasks on a channel share its
    `capacity` (bytes a second) max-min fairly; none goes faster than `limit[t]` (bytes a second,
    may be infinite). A task ends when its seconds have passed and its bytes have arrived.
    """

    bytes_moved: Reals
    limit: Reals
    channel_start: Longs
    channel: Integers
    capacity: Reals


@final
@dataclass(frozen=True, slots=True, eq=False)
class EventTimes:
    """When each task started and ended, in seconds."""

    start: Reals
    end: Reals

    @property
    def makespan_seconds(self) -> float:
        """The end of the last task."""
        return float(self.end.max(initial=0.0))


@final
@dataclass(frozen=True, slots=True, eq=False)
class Occupancy:
    """Bytes in use after each change, by memory, then time (releases first); and each peak."""

    memory: Integers
    seconds: Reals
    used_bytes: Longs
    peak_bytes: Longs  # one a memory


def play(tasks: EventTasks, transfers: Transfers | None = None) -> EventTimes:
    """When everything happens.

    One sweep when no channel is shared and every wait points backwards, else event by event.

    Raises:
        ProgramError: a column is malformed, or the tasks wait for each other in a circle.
    """
    start, end = np.zeros(len(tasks)), np.full(len(tasks), -1.0)
    columns = (tasks.seconds, tasks.resource, tasks.wait_start, tasks.wait, tasks.servers)
    try:
        if transfers is None and core.events_sweep(*columns, start, end):
            return EventTimes(start, end)
        moved = _nothing(len(tasks)) if transfers is None else transfers
        end[:] = -1.0
        done = core.events_run(
            *columns,
            moved.bytes_moved,
            moved.limit,
            moved.channel_start,
            moved.channel,
            moved.capacity,
            start,
            end,
        )
    except ValueError as error:
        raise ProgramError(f"events: {error}") from error
    if done < len(tasks):
        stuck = int(np.argmax(end < 0))
        raise ProgramError(
            f"events: {len(tasks) - done} of {len(tasks)} tasks can never start, the first is"
            f" {stuck} on resource {int(tasks.resource[stuck])}: they wait for each other"
        )
    return EventTimes(start, end)


def occupy(seconds: Reals, memory: Integers, change_bytes: Longs, num_memories: int) -> Occupancy:
    """Adds up changes of memory in use: positive when bytes are taken, negative when given back.

    Raises:
        ProgramError: a column is malformed.
    """
    order = np.zeros(len(seconds), np.int64)
    used = np.zeros(len(seconds), np.int64)
    peak = np.zeros(num_memories, np.int64)
    try:
        core.events_occupancy(seconds, memory, change_bytes, order, used, peak)
    except ValueError as error:
        raise ProgramError(f"occupancy: {error}") from error
    return Occupancy(memory[order], seconds[order], used, peak)


def _nothing(num_tasks: int) -> Transfers:
    empty = np.zeros(0, np.int32)
    starts = np.zeros(num_tasks + 1, np.int64)
    return Transfers(np.zeros(num_tasks), np.full(num_tasks, np.inf), starts, empty, np.zeros(0))
