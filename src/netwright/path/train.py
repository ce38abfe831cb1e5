"""Train: a network, a text and a job → losses, and the step predicted and measured."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from netwright.errors import JobError
from netwright.graph.graph import Graph
from netwright.job.train import Train
from netwright.machine.host import host
from netwright.machine.machine import Machine
from netwright.plan.pipeline.seconds import Costs, task_seconds
from netwright.plan.pipeline.train import Crew, cuts_of, make_training_plan, placement_of
from netwright.plan.plan import Plan
from netwright.run.workers.assemble import assemble
from netwright.run.workers.costs import measured_costs
from netwright.run.workers.data import TextData
from netwright.run.workers.gather import step_timeline
from netwright.run.workers.launch import run_locally
from netwright.run.workers.timed import TimedPrices
from netwright.run.workers.worker import StepReport, Work
from netwright.simulate.workers import simulate_workers
from netwright.timeline.timeline import Timeline
from netwright.transform.cut import cut, shared_weights
from netwright.transform.loss import TARGETS

Told = Callable[[int, float], None]
Launch = Callable[[Sequence[Work], int, Callable[[StepReport], None]], bool]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """What a run of training gave. Timelines are of a whole step each, in the order of steps."""

    plan: Plan
    losses: tuple[float, ...]
    steps: tuple[Timeline, ...]
    reports: tuple[StepReport, ...]
    processors: int

    @property
    def step_seconds(self) -> tuple[float, ...]:
        """How long each step took, first start to last end."""
        return tuple(step.seconds for step in self.steps)

    def costs(self, steps: Collection[int]) -> Costs:
        """Seconds of every kind of task, by what these steps measured.

        Raises:
            RunError: there are no such steps.
        """
        chosen = [r for r in self.reports if r.step in steps]
        return measured_costs(self.plan.program, chosen, self.processors)

    def predict(self, costs: Costs) -> Timeline:
        """The step simulated with these costs: this run's own, or those of another schedule.

        Raises:
            ProgramError: a kind of task has no cost.
        """
        program = self.plan.program
        return simulate_workers(program, task_seconds(program, costs), self.processors)

    def typical(self) -> Timeline:
        """The measured step of median length in the second half of the run."""
        later = sorted(self.steps[len(self.steps) // 2 :], key=lambda step: step.seconds)
        return later[len(later) // 2]


def nothing_told(step: int, loss: float) -> None:
    """For those who want no progress."""


HERE = "here"


def training_plan(graph: Graph, machine: Machine, job: Train) -> Plan:
    """The plan of a training. On the machine at hand its price is that of torch's own operators,
    each unlike one timed alone for a moment; elsewhere that of the machine's cost model.

    Raises:
        PlanError: the network cannot be cut so.
        GraphError: it has not one output of logits.
        UnsupportedError: an operator has no gradient, or is not executed in torch.
    """
    if machine.name != HERE:
        return make_training_plan(graph, machine, job)
    method = "torch's operators timed alone here, simulated"
    return make_training_plan(graph, machine, job, Crew(TimedPrices(), host().processors, method))


def train(
    graph: Graph,
    machine: Machine,
    job: Train,
    text: bytes,
    told: Told = nothing_told,
    launch: Launch = run_locally,
) -> Training | None:
    """Trains for all steps, in real processes. `graph`: `tokens` [batch, tokens] → logits.

    None where this process was a worker only and another one has heard of all (torchrun).

    Raises:
        JobError: the graph does not read tokens, or the text is too short.
        PlanError: the network cannot be cut so.
        RunError: a worker failed; it names the worker and the cause.
    """
    return train_planned(training_plan(graph, machine, job), text, told, launch)


def train_planned(
    plan: Plan, text: bytes, told: Told = nothing_told, launch: Launch = run_locally
) -> Training | None:
    """Carries a plan of training out; its prediction was made before. Otherwise as `train`.

    Raises:
        JobError: the plan is for another job, its graph does not read tokens, or the text is short.
        RunError: a worker failed; it names the worker and the cause.
    """
    job = plan.job
    if not isinstance(job, Train):
        raise JobError(f"train: the plan is for {type(job).__name__}, expected Train")
    parts = cut(plan.graph, cuts_of(plan))
    data = _data(plan.graph, job, text)
    shared = shared_weights(plan.graph, cuts_of(plan))
    works = assemble(parts, placement_of(plan), plan.program, job, data, shared)
    reports: list[StepReport] = []

    def heard(report: StepReport) -> None:
        reports.append(report)
        if report.loss is not None:
            told(report.step, report.loss)

    if not launch(works, job.steps, heard):
        return None
    return gathered(plan, reports, host().processors)


def gathered(plan: Plan, reports: Sequence[StepReport], count: int) -> Training:
    """Reports of all workers, in any order, as one training."""
    ordered = sorted(reports, key=lambda r: (r.step, r.rank))
    by_step: dict[int, list[StepReport]] = {}
    for report in ordered:
        by_step.setdefault(report.step, []).append(report)
    name = plan.program.name
    steps = tuple(step_timeline(name, by_step[step]) for step in sorted(by_step))
    losses = tuple(r.loss for r in ordered if r.loss is not None)
    return Training(plan, losses, steps, tuple(ordered), count)


def _data(graph: Graph, job: Train, text: bytes) -> TextData:
    shapes = [graph[place].shape for place in graph.inputs if graph[place].name == "tokens"]
    others = {graph[place].name for place in graph.inputs} - {"tokens", TARGETS}
    if others or len(shapes) != 1 or len(shapes[0]) != 2:
        raise JobError(f"train: {graph.name} reads no `tokens` [batch, tokens] alone")
    batch, tokens = shapes[0]
    if not isinstance(batch, int) or not isinstance(tokens, int):
        raise JobError(f"train: {graph.name} has symbolic sizes; bind them first")
    words = np.frombuffer(text, dtype=np.uint8)  # a byte is a token
    return TextData(words, batch, tokens, job.microbatches, job.seed)
