"""Price: what a task costs, from whoever knows: a machine's cost model, a table, a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias, final

from netwright.cost import Setting, TrafficKind, Work, estimate, work
from netwright.machine.machine import Machine, Unit
from netwright.program.program import Entry, Task
from netwright.timeline.timeline import Interval


@final
@dataclass(frozen=True, slots=True)
class TaskCost:
    """One task, all its parts together, with as many threads at it as it can use."""

    seconds: float
    joules: float | None = None
    interval: Interval | None = None
    operations: float = 0.0
    bytes_moved: float = 0.0


# May depend on what the task does (opcode, formats, shapes, strides, parameters, parts) and on the
# kinds of its arenas, not on its addresses or its name: alike tasks are asked about once.
Price: TypeAlias = Callable[[Task, Mapping[str, int]], TaskCost]


def machine_price(machine: Machine, unit: Unit, entry: Entry, threads: int) -> Price:
    """Prices by the cost model that the unit declares.

    A task of p parts runs on as many units, at most `threads` and at most all. Weights, keys and
    values are met again once per call of the entry, so they come from the memory that holds all.

    Raises (when asked):
        UnsupportedError: no formula for an opcode, no such arithmetic.
    """
    low = {symbol: least for symbol, least, _ in entry.bounds}
    weights_bytes = sum(
        traffic.read_bytes
        for task in entry.tasks
        for traffic in _work(task, low).traffic
        if traffic.kind is not TrafficKind.ACTIVATIONS
    )
    alone = Setting(weights_reuse_bytes=weights_bytes)

    def price(task: Task, symbols: Mapping[str, int]) -> TaskCost:
        demand = _work(task, symbols)
        setting = replace(alone, units=min(task.parts, threads, unit.count))
        cost = estimate(machine, unit, demand, setting)
        operations, moved = demand.num_operations, float(demand.num_bytes)
        # A span of an entry that repeats is the sum over its repetitions.
        return times_as_much(
            TaskCost(cost.seconds, cost.joules, cost.interval, operations, moved), entry.repeats
        )

    return price


def times_as_much(cost: TaskCost, times: int) -> TaskCost:
    """A task done so often."""
    if times == 1:
        return cost
    found = cost.interval
    return TaskCost(
        times * cost.seconds,
        None if cost.joules is None else times * cost.joules,
        found and Interval(times * found.low, times * found.high, found.confidence),
        times * cost.operations,
        times * cost.bytes_moved,
    )


def _work(task: Task, symbols: Mapping[str, int]) -> Work:
    return work(task.opcode, task.operands, task.parameters, symbols)
