"""Graph × Machine × Job → Plan, on one device."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from netwright.graph.graph import Graph
from netwright.graph.unroll import unrolled
from netwright.job.job import Job, entry_symbols
from netwright.machine.machine import Machine
from netwright.plan.capacity import check_capacity
from netwright.plan.certificate import Certificate
from netwright.plan.context import for_job
from netwright.plan.decision import Alternative, Decision
from netwright.plan.lower.emitter import Store
from netwright.plan.lower.finish import program_of
from netwright.plan.lower.lower import lower_entry, total_limit
from netwright.plan.plan import Plan
from netwright.plan.predict import (
    Where,
    choose_unit,
    largest_task,
    predict,
    representative_symbols,
)
from netwright.plan.scratch import plan_scratch
from netwright.plan.threads import choose_threads
from netwright.program.program import Program
from netwright.transform.standard import standard


def make_plan(graph: Graph, machine: Machine, job: Job) -> Plan:
    """Plans a graph for one device of a machine.

    Raises:
        JobError: the job does not suit the graph.
        UnsupportedError: an operator or format has no kernel.
    """
    fused, rewrites = standard(for_job(graph, job))
    flat = unrolled(fused)
    bounds = entry_symbols(job)
    program, memory = _flattened(flat, (machine.name, 1), bounds)
    unit = choose_unit(
        machine, largest_task(program), {s: b[1] for s, b in next(iter(bounds.values())).items()}
    )
    threads, weighed = choose_threads(program, machine, unit, job)
    if threads > 1:
        program, memory = _flattened(flat, (machine.name, threads), bounds)
    where = Where(machine, unit, threads)
    predictions = tuple(
        predict(program, entry, where, representative_symbols(entry, job))
        for entry in program.entries
    )
    decisions = (
        *(
            Decision("fusion", f"{r.transform}, {r.rule}: {r.count}", "rewriting to a fixed point")
            for r in rewrites
            if r.count
        ),
        _precision(flat),
        weighed,
        _kernels(program),
    )
    peak, infeasible = check_capacity(program, machine, unit, job)
    return Plan(graph, machine, job, decisions, predictions, memory, program, peak, infeasible)


def _flattened(
    flat: Graph, on: tuple[str, int], bounds: Mapping[str, Mapping[str, tuple[int, int]]]
) -> tuple[Program, Certificate]:
    """Every entry lowered for a machine and a number of threads, with orders and addresses."""
    store = Store()
    entries = [
        lower_entry(flat, store, name, box, total_limit(flat, box), on[1])
        for name, box in bounds.items()
    ]
    entries, offsets, memory = plan_scratch(entries, store)
    return program_of(flat.name, store, entries, offsets, int(memory.value), on), memory


def _precision(graph: Graph) -> Decision:
    """What every weight is stored in, with true bits."""
    bits: Counter[str] = Counter()
    for tensor in graph.tensors:
        if tensor.data:
            size = 1
            for extent in tensor.shape:
                size *= extent if isinstance(extent, int) else 1
            bits[f"{tensor.format.name} ({tensor.format.bits_per_element:g} bits)"] += size
    chosen = ", ".join(f"{name}: {count:,} elements" for name, count in bits.most_common())
    return Decision("precision", chosen or "no weights", "kept as the file has it")


def _kernels(program: Program) -> Decision:
    counts = Counter(task.opcode for entry in program.entries for task in entry.tasks)
    alternatives = tuple(Alternative(f"{name} x {count}") for name, count in counts.most_common())
    return Decision(
        "kernels", f"{sum(counts.values())} tasks", "one kernel covers each kind", alternatives
    )
