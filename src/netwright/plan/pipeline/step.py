"""Step: the program of a schedule with the optimiser's step of every chunk at its end.

Where several chunks hold one weight, each sends the sum of its gradients to the other workers that
hold it, as Megatron-LM does with the embedding (arXiv 2104.04473): all then do the same step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netwright.plan.pipeline.lower import OPCODES, TRANSFER, lower_schedule
from netwright.plan.pipeline.schedule import BACKWARD, Schedule
from netwright.program.program import Program, Task

UPDATE = "stage_update"
SHARED = (
    2  # a transfer's first parameter: then come the shared weight's number and the giving chunk
)


def lower_step(
    schedule: Schedule,
    activation_bytes: int,
    kept: float,
    shared: Sequence[Sequence[int]] = (),
    working_bytes: int = 0,
    asynchronous: bool = False,
) -> Program:
    """One step of training; an update has one parameter, its chunk.

    `shared`: of every weight that several chunks hold, the chunks.

    A worker keeps `activation_bytes` of a micro-batch after its forward pass and the share `kept`
    of that after the gradient of its input. `working_bytes`: what a backward pass makes anew.
    `asynchronous`: an update stands after each backward pass; its second parameter is micro-batch.

    Raises:
        PlanError: the workers wait for each other.
    """
    program = lower_schedule(schedule, kept, activation_bytes, working_bytes)
    if asynchronous:
        return replace(_updated_at_once(program), machine="here")
    (entry,) = program.entries
    tasks, names = list(entry.tasks), list(program.workers)
    last = {task.worker: i for i, task in enumerate(tasks) if task.opcode != TRANSFER}
    coming = _exchange(schedule, shared, (tasks, names, last))
    for chunk, worker in enumerate(schedule.placement):
        source = f"optimiser of chunk {chunk}"
        waits = (last[worker], *coming.pop(worker, ()))
        tasks.append(Task(UPDATE, (), (chunk,), waits, 1, source, worker))
        last[worker] = len(tasks) - 1
    entries = (replace(entry, tasks=tuple(tasks)),)
    return replace(program, entries=entries, workers=tuple(names), machine="here")


def _updated_at_once(program: Program) -> Program:
    (entry,) = program.entries
    tasks: list[Task] = []
    moved: list[int] = []
    for task in entry.tasks:
        moved.append(len(tasks))
        tasks.append(replace(task, waits=tuple(moved[wait] for wait in task.waits)))
        if task.opcode == OPCODES[BACKWARD]:
            source = f"optimiser of chunk {task.parameters[0]}, micro-batch {task.parameters[1]}"
            waits = (len(tasks) - 1,)
            tasks.append(Task(UPDATE, (), task.parameters, waits, 1, source, task.worker))
    return replace(program, entries=(replace(entry, tasks=tuple(tasks)),))


def _exchange(
    schedule: Schedule,
    shared: Sequence[Sequence[int]],
    so_far: tuple[list[Task], list[str], dict[int, int]],
) -> dict[int, list[int]]:
    """Adds a transfer from every holder to every other worker that holds the weight.

    Worker → the transfers that its first update waits for.
    """
    tasks, names, last = so_far
    coming: dict[int, list[int]] = {}
    for number, chunks in enumerate(shared):
        workers = dict.fromkeys(schedule.placement[chunk] for chunk in chunks)
        for chunk in chunks:
            giver = schedule.placement[chunk]
            for taker in (w for w in workers if w != giver):
                link = f"link {giver} to {taker}"
                if link not in names:
                    names.append(link)
                coming.setdefault(taker, []).append(len(tasks))
                source = f"gradient of shared weight {number} in chunk {chunk} to worker {taker}"
                parameters = (SHARED, number, chunk)
                at = names.index(link)
                tasks.append(Task(TRANSFER, (), parameters, (last[giver],), 1, source, at))
    return coming
