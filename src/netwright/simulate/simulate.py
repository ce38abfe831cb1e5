"""Program × prices → Timeline: one call of an entry, timed task by task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from netwright.errors import ProgramError
from netwright.machine.machine import Machine, Unit
from netwright.plan.predict import choose_unit, largest_task
from netwright.program.code import opcodes_run
from netwright.program.program import Entry, Program
from netwright.simulate.memory import peak_bytes, samples
from netwright.simulate.pieces import Pieces, TaskTimes
from netwright.simulate.price import Price, TaskCost, machine_price
from netwright.timeline.timeline import Interval, Span, Timeline

SIMULATED = "simulated"


@final
@dataclass(frozen=True, slots=True)
class Simulation:
    """What to simulate on: a machine's name, and the price of a task for each entry.

    `runtime_bytes` is what the machine's runtime holds besides any program.
    """

    program: Program
    machine: str
    prices: tuple[tuple[str, Price], ...]  # entry, price
    runtime_bytes: int = 0

    def pieces(self, entry: str) -> Pieces:
        """The entry ready to be timed.

        Raises:
            ProgramError: the program has no such entry, or there is no price for it.
        """
        found = find_entry(self.program, entry)
        price = dict(self.prices).get(entry)
        if price is None:
            raise ProgramError(f"{self.program.name}: no price for entry {entry!r}")
        return Pieces(self.program, found, price)


def simulation(program: Program, machine: Machine, unit: str | None = None) -> Simulation:
    """All entries priced by the cost model of one unit: the named one, or the planner's choice.

    Raises:
        ProgramError: the machine has no such unit.
        UnsupportedError: no unit can do the program's largest task.
    """
    chosen = _choose(program, machine) if unit is None else _named(machine, unit)
    prices = tuple(
        (entry.name, machine_price(machine, chosen, entry, program.threads_of(entry)))
        for entry in program.entries
    )
    held_bytes = machine.held_bytes(opcodes_run(program.entries))
    return Simulation(program, machine.name, prices, held_bytes)


def _choose(program: Program, machine: Machine) -> Unit:
    if len(machine.units) == 1:
        return machine.units[0]
    symbols = {name: high for entry in program.entries for name, _, high in entry.bounds}
    return choose_unit(machine, largest_task(program), symbols)


def _named(machine: Machine, unit: str) -> Unit:
    units = {u.name: u for u in machine.units}
    if unit not in units:
        raise ProgramError(f"{machine.name}: no unit {unit!r}; it has {', '.join(units)}")
    return units[unit]


def simulate(
    program: Program, machine: Machine, entry: str, symbols: Mapping[str, int]
) -> Timeline:
    """One call of an entry on a machine, by its cost model.

    Raises:
        ProgramError: no such entry, a symbol outside its bounds, or a malformed task.
        UnsupportedError: the machine cannot do what a task needs.
    """
    return simulate_call(simulation(program, machine), entry, symbols)


def simulate_call(on: Simulation, entry: str, symbols: Mapping[str, int]) -> Timeline:
    """One call of an entry, by the prices given.

    Raises:
        ProgramError: no such entry, a symbol outside its bounds, or a malformed task.
    """
    pieces = on.pieces(entry)
    times = pieces.time(symbols)
    spans = spans_of(on.program, pieces.entry, times, 0.0)
    return Timeline(
        name=f"{on.program.name}.{entry}",
        origin=SIMULATED,
        machine=on.machine,
        spans=spans,
        memory=samples(
            on.program, pieces.entry, symbols, (times.start, times.end), on.runtime_bytes
        ),
        seconds=times.seconds,
        peak_memory_bytes=peak_bytes(on.program, [(entry, symbols)], on.runtime_bytes),
        joules=total_joules(times.costs),
        interval=total_interval(times.costs, times.seconds),
    )


def find_entry(program: Program, name: str) -> Entry:
    """The entry of this name.

    Raises:
        ProgramError: there is none.
    """
    for entry in program.entries:
        if entry.name == name:
            return entry
    names = ", ".join(entry.name for entry in program.entries)
    raise ProgramError(f"{program.name}: no entry {name!r}; it has {names}")


def spans_of(
    program: Program, entry: Entry, times: TaskTimes, shift_seconds: float
) -> tuple[Span, ...]:
    """One span a task, in order of start; its interval scales with how long it took."""
    starts = (times.start + shift_seconds).tolist()
    lasted = (times.end - times.start).tolist()
    spans = [
        Span(
            program.workers[task.worker],
            task.source,
            task.opcode,
            start,
            seconds,
            cost.operations,
            cost.bytes_moved,
            cost.joules,
            _scaled(cost, seconds),
        )
        for task, start, seconds, cost in zip(entry.tasks, starts, lasted, times.costs, strict=True)
    ]
    return tuple(sorted(spans, key=lambda span: span.start_seconds))


def total_joules(costs: Sequence[TaskCost]) -> float | None:
    """The sum; None when any task's is not known."""
    total = 0.0
    for cost in costs:
        if cost.joules is None:
            return None
        total += cost.joules
    return total


def total_interval(costs: Sequence[TaskCost], seconds: float) -> Interval | None:
    """All tasks low together, or all high: errors of one cost model are not independent."""
    if not costs:
        return None
    low = high = work = 0.0
    confidence = 1.0
    for cost in costs:
        if cost.interval is None:
            return None
        low, high, work = low + cost.interval.low, high + cost.interval.high, work + cost.seconds
        confidence = min(confidence, cost.interval.confidence)
    if work <= 0:
        return Interval(seconds, seconds, confidence)
    return Interval(seconds * low / work, seconds * high / work, confidence)


def _scaled(cost: TaskCost, seconds: float) -> Interval | None:
    found = cost.interval
    if found is None or abs(cost.seconds - seconds) <= 1e-9 * seconds or cost.seconds <= 0:
        return found
    ratio = seconds / cost.seconds
    return Interval(found.low * ratio, found.high * ratio, found.confidence)
