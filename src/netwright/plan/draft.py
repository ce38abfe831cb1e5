"""Draft: a flat graph planned in the formats that its weights have, before it is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, final

from netwright.graph.graph import Graph
from netwright.job.job import Job, Stream, entry_symbols
from netwright.machine.machine import Machine, Unit
from netwright.plan.all_rows import with_all_rows
from netwright.plan.capacity import Footprint, footprint_of
from netwright.plan.certificate import Certificate
from netwright.plan.decision import Decision
from netwright.plan.kernels import picked
from netwright.plan.lower.emitter import Store
from netwright.plan.lower.finish import program_of
from netwright.plan.lower.lower import Lowered, lower_entry, lower_start, total_limit
from netwright.plan.pick import Calls, Rule, Weighed, fastest, picker, times_called
from netwright.plan.plan import Prediction
from netwright.plan.predict import (
    Where,
    choose_unit,
    largest_task,
    predict,
    representative_symbols,
    symbols_of,
)
from netwright.plan.scratch import plan_scratch
from netwright.plan.threads import choose_kind, choose_threads, split, thread_counts
from netwright.program.program import Program

Bounds: TypeAlias = Mapping[str, Mapping[str, tuple[int, int]]]  # entry → symbol → low, high


@final
@dataclass(frozen=True, slots=True)
class Draft:
    """A program with what it takes and why it is so."""

    graph: Graph
    machine: Machine
    unit: Unit
    job: Job
    program: Program
    memory: Certificate
    predictions: tuple[Prediction, ...]
    decisions: tuple[Decision, ...]
    footprint: Footprint
    weighed: tuple[Weighed, ...]
    rule: Rule

    @property
    def repeated(self) -> Prediction:
        """The call that a limit on time is about: one token, one step, one pass."""
        name, _ = self.program.default_call()
        return next(p for p in self.predictions if p.entry == name)


def draft(graph: Graph, machine: Machine, job: Job, rule: Rule = fastest) -> Draft:
    """Lowers, orders and prices every entry of a flat graph; kernels by a rule.

    Raises:
        UnsupportedError: an operator or format has no kernel, or the machine lacks its arithmetic.
    """
    bounds = entry_symbols(job)
    steps = job.steps if isinstance(job, Stream) else None
    most = max(max(thread_counts(unit, job)) for unit in machine.units)
    threads: Mapping[str, int] = dict.fromkeys(bounds, most)
    unit = machine.units[0]
    if len(machine.units) > 1:
        program, _ = _program(graph, machine.name, bounds, threads, Store(steps=steps))
        unit = _unit(program, machine, bounds)
    picks = picker(graph, machine, unit, _calls(graph, unit, job, threads), rule)
    program, memory = _program(graph, machine.name, bounds, threads, Store(picks, steps))
    if len(machine.units) == 1:
        unit = _unit(program, machine, bounds)
    threads, decisions = choose_threads(program, machine, unit, job)
    if any(count != most for count in threads.values()):
        picks = picker(graph, machine, unit, _calls(graph, unit, job, threads), rule)
        program, memory = _program(graph, machine.name, bounds, threads, Store(picks, steps))
    predictions = tuple(
        predict(e, Where(machine, unit, threads[e.name]), representative_symbols(e, job))
        for e in program.entries
        if e.name in threads
    )
    splits = tuple(split(e, threads[e.name], unit) for e in program.entries if e.name in threads)
    weighed = tuple(picks.weighed.values())
    kind = choose_kind(machine, largest_task(program), _highest(bounds))
    decided = (*kind, *decisions, *splits, *picked(weighed, picks.chosen))
    footprint = footprint_of(program, machine)
    return Draft(
        graph, machine, unit, job, program, memory, predictions, decided, footprint, weighed, rule
    )


def _unit(program: Program, machine: Machine, bounds: Bounds) -> Unit:
    return choose_unit(machine, largest_task(program), _highest(bounds))


def _highest(bounds: Bounds) -> dict[str, int]:
    return {s: b[1] for s, b in next(iter(bounds.values())).items()}


def _calls(graph: Graph, unit: Unit, job: Job, threads: Mapping[str, int]) -> list[Calls]:
    """The entries as the job calls them."""
    units = max(thread_counts(unit, job))
    return [
        Calls(
            times_called(name, job),
            symbols_of(name, box, total_limit(graph, box), job),
            min(threads[name], units),
        )
        for name, box in entry_symbols(job).items()
    ]


def _program(
    graph: Graph, machine: str, bounds: Bounds, threads: Mapping[str, int], store: Store
) -> tuple[Program, Certificate]:
    """Every entry lowered for its number of threads, with orders and addresses."""
    # Verification gives the most rows of output: the others then write into its buffer.
    first = sorted(bounds, key=lambda name: name != "verify")
    lowered: dict[str, Lowered] = {}
    for name in first:
        box = bounds[name]
        seen = with_all_rows(graph) if name == "verify" else graph
        limit = total_limit(graph, box)
        lowered[name] = lower_entry(seen, store, name, box, limit, threads[name])
    start = lower_start(graph, store)
    begun = () if start is None else (start,)
    entries, offsets, memory = plan_scratch([*(lowered[name] for name in bounds), *begun], store)
    program = program_of(graph.name, store, entries, offsets, int(memory.value), (machine, threads))
    return program, memory
