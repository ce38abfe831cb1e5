"""The verbs that users call: plan and report."""

from __future__ import annotations

from netwright.errors import MachineError
from netwright.graph.graph import Graph
from netwright.job.job import Job
from netwright.job.train import Train
from netwright.machine.load import machine as find_machine
from netwright.machine.machine import Machine
from netwright.path.outcome import promise
from netwright.path.summary import plan_summary
from netwright.plan.make import make_plan
from netwright.plan.pipeline.train import make_training_plan
from netwright.plan.plan import Plan
from netwright.report.report import Report
from netwright.report.report import report as make_report
from netwright.timeline.timeline import Timeline


def plan(graph: Graph, machine: Machine, job: Job | Train) -> Plan:
    """How to run this graph on this machine for this job, with proofs of what is proved.

    Raises:
        JobError: the job does not suit the graph.
        UnsupportedError: an operator or format has no kernel.
    """
    if isinstance(job, Train):
        return make_training_plan(graph, machine, job)
    return make_plan(graph, machine, job)


def report(
    predicted: Timeline, measured: Timeline | None = None, plan: Plan | None = None
) -> Report:
    """Prediction laid over measurement; `.save("report.html")` writes one self-contained page.

    Without a measurement (of a machine that is not at hand) the prediction stands alone; with the
    plan its bounds, certificates and every decision are on the page.
    The roof is drawn of the machine that the prediction is for, where it can be found by its name.

    Raises:
        ReportError: `predicted` was not simulated or `measured` not measured.
    """
    try:
        on = find_machine(predicted.machine) if plan is None else plan.machine
    except MachineError:
        on = None  # a machine of the caller's own making: its timelines are all that there is
    promised = None if plan is None else promise(plan_summary(plan))
    return make_report(predicted, measured, on, promised)
