"""Instructions: one worker's tasks of a program, with a receive and a send for every transfer.

A transfer is a task on a link. Whoever does what it waits for sends; whoever waits for it
receives, just before the first of its own tasks that does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

from netwright.errors import ProgramError
from netwright.plan.pipeline.lower import OPCODES, TRANSFER
from netwright.plan.pipeline.schedule import PassKind
from netwright.plan.pipeline.step import UPDATE
from netwright.program.program import Program, Task

FORWARD, INPUT_GRADIENT = OPCODES[PassKind.FORWARD], OPCODES[PassKind.INPUT_GRADIENT]
BACKWARD = OPCODES[PassKind.BACKWARD]

__all__ = [
    "BACKWARD",
    "FORWARD",
    "INPUT_GRADIENT",
    "UPDATE",
    "Compute",
    "Instruction",
    "Receive",
    "Send",
    "instructions",
]


@final
@dataclass(frozen=True, slots=True)
class Compute:
    """A pass of a chunk, or its optimiser's step (of no micro-batch: -1)."""

    task: Task
    index: int
    chunk: int
    microbatch: int


@final
@dataclass(frozen=True, slots=True)
class Send:
    """Starts a transfer and goes on. `gradient` is 1 for a gradient, 0 for an activation."""

    task: Task
    gradient: int
    boundary: int
    microbatch: int
    peer: int
    tag: int


@final
@dataclass(frozen=True, slots=True)
class Receive:
    """Waits until a transfer has arrived."""

    task: Task
    gradient: int
    boundary: int
    microbatch: int
    peer: int
    tag: int


Instruction: TypeAlias = Compute | Send | Receive


def instructions(program: Program, worker: int) -> tuple[Instruction, ...]:
    """What a worker does, in order.

    Raises:
        ProgramError: the program has more than one entry, or a transfer without both ends.
    """
    if len(program.entries) != 1:
        raise ProgramError(f"{program.name}: {len(program.entries)} entries, expected one step")
    tasks = program.entries[0].tasks
    ends = _ends(program.name, tasks)
    found: list[Instruction] = []
    received: set[int] = set()
    for index, task in enumerate(tasks):
        if task.worker != worker or task.opcode == TRANSFER:
            continue
        for wait in task.waits:
            if tasks[wait].opcode == TRANSFER and wait not in received:
                received.add(wait)
                found.append(Receive(*_message(tasks, wait, ends[wait][0])))
        chunk, *rest = (p for p in task.parameters if isinstance(p, int))
        found.append(Compute(task, index, chunk, rest[0] if rest else -1))
        found += [
            Send(*_message(tasks, transfer, taker))
            for transfer, (giver, taker) in ends.items()
            if giver == worker and index in tasks[transfer].waits
        ]
    return tuple(found)


def _ends(name: str, tasks: Sequence[Task]) -> dict[int, tuple[int, int]]:
    """Transfer → who sends and who receives."""
    found: dict[int, tuple[int, int]] = {}
    takers: dict[int, int] = {}
    for task in tasks:
        if task.opcode != TRANSFER:
            takers.update({w: task.worker for w in task.waits if tasks[w].opcode == TRANSFER})
    for index, task in enumerate(tasks):
        if task.opcode != TRANSFER:
            continue
        if len(task.waits) != 1 or index not in takers:
            raise ProgramError(f"{name}: transfer {index} ({task.source}) has not both ends")
        found[index] = (tasks[task.waits[0]].worker, takers[index])
    return found


def _message(tasks: Sequence[Task], index: int, peer: int) -> tuple[Task, int, int, int, int, int]:
    task = tasks[index]
    gradient, boundary, microbatch = (int(p) for p in task.parameters if isinstance(p, int))
    return task, gradient, boundary, microbatch, peer, index
