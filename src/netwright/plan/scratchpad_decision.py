"""What a scratchpad inside a machine's outer memory makes of a pass: order, traffic, bound."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from itertools import product
from statistics import fmean
from typing import TypeAlias

from netwright.errors import PlanError
from netwright.graph.graph import Graph
from netwright.job.job import Infer, Job
from netwright.machine.machine import Machine, Management, Memory, Unit
from netwright.plan.decision import Alternative, Decision
from netwright.plan.order import order_tasks
from netwright.plan.quantity import quantity
from netwright.plan.scratchpad import ScratchpadPlan, compulsory_bytes, verify_scratchpad
from netwright.plan.scratchpad_graph import scratchpad_records
from netwright.plan.scratchpad_greedy import ADDRESSES, VICTIMS, fill_scratchpad
from netwright.plan.scratchpad_solve import solve_scratchpad
from netwright.plan.scratchpad_stream import Streamed, streamed

Progress: TypeAlias = Callable[[str, float], None]
EFFORT = 30.0  # deterministic seconds of the solver


def scratchpad_of(machine: Machine, unit: Unit) -> Memory | None:
    """The memory next to a unit's home, where there is one of it and the program manages it."""
    path = machine.path(unit)
    inside = path[: path.index(machine.home(unit))]
    if not inside or inside[-1].management is not Management.SCRATCHPAD or inside[-1].count != 1:
        return None
    return inside[-1]


def filled_by_rules(streams: Streamed, capacity_bytes: int) -> tuple[ScratchpadPlan, ...]:
    """What systems without a planner do: LRU and Belady's rule, first and best fit, two orders."""
    ops, buffers = streams.ops, streams.buffers
    return tuple(
        fill_scratchpad(ops, buffers, order, capacity_bytes, way)
        for order in (tuple(range(len(ops))), order_tasks(ops, buffers).tasks)
        for way in product(VICTIMS, ADDRESSES)
    )


def scratchpad_decision(
    graph: Graph, machine: Machine, unit: Unit, job: Job, progress: Progress
) -> tuple[Decision, ...]:
    """One decision where a pass of fixed sizes meets a scratchpad, else none.

    Predicted seconds know nothing of it: they take every operand from the nearest memory that holds
    what a task touches.
    """
    memory = scratchpad_of(machine, unit)
    if memory is None or not isinstance(job, Infer):
        return ()
    try:
        ops, buffers = scratchpad_records(graph)
        streams = streamed(ops, buffers, memory.capacity_bytes)
    except PlanError as error:
        return (Decision(f"scratchpad {memory.name}", "not planned", "", why=str(error)),)
    if not ops:
        return ()
    plans = filled_by_rules(streams, memory.capacity_bytes)
    first = min(plans, key=lambda plan: plan.extra_bytes)
    if first.extra_bytes and find_spec("ortools") is None:
        best, method = first, "best of 8 rules; ortools, which the solver needs, is not installed"
    else:
        found = (streams.ops, streams.buffers)
        best = solve_scratchpad(*found, memory.capacity_bytes, first, EFFORT, progress)
        verify_scratchpad(best, *found, memory.capacity_bytes)
        method = best.certificate.method
    return (_decision(memory, streams, (plans, best), method, len(buffers)),)


def _decision(
    memory: Memory,
    streams: Streamed,
    found: tuple[tuple[ScratchpadPlan, ...], ScratchpadPlan],
    method: str,
    num_buffers: int,
) -> Decision:
    plans, best = found
    bound, extra = best.certificate.bound, [float(plan.extra_bytes) for plan in plans]
    known = "unknown" if bound is None else quantity(bound, "bytes")
    sure = "optimal" if best.certificate.proved else "not proved"
    outside = num_buffers - len(streams.names)
    inputs = compulsory_bytes(streams.ops, streams.buffers)
    why = f"besides {quantity(inputs, 'bytes')} of inputs and outputs"
    if outside:
        passed = quantity(streams.streamed_bytes, "bytes")
        why += f" and {passed} of {outside} operands too large for it, which pass in tiles"
    return Decision(
        f"scratchpad {memory.name}, {quantity(memory.capacity_bytes, 'bytes')}",
        f"{quantity(best.extra_bytes, 'bytes')} of extra traffic in {len(streams.ops)} tasks;"
        f" bound {known}, {best.certificate.text if bound else sure}",
        method,
        (
            Alternative("best rule", min(extra)),
            Alternative(
                "mean of 8 rules (LRU or Belady; first or best fit; 2 orders)", fmean(extra)
            ),
        ),
        float(best.extra_bytes),
        bound,
        "bytes",
        why,
    )
