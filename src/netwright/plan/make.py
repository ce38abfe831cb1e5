"""Graph × Machine × Job → Plan, on one device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from netwright.graph.graph import Graph
from netwright.graph.unroll import unrolled
from netwright.job.job import Choose, Infer, Job, Uniform
from netwright.machine.machine import Machine
from netwright.plan.assign import least_demand
from netwright.plan.capacity import demand_bytes, infeasible_bytes, rooms, tightest
from netwright.plan.chip.make import make_chip_plan
from netwright.plan.context import for_job
from netwright.plan.decision import Decision
from netwright.plan.draft import Draft, draft
from netwright.plan.fit import fitted
from netwright.plan.infeasible import Infeasible
from netwright.plan.kernels import addresses, kernels
from netwright.plan.levers import memory_levers, scratch_levers, time_infeasible, time_limit
from netwright.plan.mapping.make import array_of, make_mapping_plan
from netwright.plan.plan import Plan
from netwright.plan.precision import (
    Choices,
    choices_of,
    choose_precision,
    kept_precision,
    tightened,
    uniform,
    with_losses,
)
from netwright.plan.predict import Where
from netwright.plan.scratchpad_decision import scratchpad_decision
from netwright.plan.slim import chunk_decision, slimmed, widest
from netwright.transform.standard import standard

Progress: TypeAlias = Callable[[str, float], None]
ROUNDS = 4  # of choosing, when buffers of the new formats took room that the old ones did not


def silent(what: str, share: float) -> None:
    """Progress for those who want none."""


def make_plan(graph: Graph, machine: Machine, job: Job, progress: Progress = silent) -> Plan:
    """Plans a graph for one device of a machine.

    `progress` is told what is being done and which share of it, while precision is chosen or a
    scratchpad is planned.

    Raises:
        JobError: the job does not suit the graph.
        UnsupportedError: an operator or format has no kernel.
        FormatError: a weight's file cannot be read.
    """
    if machine.spiking is not None:
        return make_chip_plan(graph, machine, job)
    array = array_of(machine)
    if array is not None and isinstance(job, Infer):
        return make_mapping_plan(graph, machine, array, job, progress)
    fused, rewrites = standard(for_job(graph, job))
    kept = unrolled(fused)
    if isinstance(job.precision, Uniform):
        kept = uniform(kept, job.precision.format, progress)
    found = fitted(draft(kept, machine, job))
    why_not = _excess(found)
    precision = (kept_precision(found.graph),)
    if isinstance(job.precision, Uniform):
        asked = f"{job.precision.format} as asked, where a weight can have it"
        precision = (replace(precision[0], method=asked),)
    if isinstance(job.precision, Choose):
        if why_not is None:
            reason = "the limits allow it, and no other format loses less"
            precision = (kept_precision(found.graph, reason),)
        else:
            found, precision, why_not = _within_limits(found, progress)
    fusion = tuple(
        Decision("fusion", f"{r.transform}, {r.rule}: {r.count}", "rewriting to a fixed point")
        for r in rewrites
        if r.count
    )
    scratchpad = scratchpad_decision(found.graph, machine, found.unit, job, progress)
    return Plan(
        graph,
        machine,
        job,
        (*fusion, *precision, *found.decisions, *_runs(found), *scratchpad),
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


def _within_limits(
    kept: Draft, progress: Progress
) -> tuple[Draft, tuple[Decision, ...], Infeasible | None]:
    """What loses nothing first (smaller chunks), then the formats of least loss."""
    tight = tightest(kept.footprint, rooms(kept.machine, kept.unit, kept.job)) is not None
    seen = slimmed(kept) if tight else (kept,)
    slim = seen[-1]
    if _excess_bytes(slim) <= 0 and _excess_seconds(slim) <= 0:
        kept_all = kept_precision(slim.graph, "it fits with less scratch")
        return slim, (kept_all, *chunk_decision(slim, seen)), None
    choices = choices_of(slim)
    why_not = _least(slim, choices)
    if why_not is not None:
        return slim, (kept_precision(slim.graph), *chunk_decision(slim, seen)), why_not
    choices = with_losses(slim.graph, choices, progress)
    for _ in range(ROUNDS):
        chosen = choose_precision(slim.graph, choices, progress)
        if chosen is None:
            break
        found = draft(chosen.graph, slim.machine, slim.job, slim.rule)
        missing = (_excess_bytes(found), _excess_seconds(found))[: len(choices.limits)]
        if max(missing) <= 0:
            found = widest(found, kept.job) if tight else found
            return found, (*chosen.decisions, *chunk_decision(found, seen)), None
        # Seconds are not quite a sum over weights: what is missing halves from round to round.
        more = (max(0.0, missing[0]), *(2 * max(0.0, m) for m in missing[1:]))
        choices = tightened(choices, more, chosen.bound)
    return slim, (kept_precision(slim.graph), *chunk_decision(slim, seen)), _excess(slim)


def _least(slim: Draft, choices: Choices) -> Infeasible | None:
    """Why not even the smallest, or the fastest, formats would do; None when they may."""
    saved = sum(row[0].demands[0] for row in choices.options) - least_demand(choices.options, 0)
    footprint = replace(slim.footprint, weights_bytes=slim.footprint.weights_bytes - int(saved))
    room = tightest(footprint, rooms(slim.machine, slim.unit, slim.job))
    if room is not None:
        least = replace(room, name=f"{room.name}, every weight in its smallest format,")
        smallest = replace(slim, footprint=footprint)
        return infeasible_bytes(footprint, least, scratch_levers(smallest, room))
    limit = slim.job.limits.seconds
    if limit is None:
        return None
    gained = sum(row[0].demands[1] for row in choices.options) - least_demand(choices.options, 1)
    fastest = slim.repeated.seconds - gained
    return time_infeasible(slim, fastest, ()) if fastest > limit else None


def _excess_bytes(found: Draft) -> float:
    """Bytes over the tightest limit; negative where there is room."""
    return max(
        demand_bytes(found.footprint, room) - room.capacity_bytes
        for room in rooms(found.machine, found.unit, found.job)
    )


def _excess_seconds(found: Draft) -> float:
    """Seconds over the limit of the call that repeats."""
    limit = found.job.limits.seconds
    return 0.0 if limit is None else found.repeated.seconds - limit


def _runs(found: Draft) -> tuple[Decision, ...]:
    """What the program runs: one arena, and the kernels of every entry."""
    program = found.program
    of_entries = (
        kernels(e, Where(found.machine, found.unit, program.threads_of(e)), found.job)
        for e in program.entries
    )
    return addresses(program, found.memory), *of_entries
