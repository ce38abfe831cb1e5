"""Task events a second of the event engine on one core: `python -m benchmarks.events`.

Times are CPU seconds; the columns are made beforehand and checked inside the measured call.
"""

import time

import numpy as np

from netwright.plan.pipeline.build import build
from netwright.plan.pipeline.lower import lower_schedule
from netwright.plan.pipeline.seconds import stage_costs
from netwright.plan.pipeline.times import uniform_times
from netwright.simulate.events import EventTasks, Transfers, play
from netwright.simulate.pipeline import stage_price

NUM_TASKS = 4_000_000


def pipeline(num_tasks: int, num_resources: int, servers: int) -> EventTasks:
    """Micro-batches through stages: each task waits for the stage and the batch before it."""
    tasks = np.arange(num_tasks)
    resource = (tasks % num_resources).astype(np.int32)
    waits = np.stack([tasks - 1, tasks - num_resources], 1)
    keep = waits >= 0
    starts = np.concatenate([[0], np.cumsum(keep.sum(1))]).astype(np.int64)
    seconds = np.random.default_rng(0).uniform(0.5, 1.5, num_tasks)
    return EventTasks(
        seconds,
        resource,
        starts,
        waits[keep].astype(np.int32),
        np.full(num_resources, servers, np.int32),
    )


def replay(name: str, workers: int, microbatches: int) -> EventTasks:
    """A training step as `netwright schedule` lowers it: passes on workers, transfers on links."""
    times = uniform_times(workers, (10.4e-3, 10.2e-3, 7.7e-3, 0.41e-3))
    schedule = build(name, workers, microbatches)
    program = lower_schedule(schedule)
    price = stage_price(stage_costs(schedule, times))
    tasks = program.entries[0].tasks
    waits = [len(task.waits) for task in tasks]
    return EventTasks(
        np.array([price(task, {}).seconds for task in tasks]),
        np.array([task.worker for task in tasks], np.int32),
        np.concatenate([[0], np.cumsum(waits)]).astype(np.int64),
        np.array([w for task in tasks for w in task.waits], np.int32),
        np.ones(len(program.workers), np.int32),
    )


def measure(name: str, tasks: EventTasks, transfers: Transfers | None = None) -> None:
    seconds = []
    for _ in range(3):
        began = time.process_time()
        play(tasks, transfers)
        seconds.append(time.process_time() - began)
    print(f"{name:44} {len(tasks) / min(seconds) / 1e6:7.2f} million tasks a second")


def shared(num_tasks: int, num_resources: int) -> Transfers:
    """Every task moves bytes over one channel that all share."""
    return Transfers(
        np.random.default_rng(1).uniform(0.0, 2.0, num_tasks),
        np.full(num_tasks, np.inf),
        np.arange(num_tasks + 1, dtype=np.int64),
        np.zeros(num_tasks, np.int32),
        np.array([float(num_resources)]),
    )


def main() -> None:
    measure("in order, 1 resource", pipeline(NUM_TASKS, 1, 1))
    measure("in order, 64 resources, 2 waits a task", pipeline(NUM_TASKS, 64, 1))
    measure("in order, 8 resources of 4 servers", pipeline(NUM_TASKS, 8, 4))
    measure("1F1B, 32 workers, 4096 micro-batches", replay("1f1b", 32, 4096))
    measure("ZB-H2, 32 workers, 4096 micro-batches", replay("zb-h2", 32, 4096))
    small = NUM_TASKS // 10
    measure("shared channel, 8 resources", pipeline(small, 8, 1), shared(small, 8))


if __name__ == "__main__":
    main()
