"""Step: the program of a schedule with the optimiser's step of every chunk at its end."""

from __future__ import annotations

from dataclasses import replace

from netwright.plan.pipeline.lower import TRANSFER, lower_schedule
from netwright.plan.pipeline.schedule import Schedule
from netwright.program.program import Program, Task

UPDATE = "stage_update"


def lower_step(schedule: Schedule, activation_bytes: int, kept: float) -> Program:
    """One step of training; an update has one parameter, its chunk.

    A worker keeps `activation_bytes` of a micro-batch after its forward pass and the share `kept`
    of that after the gradient of its input.

    Raises:
        PlanError: the workers wait for each other.
    """
    program = lower_schedule(schedule, kept, activation_bytes)
    (entry,) = program.entries
    tasks = list(entry.tasks)
    last = {task.worker: i for i, task in enumerate(tasks) if task.opcode != TRANSFER}
    for chunk, worker in enumerate(schedule.placement):
        source = f"optimiser of chunk {chunk}"
        tasks.append(Task(UPDATE, (), (chunk,), (last[worker],), 1, source, worker))
        last[worker] = len(tasks) - 1
    return replace(program, entries=(replace(entry, tasks=tuple(tasks)),), machine="here")
