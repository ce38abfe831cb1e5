"""Sharded: a schedule's program where every worker is a group whose members share the weights.

As in fully sharded data parallelism (Zhao et al., PyTorch FSDP, arXiv 2304.11277): the weights of a
chunk are gathered before the passes that read them and dropped when the room is wanted, and sums of
gradients are scattered. W reads no weights. Gathers and scatters of a worker each have a lane of
their own, one after the other, beside its passes.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import final

from netwright.errors import JobError
from netwright.plan.pipeline.lower import OPCODES, TRANSFER, lower_schedule
from netwright.plan.pipeline.schedule import BACKWARD, FORWARD, INPUT_GRADIENT, Schedule
from netwright.plan.pipeline.seconds import Costs, stage_costs, with_seconds
from netwright.plan.pipeline.times import StageTimes, chunks_of
from netwright.program.program import Program, Task

GATHER, SCATTER = "gather_weights", "scatter_gradients"
_READS = (OPCODES[FORWARD], OPCODES[INPUT_GRADIENT], OPCODES[BACKWARD])


@final
@dataclass(frozen=True, slots=True)
class Shards:
    """Seconds to gather all weights of a worker, and to scatter all their gradients.

    A chunk takes an equal part. `rooms`: how many chunks' weights, and gradients, a worker holds
    whole, with the one that is under way. `every_pass`: weights are dropped after each pass and
    gradients scattered after each, as when layers are sharded one by one.

    Raises:
        JobError: a number makes no sense.
    """

    gather_seconds: float
    scatter_seconds: float
    rooms: int = 2
    every_pass: bool = False

    def __post_init__(self) -> None:
        if self.gather_seconds < 0 or self.scatter_seconds < 0 or self.rooms < 1:
            raise JobError(f"{self}: expected seconds from 0 up and at least one room")


def sharded_program(schedule: Schedule, times: StageTimes, shards: Shards) -> Program:
    """The schedule's program with its gathers and scatters, priced: `.simulate()` plays it.

    Raises:
        PlanError: the workers wait for each other.
    """
    plain = lower_schedule(schedule, times.kept)
    (entry,) = plain.entries
    lanes = _Lanes(len(plain.workers), schedule.num_workers, shards)
    moved: list[int] = []
    for task in entry.tasks:
        waits = tuple(moved[w] for w in task.waits)
        moved.append(lanes.add(replace(task, waits=waits)))
    lanes.finish()
    names = [f"{what} {w}" for what in (GATHER, SCATTER) for w in range(schedule.num_workers)]
    program = replace(
        plain,
        entries=(replace(entry, tasks=tuple(lanes.tasks)),),
        workers=(*plain.workers, *names),
    )
    return with_seconds(program, {**stage_costs(schedule, times), **_costs(schedule, shards)})


def collectives(program: Program) -> tuple[int, int]:
    """How many gathers and scatters of a chunk a sharded program has."""
    found = [task.opcode for task in program.entries[0].tasks]
    return found.count(GATHER), found.count(SCATTER)


def _costs(schedule: Schedule, shards: Shards) -> Costs:
    chunks = chunks_of(schedule)
    return {
        (opcode, chunk, 0): seconds / chunks[worker]
        for chunk, worker in enumerate(schedule.placement)
        for opcode, seconds in ((GATHER, shards.gather_seconds), (SCATTER, shards.scatter_seconds))
    }


@dataclass(slots=True)
class _Room:
    """A chunk held whole, and the last task that used it."""

    chunk: int
    last: int = -1


@dataclass(slots=True)
class _Held:
    rooms: deque[_Room] = field(default_factory=deque[_Room])

    def of(self, chunk: int) -> _Room | None:
        return next((room for room in self.rooms if room.chunk == chunk), None)


class _Lanes:
    """Tasks so far, and what every worker holds whole."""

    def __init__(self, first_lane: int, workers: int, shards: Shards) -> None:
        self.tasks: list[Task] = []
        self.first, self.workers, self.shards = first_lane, workers, shards
        self.weights = [_Held() for _ in range(workers)]
        self.gradients = [_Held() for _ in range(workers)]

    def add(self, task: Task) -> int:
        """A task with what it needs before it; where it stands."""
        if task.opcode == TRANSFER:
            return self._append(task)
        chunk = task.parameters[0]
        assert isinstance(chunk, int)
        waits = list(task.waits)
        used: list[_Room] = []
        if task.opcode in _READS:
            used.append(self._gathered(task.worker, chunk, waits))
        if task.opcode not in _READS or task.opcode == OPCODES[BACKWARD]:
            used.append(self._summed(task.worker, chunk, waits))
        index = self._append(replace(task, waits=tuple(sorted(set(waits)))))
        for room in used:
            room.last = index
        return index

    def finish(self) -> None:
        """Scatters what is still held."""
        for worker, held in enumerate(self.gradients):
            for room in held.rooms:
                self._scatter(worker, room)

    def _gathered(self, worker: int, chunk: int, waits: list[int]) -> _Room:
        held = self.weights[worker]
        room = held.of(chunk)
        if room is None or self.shards.every_pass:
            free: tuple[int, ...] = ()
            if len(held.rooms) == self.shards.rooms:
                free = (held.rooms.popleft().last,)
            room = _Room(chunk)
            held.rooms.append(room)
            room.last = self._collective(GATHER, self.first + worker, chunk, free)
            waits.append(room.last)
        else:
            held.rooms.remove(room)
            held.rooms.append(room)  # the one that was used longest ago goes first
        return room

    def _summed(self, worker: int, chunk: int, waits: list[int]) -> _Room:
        held = self.gradients[worker]
        room = held.of(chunk)
        if room is None or self.shards.every_pass:
            if len(held.rooms) == self.shards.rooms:
                waits.append(self._scatter(worker, held.rooms.popleft()))
            room = _Room(chunk)
            held.rooms.append(room)
        return room

    def _scatter(self, worker: int, room: _Room) -> int:
        lane = self.first + self.workers + worker
        return self._collective(SCATTER, lane, room.chunk, (room.last,))

    def _collective(self, opcode: str, lane: int, chunk: int, waits: tuple[int, ...]) -> int:
        return self._append(Task(opcode, (), (chunk,), waits, 1, f"chunk {chunk}", lane))

    def _append(self, task: Task) -> int:
        self.tasks.append(task)
        return len(self.tasks) - 1
