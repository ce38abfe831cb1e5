"""Pipelines: a schedule's program priced by stage times, and what its timeline says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

from netwright.errors import ProgramError
from netwright.plan.pipeline.lower import ENTRY, TRANSFER
from netwright.plan.pipeline.schedule import Schedule
from netwright.plan.pipeline.seconds import (
    Costs,
    kind_of,
    priced_program,
    processors_of,
    seconds_of,
    task_seconds,
)
from netwright.plan.pipeline.times import StageTimes, peaks
from netwright.program.program import Program, Task
from netwright.simulate.price import Price, TaskCost
from netwright.simulate.simulate import Simulation, simulate_call
from netwright.simulate.workers import simulate_workers
from netwright.timeline.timeline import Timeline


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


def simulate_stages(program: Program, entry: str) -> Timeline:
    """One call of a program of passes, by the prices that it carries.

    Where its workers share processors, messages are latencies (`simulate_workers`); else every
    worker has what it needs, and a link carries one message after the other.

    Raises:
        ProgramError: it carries no prices; the message says who gives them.
    """
    costs = seconds_of(program)
    if costs is None:
        raise ProgramError(
            f"{program.name}: carries no seconds of its passes; plan it with `nw.plan(network,"
            " machine, nw.Train(...))`, or price a schedule by times: `priced_program(schedule,"
            " times)` of netwright.plan.pipeline.seconds"
        )
    processors = processors_of(program)
    if processors is not None:
        return simulate_workers(program, task_seconds(program, costs), processors)
    return _played(program, costs, entry)


def stage_price(costs: Costs) -> Price:
    """Prices by kind of pass, or of message."""

    def price(task: Task, symbols: Mapping[str, int]) -> TaskCost:
        return TaskCost(costs[kind_of(task)])

    return price


def _played(program: Program, costs: Costs, entry: str) -> Timeline:
    task_seconds(program, costs)
    price = stage_price(costs)
    return simulate_call(Simulation(program, program.machine, ((entry, price),)), entry, {})


def replay(schedule: Schedule, times: StageTimes) -> Replay:
    """Lowers a schedule and plays it on the event engine.

    The bubble rate is `1 - work / span` with the most work that any worker has
    (arXiv 2401.10241, section 5.3).

    Raises:
        PlanError: the workers wait for each other.
    """
    timeline = simulate_stages(priced_program(schedule, times), ENTRY)
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
