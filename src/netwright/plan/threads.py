"""Which units of a machine run a program, how many an entry uses, and how its tasks are cut."""

from __future__ import annotations

from collections.abc import Mapping

from netwright.cost.cost import Setting
from netwright.cost.estimate import best_unit, estimate
from netwright.cost.formulas import work
from netwright.errors import UnsupportedError
from netwright.job.job import Job
from netwright.machine.machine import Machine, Unit
from netwright.plan.decision import Alternative, Decision
from netwright.plan.predict import Where, predict, representative_symbols
from netwright.program.program import Entry, Program, Task

SPLIT = (
    "parts claimed by whichever unit is free (list scheduling: Graham, SIAM J. Appl. Math. 1969)"
)


def thread_counts(unit: Unit, job: Job) -> tuple[int, ...]:
    """The numbers that are weighed: 1, 2, 4, ... and all that there are or may be used."""
    most = max(1, min(unit.count, job.limits.threads or unit.count))
    powers = (1 << i for i in range(1, most.bit_length()) if 1 << i <= most)
    return tuple(sorted({1, most, *powers}))


def choose_kind(machine: Machine, task: Task, symbols: Mapping[str, int]) -> tuple[Decision, ...]:
    """Which kind of unit runs the program, where a machine has several: that which does the task
    soonest with all of its instances. One kind runs it all."""
    if len(machine.units) < 2:
        return ()
    demand = work(task.opcode, task.operands, task.parameters, symbols)
    alternatives: list[Alternative] = []
    for unit in machine.units:
        name = f"{unit.count} x {unit.name}"
        try:
            took = estimate(machine, unit, demand, Setting(unit.count)).seconds
            alternatives.append(Alternative(name, took))
        except UnsupportedError:
            alternatives.append(Alternative(f"{name}: lacks the arithmetic"))
    best = best_unit(machine, demand)
    return (
        Decision(
            "kind of unit",
            best.name,
            "least predicted time of the largest task on all units of a kind together",
            tuple(alternatives),
            min(a.value for a in alternatives if a.value is not None),
            None,
            "seconds",
            f"{task.source} ({task.opcode}) is the largest task",
        ),
    )


def choose_threads(
    program: Program, machine: Machine, unit: Unit, job: Job
) -> tuple[Mapping[str, int], tuple[Decision, ...]]:
    """Entry to the number of units with the least predicted time, with one decision an entry.

    `program` is cut for the largest number. Memory-bound work stops gaining where the bandwidth is
    used up, a task of few parts keeps few units busy, and every task pays for its barrier: more
    is not always faster, and a prompt may want more than a single token.
    """
    counts = thread_counts(unit, job)
    chosen: dict[str, int] = {}
    decisions: list[Decision] = []
    for entry in program.entries:
        symbols = representative_symbols(entry, job)
        seconds = {n: predict(entry, Where(machine, unit, n), symbols).seconds for n in counts}
        best = min(counts, key=lambda n: (seconds[n], n))
        chosen[entry.name] = best
        decisions.append(
            Decision(
                f"threads of {entry.name}",
                f"{best} x {unit.name}",
                "least time predicted from the measured speed of so many together"
                if unit.units_speed
                else "least predicted time",
                tuple(Alternative(f"{n} x {unit.name}", seconds[n]) for n in counts),
                seconds[best],
                None,
                "seconds",
                speeds(unit),
            )
        )
    return chosen, tuple(decisions)


def split(entry: Entry, threads: int, unit: Unit) -> Decision:
    """How the entry's tasks are cut, and how much later than an ideal split they can end.

    Of a task in p equal parts on units of speeds s, claims end at most the time of one part on the
    slowest unit after the split in proportion to s: until the last part was claimed every unit was
    at work. So unequal or disturbed units need no weights: a slow one claims fewer parts. The parts
    are fixed, so every result has the same bits whoever computes which.
    """
    subject = f"split of {entry.name}"
    if threads == 1:
        return Decision(subject, "whole tasks", "one unit")
    cut = [task.parts for task in entry.tasks if task.parts > 1]
    least, most = min(cut, default=1), max(cut, default=1)
    return Decision(
        subject,
        f"{len(cut)} of {len(entry.tasks)} tasks in {least} to {most} parts",
        SPLIT,
        why=f"a task ends at most {1 / least:.0%} of the slowest unit's time for it after a split "
        f"in proportion to the units' speeds; {speeds(unit)}"
        if cut
        else "no task is large enough to be cut",
    )


def speeds(unit: Unit) -> str:
    """How fast units are together, as measured."""
    if not unit.units_speed:
        return (
            f"speeds of several {unit.name} together were not measured: n are taken as n times one"
        )
    told = ", ".join(f"{n} are {times:.2f} times one" for n, times in unit.units_speed if n > 1)
    return f"measured together: {told}" if told else "one unit was measured"
