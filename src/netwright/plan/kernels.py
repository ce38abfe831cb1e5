"""What a program runs, as decisions: the shared scratch arena, and each kind of kernel's time."""

from __future__ import annotations

from collections import Counter

from netwright.job.job import Job
from netwright.plan.certificate import Certificate
from netwright.plan.decision import Alternative, Decision
from netwright.plan.predict import Where, pricer, representative_symbols
from netwright.plan.quantity import quantity
from netwright.program.program import Entry, Program


def addresses(program: Program, memory: Certificate) -> Decision:
    """Order of the tasks and where their results lie."""
    tasks = sum(len(entry.tasks) for entry in program.entries)
    return Decision(
        "order and addresses",
        f"{tasks} tasks of {', '.join(e.name for e in program.entries)} in one scratch arena",
        memory.method,
        value=memory.value,
        bound=memory.bound,
        unit="bytes",
        why=f"{quantity(memory.value, 'bytes')}, {memory.text}",
    )


def kernels(entry: Entry, where: Where, job: Job) -> Decision:
    """The kernels of an entry with what each kind is predicted to take, the longest first."""
    prices = pricer(entry, where, representative_symbols(entry, job))
    seconds: dict[str, float] = {}
    for task in entry.tasks:
        cost, _ = prices.cost(task)
        seconds[task.opcode] = seconds.get(task.opcode, 0.0) + cost.seconds
    counts = Counter(task.opcode for task in entry.tasks)
    return Decision(
        f"kernels of {entry.name}",
        f"{len(entry.tasks)} tasks of {len(counts)} kinds",
        "one kernel covers each kind; predicted seconds of all its tasks together",
        tuple(
            Alternative(f"{name} x {counts[name]}", took)
            for name, took in sorted(seconds.items(), key=lambda item: -item[1])
        ),
        unit="seconds",
    )
