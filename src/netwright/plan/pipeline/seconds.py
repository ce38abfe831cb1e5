"""Seconds: what a program of passes was priced at, kept in its metadata.

Whole passes have no formula over their operands: whoever plans them knows their graphs. So the
program carries seconds by kind of task, and `Program.simulate` needs nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

from netwright.errors import ProgramError
from netwright.plan.pipeline.lower import OPCODES, TRANSFER, lower_schedule
from netwright.plan.pipeline.schedule import Schedule
from netwright.plan.pipeline.times import StageTimes, chunks_of
from netwright.program.program import Program, Task

SECONDS = "seconds"  # metadata: kind of task → seconds
PROCESSORS = "processors"  # metadata: how many processors all workers share; absent: one each

# Opcode and chunk; of a transfer also its direction (1: a gradient) and the boundary.
Kind: TypeAlias = tuple[str, int, int]
Costs: TypeAlias = Mapping[Kind, float]


def kind_of(task: Task) -> Kind:
    """What tasks of equal seconds have in common: all micro-batches of a pass of a chunk."""
    first, *rest = (int(p) for p in task.parameters if isinstance(p, int))
    return (task.opcode, first, rest[0]) if task.opcode == TRANSFER else (task.opcode, first, 0)


def with_seconds(program: Program, costs: Costs, processors: int | None = None) -> Program:
    """The program with its prices; `processors` are shared evenly by workers that are busy.

    Raises:
        ProgramError: a kind of task has no price.
    """
    task_seconds(program, costs)
    table = {" ".join(map(str, kind)): seconds for kind, seconds in costs.items()}
    added = [(SECONDS, json.dumps(table))]
    if processors is not None:
        added.append((PROCESSORS, str(processors)))
    kept = tuple(item for item in program.metadata if item[0] not in (SECONDS, PROCESSORS))
    return replace(program, metadata=(*kept, *added))


def stage_costs(schedule: Schedule, times: StageTimes) -> Costs:
    """Stage times as prices: a pass by what it is and who does it, a message by who sends it."""
    chunks, place = chunks_of(schedule), schedule.placement
    found: dict[Kind, float] = {}
    for chunk, worker in enumerate(place):
        for kind, opcode in OPCODES.items():
            found[opcode, chunk, 0] = times.pass_seconds(kind, worker, chunks[worker])
    for boundary in range(len(place) - 1):
        found[TRANSFER, 0, boundary] = times.transfer_seconds[place[boundary]]
        found[TRANSFER, 1, boundary] = times.transfer_seconds[place[boundary + 1]]
    return found


def priced_program(schedule: Schedule, times: StageTimes) -> Program:
    """The schedule's program with its prices: `.simulate()` plays it.

    Raises:
        PlanError: the workers wait for each other.
    """
    return with_seconds(lower_schedule(schedule, times.kept), stage_costs(schedule, times))


def seconds_of(program: Program) -> Costs | None:
    """The prices that a program carries; None when it was never priced."""
    text = dict(program.metadata).get(SECONDS)
    if text is None:
        return None
    found: dict[Kind, float] = {}
    for name, seconds in json.loads(text).items():
        opcode, chunk, boundary = name.split()
        found[opcode, int(chunk), int(boundary)] = float(seconds)
    return found


def processors_of(program: Program) -> int | None:
    """How many processors the workers share; None: each has its own."""
    text = dict(program.metadata).get(PROCESSORS)
    return None if text is None else int(text)


def task_seconds(program: Program, costs: Costs) -> list[float]:
    """The seconds of every task, in order.

    Raises:
        ProgramError: a kind of task has no price.
    """
    found: list[float] = []
    for task in program.entries[0].tasks:
        kind = kind_of(task)
        if kind not in costs:
            raise ProgramError(f"{program.name}: {task.source} ({task.opcode}) has no price")
        found.append(costs[kind])
    return found
