"""Graph × Machine × Job → Plan, on one device."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TypeAlias

from netwright.graph.graph import Graph
from netwright.graph.unroll import unrolled
from netwright.job.job import Choose, Job
from netwright.machine.machine import Machine
from netwright.plan.capacity import demand_bytes, infeasible_bytes, rooms, tightest
from netwright.plan.context import for_job
from netwright.plan.decision import Alternative, Decision
from netwright.plan.draft import Draft, draft
from netwright.plan.infeasible import Infeasible
from netwright.plan.levers import memory_levers, time_limit
from netwright.plan.plan import Plan
from netwright.plan.precision import (
    Choices,
    choices_of,
    choose_precision,
    kept_precision,
    tightened,
)
from netwright.program.program import Program
from netwright.transform.standard import standard

Progress: TypeAlias = Callable[[str, float], None]
ROUNDS = 4  # of choosing, when buffers of the new formats took room that the old ones did not


def silent(what: str, share: float) -> None:
    """Progress for those who want none."""


def make_plan(graph: Graph, machine: Machine, job: Job, progress: Progress = silent) -> Plan:
    """Plans a graph for one device of a machine.

    `progress` is told what is being done and which share of it, while precision is chosen.

    Raises:
        JobError: the job does not suit the graph.
        UnsupportedError: an operator or format has no kernel.
        FormatError: a weight's file cannot be read.
    """
    fused, rewrites = standard(for_job(graph, job))
    found = draft(unrolled(fused), machine, job)
    why_not = _excess(found)
    precision = (kept_precision(found.graph),)
    if isinstance(job.precision, Choose):
        if why_not is None:
            reason = "the limits allow it, and no other format loses less"
            precision = (kept_precision(found.graph, reason),)
        else:
            found, precision, why_not = _chosen(found, why_not, progress)
    fusion = tuple(
        Decision("fusion", f"{r.transform}, {r.rule}: {r.count}", "rewriting to a fixed point")
        for r in rewrites
        if r.count
    )
    return Plan(
        graph,
        machine,
        job,
        (*fusion, *precision, *found.decisions, _kernels(found.program)),
        found.predictions,
        found.memory,
        found.program,
        found.footprint.total_bytes,
        why_not,
    )


def _excess(found: Draft) -> Infeasible | None:
    """The limit that is exceeded, with what would help; None when all hold."""
    room = tightest(found.footprint, rooms(found.machine, found.unit, found.job))
    if room is not None:
        return infeasible_bytes(found.footprint, room, memory_levers(found, room))
    return time_limit(found)


def _chosen(
    kept: Draft, why_not: Infeasible, progress: Progress
) -> tuple[Draft, tuple[Decision, ...], Infeasible | None]:
    """The draft in the best formats within the limits, or the kept one and why there is none."""
    choices = choices_of(kept, progress)
    for _ in range(ROUNDS):
        chosen = choose_precision(kept, choices, progress)
        if chosen is None:
            break
        found = draft(chosen.graph, kept.machine, kept.job)
        missing = _missing(found, choices)
        if not any(missing):
            return found, chosen.decisions, None
        choices = tightened(choices, missing)
    return kept, (kept_precision(kept.graph, "no choice of formats keeps the limits"),), why_not


def _missing(found: Draft, choices: Choices) -> tuple[float, ...]:
    """Bytes and seconds by which a draft exceeds its limits."""
    over = max(
        demand_bytes(found.footprint, room) - room.capacity_bytes
        for room in rooms(found.machine, found.unit, found.job)
    )
    limit = found.job.limits.seconds
    late = 0.0 if limit is None else found.repeated.seconds - limit
    return (max(0.0, over), max(0.0, late))[: len(choices.limits)]


def _kernels(program: Program) -> Decision:
    counts = Counter(task.opcode for entry in program.entries for task in entry.tasks)
    alternatives = tuple(Alternative(f"{name} x {count}") for name, count in counts.most_common())
    return Decision(
        "kernels", f"{sum(counts.values())} tasks", "one kernel covers each kind", alternatives
    )
