"""How many units of a machine each entry uses, and how its tasks are cut among them."""

from __future__ import annotations

from collections.abc import Mapping

from netwright.job.job import Job
from netwright.machine.machine import Machine, Unit
from netwright.plan.decision import Alternative, Decision
from netwright.plan.predict import Where, predict, representative_symbols
from netwright.program.program import Entry, Program

SPLIT = (
    "parts claimed by whichever unit is free (list scheduling: Graham, SIAM J. Appl. Math. 1969)"
)


def thread_counts(unit: Unit, job: Job) -> tuple[int, ...]:
    """The numbers that are weighed: 1, 2, 4, ... and all that there are or may be used."""
    most = max(1, min(unit.count, job.limits.threads or unit.count))
    powers = (1 << i for i in range(1, most.bit_length()) if 1 << i <= most)
    return tuple(sorted({1, most, *powers}))


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
            )
        )
    return chosen, tuple(decisions)


def split(entry: Entry, threads: int) -> Decision:
    """How the entry's tasks are cut, and how much later than an ideal split they can end.

    Of a task in p equal parts on units of speeds s, claims end at most the time of one part after
    the split in proportion to s, so unequal or disturbed units need no weights: a slow one claims
    fewer parts. The parts are fixed, so every result has the same bits whoever computes which.
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
        why=f"a task ends at most {1 / least:.0%} of one unit's time for it after a split in "
        "proportion to the units' speeds"
        if cut
        else "no task is large enough to be cut",
    )
