"""How many units of a machine a program uses: by what each number is predicted to cost."""

from __future__ import annotations

from netwright.job.job import Job
from netwright.machine.machine import Machine, Unit
from netwright.plan.decision import Alternative, Decision
from netwright.plan.predict import Where, predict, representative_symbols
from netwright.program.program import Program


def choose_threads(
    program: Program, machine: Machine, unit: Unit, job: Job
) -> tuple[int, Decision]:
    """The number of units with the least time for the call that repeats, of 1, 2, 4, … and all.

    Memory-bound work stops gaining where the bandwidth is used up, and every task pays for its
    barrier, so more is not always faster.
    """
    most = min(unit.count, job.limits.threads or unit.count)
    counts = sorted({1, most, *(1 << i for i in range(1, most.bit_length()) if 1 << i <= most)})
    name, _ = program.default_call()
    entry = program.entry(name)
    symbols = representative_symbols(entry, job)
    seconds = {n: predict(program, entry, Where(machine, unit, n), symbols).seconds for n in counts}
    chosen = min(counts, key=lambda n: (seconds[n], n))
    alternatives = tuple(Alternative(f"{n} x {unit.name}", seconds[n]) for n in counts)
    return chosen, Decision(
        "threads",
        f"{chosen} x {unit.name}",
        f"least predicted time of {name}",
        alternatives,
        seconds[chosen],
        None,
        "seconds",
    )
