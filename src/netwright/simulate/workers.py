"""Workers: a program of passes and transfers, timed on a host with fewer processors than workers.

A pass needs one processor for its seconds; when more workers are busy than there are processors,
they share them evenly. A transfer is a latency: any number of them are on their way at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netwright.errors import ProgramError
from netwright.plan.pipeline.lower import TRANSFER
from netwright.program.footprint import beside_bytes
from netwright.program.program import Program
from netwright.simulate.events import EventTasks, Transfers, play
from netwright.simulate.memory import samples
from netwright.timeline.timeline import Span, Timeline


def simulate_workers(program: Program, seconds: Sequence[float], processors: int) -> Timeline:
    """One call of the only entry, task t taking `seconds[t]` of a processor or of a link.

    The peak is that of the worker that keeps most.

    Raises:
        ProgramError: there is not one number a task, or tasks wait for each other in a circle.
    """
    (entry,) = program.entries
    tasks = entry.tasks
    if len(seconds) != len(tasks) or processors < 1:
        raise ProgramError(
            f"{program.name}: {len(seconds)} times for {len(tasks)} tasks, {processors} processors"
        )
    moves = np.array([task.opcode == TRANSFER for task in tasks], dtype=np.bool_)
    cost = np.asarray(seconds, dtype=np.float64)
    waits = [w for task in tasks for w in task.waits]
    starts = np.concatenate(([0], np.cumsum([len(task.waits) for task in tasks])))
    busy = {task.worker for task in tasks if task.opcode != TRANSFER}
    servers = [1 if w in busy else len(tasks) for w in range(len(program.workers))]
    shared = len(busy) > processors
    times = play(
        EventTasks(
            np.where(moves, cost, 0.0) if shared else cost,
            np.array([task.worker for task in tasks], dtype=np.int32),
            starts.astype(np.int64),
            np.array(waits, dtype=np.int32),
            np.array(servers, dtype=np.int32),
        ),
        _shared(cost, moves, processors) if shared else None,
    )
    beside = beside_bytes(program, [(entry.name, {})])  # of the core's records: workers have none
    memory = samples(program, entry, {}, (times.start, times.end), -beside)
    spans = [
        Span(program.workers[task.worker], task.source, task.opcode, float(a), float(b - a))
        for task, a, b in zip(tasks, times.start, times.end, strict=True)
    ]
    return Timeline(
        program.name,
        "simulated",
        program.machine,
        tuple(sorted(spans, key=lambda s: s.start_seconds)),
        memory,
        times.makespan_seconds,
        max((sample.used_bytes for sample in memory), default=0),
    )


def _shared(cost: np.ndarray, moves: np.ndarray, processors: int) -> Transfers:
    """Processor seconds as what flows over one channel: at most one a second for each pass."""
    count = np.where(moves, 0, 1)
    return Transfers(
        np.where(moves, 0.0, cost),
        np.ones(len(cost)),
        np.concatenate(([0], np.cumsum(count))).astype(np.int64),
        np.zeros(int(count.sum()), np.int32),
        np.array([float(processors)]),
    )
