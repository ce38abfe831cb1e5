"""What a program's entries take on a machine, and what nothing can beat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from netwright.cost.cost import Setting
from netwright.cost.estimate import best_unit, estimate, lower_bound
from netwright.cost.formulas import work
from netwright.errors import PlanError
from netwright.job.job import Generate, Job
from netwright.machine.machine import Machine, Unit
from netwright.plan.certificate import Certificate
from netwright.plan.plan import Prediction
from netwright.program.program import Entry, Program, Task


@final
@dataclass(frozen=True, slots=True)
class Where:
    """The unit and the number of its instances that a program runs on."""

    machine: Machine
    unit: Unit
    units: int


def representative_symbols(entry: Entry, job: Job) -> dict[str, int]:
    """The symbols that a prediction is made for: the whole first chunk; the middle of the text."""
    bounds = {name: (low, high) for name, low, high in entry.bounds}
    if not isinstance(job, Generate) or not bounds:
        return {name: high for name, (_, high) in bounds.items()}
    tokens_low, tokens_high = bounds["n_tokens"]
    if entry.name == "prefill":
        return {"n_tokens": min(tokens_high, job.prompt), "n_past": 0}
    past = min(job.prompt + job.tokens // 2, entry.limit - tokens_high)
    return {"n_tokens": tokens_high if tokens_low > 1 else 1, "n_past": max(0, past)}


def choose_unit(machine: Machine, task: Task, symbols: Mapping[str, int]) -> Unit:
    """The unit that does the largest task soonest."""
    return best_unit(machine, work(task.opcode, task.operands, task.parameters, symbols))


def predict(program: Program, entry: Entry, where: Where, symbols: Mapping[str, int]) -> Prediction:
    """Sum over tasks, one after another; the bound is the total demand on the scarcest resource.

    The bound takes every byte once from where it lives at full bandwidth and every operation at
    peak rate: whatever order, tiling or fusion is chosen, it cannot be faster.
    """
    setting = Setting(where.units, weights_reuse_bytes=_weights_bytes(entry, symbols))
    seconds = low = high = bound = 0.0
    joules: float | None = 0.0
    for task in entry.tasks:
        demand = work(task.opcode, task.operands, task.parameters, symbols)
        cost = estimate(where.machine, where.unit, demand, setting)
        seconds += cost.seconds
        low += cost.interval.low
        high += cost.interval.high
        bound += lower_bound(where.machine, where.unit, demand, setting)
        joules = None if joules is None or cost.joules is None else joules + cost.joules
    certificate = Certificate(
        "seconds", seconds, min(bound, seconds), "each task's roofline at peak rates", False
    )
    return Prediction(
        entry.name, tuple(sorted(symbols.items())), seconds, low, high, joules, certificate
    )


def _weights_bytes(entry: Entry, symbols: Mapping[str, int]) -> int:
    """Bytes touched between two uses of one weight: everything the entry reads."""
    return sum(
        t.read_bytes
        for task in entry.tasks
        for t in work(task.opcode, task.operands, task.parameters, symbols).traffic
    )


def largest_task(program: Program) -> Task:
    """The task by which the unit is chosen: the one with most operations.

    Raises:
        PlanError: the program is empty.
    """
    best: tuple[float, Task] | None = None
    for entry in program.entries:
        symbols = {name: high for name, _, high in entry.bounds}
        for task in entry.tasks:
            size = work(task.opcode, task.operands, task.parameters, symbols).num_operations
            if best is None or size > best[0]:
                best = (size, task)
    if best is None:
        raise PlanError(f"{program.name}: has no task")
    return best[1]
