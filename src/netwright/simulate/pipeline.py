"""Pipelines: a schedule's program priced by stage times, and what its timeline says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

from netwright.plan.pipeline.lower import ENTRY, OPCODES, TRANSFER, lower_schedule
from netwright.plan.pipeline.schedule import Schedule
from netwright.plan.pipeline.times import StageTimes, chunks_of, peaks
from netwright.program.program import Program, Task
from netwright.simulate.price import Price, TaskCost
from netwright.simulate.simulate import Simulation, simulate_call
from netwright.timeline.timeline import Timeline

_KINDS = {opcode: kind for kind, opcode in OPCODES.items()}


@final
@dataclass(frozen=True, slots=True)
class Replay:
    """A schedule played. `span_seconds`: the longest time of a worker from its first pass to its
    last, which is what a step costs when the next one follows without a barrier; `seconds`: from
    the first start to the last end. `peak`: of any worker, in activations of one micro-batch.
    """

    schedule: Schedule
    timeline: Timeline
    span_seconds: float
    seconds: float
    bubble_rate: float
    peak: float


@final
@dataclass(frozen=True, slots=True)
class PassSpan:
    """One pass of a worker, when it ran."""

    opcode: str
    chunk: int
    microbatch: int
    start_seconds: float
    end_seconds: float


def passes_of(played: Replay) -> tuple[tuple[PassSpan, ...], ...]:
    """The passes of every worker in order; transfers are left out."""
    schedule = played.schedule
    found: list[list[PassSpan]] = [[] for _ in range(schedule.num_workers)]
    index = {f"worker {w}": w for w in range(schedule.num_workers)}
    for span in played.timeline.spans:
        worker = index.get(span.resource)
        if worker is not None:
            step = schedule.orders[worker][len(found[worker])]
            end = span.start_seconds + span.seconds
            found[worker].append(
                PassSpan(span.opcode, step.chunk, step.microbatch, span.start_seconds, end)
            )
    return tuple(map(tuple, found))


def stage_price(program: Program, schedule: Schedule, times: StageTimes) -> Price:
    """Prices by what kind of pass it is and who does it; a message by who sends it."""
    chunks = chunks_of(schedule)
    names = program.workers

    def price(task: Task, symbols: Mapping[str, int]) -> TaskCost:
        if task.opcode == TRANSFER:
            return TaskCost(times.transfer_seconds[int(names[task.worker].split()[1])])
        kind = _KINDS[task.opcode]
        return TaskCost(times.pass_seconds(kind, task.worker, chunks[task.worker]))

    return price


def replay(schedule: Schedule, times: StageTimes) -> Replay:
    """Lowers a schedule and plays it on the event engine.

    The bubble rate is `1 - work / span` with the most work that any worker has
    (arXiv 2401.10241, section 5.3).

    Raises:
        PlanError: the workers wait for each other.
    """
    program = lower_schedule(schedule, times.kept)
    price = stage_price(program, schedule, times)
    timeline = simulate_call(Simulation(program, "stages", ((ENTRY, price),)), ENTRY, {})
    first: dict[str, float] = {}
    last: dict[str, float] = {}
    for span in timeline.spans:
        if span.opcode != TRANSFER:
            first.setdefault(span.resource, span.start_seconds)
            end = span.start_seconds + span.seconds
            last[span.resource] = max(last.get(span.resource, 0.0), end)
    longest = max(last[worker] - first[worker] for worker in first)
    work = max(
        schedule.microbatches * times.work_seconds(worker) for worker in range(schedule.num_workers)
    )
    rate = max(0.0, 1.0 - work / longest)
    peak = max(peaks(schedule, times.kept))
    facts = (("span_seconds", longest), ("bubble_rate", rate), ("peak_activations", peak))
    return Replay(
        schedule,
        replace(timeline, facts=facts),
        longest,
        timeline.seconds,
        rate,
        peak,
    )
