"""A spiking network on a chip of cores: planned, run once for its spikes, and simulated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from netwright.graph.graph import Graph
from netwright.job.job import Infer, Job, Stream
from netwright.machine.machine import Machine
from netwright.path.spiking import Asked
from netwright.path.stream import keeps_state, steps_of
from netwright.plan.make import make_plan
from netwright.plan.plan import Plan
from netwright.program.program import Program
from netwright.run.record import record
from netwright.simulate.chip import simulate_chip
from netwright.timeline.timeline import Timeline


@final
@dataclass(frozen=True, slots=True, eq=False)
class OnChip:
    """The plan, its run, and how many spikes each population sent (None: by densities)."""

    plan: Plan
    program: Program
    timeline: Timeline
    spikes: tuple[tuple[str, int], ...] | None


def run_on_chip(graph: Graph, machine: Machine, asked: Asked) -> OnChip:
    """Plans, runs the network once in the reference, and simulates the chip with its spikes.

    Raises:
        JobError: inputs do not fit the network, or it has none and no time is given.
        UnsupportedError, PlanError: as planning for a chip and lowering do.
    """
    steps = _steps(graph, asked)
    job: Job = Infer() if steps is None else Stream(steps=steps)
    plan = make_plan(graph, machine, job)
    program = plan.lower()
    if asked.inputs is None and (graph.inputs or asked.seconds is None):
        return OnChip(plan, program, simulate_chip(program, machine), None)
    spikes = record(graph, asked.inputs or {}, steps)
    timeline = simulate_chip(program, machine, spikes)
    inside = {task.source for task in program.entry("step").tasks}
    counted = tuple((name, int(values.sum())) for name, values in spikes.items() if name in inside)
    return OnChip(plan, program, timeline, counted)


def _steps(graph: Graph, asked: Asked) -> int | None:
    """Those of the inputs, or of the time; None: one call has all."""
    if not keeps_state(graph):
        return None
    first = next(iter((asked.inputs or {}).values()), None)
    if first is not None:
        return len(first)
    return 1 if asked.seconds is None else steps_of(graph, asked.seconds)
