"""What a program runs, as decisions: the scratch arena, the kernels chosen, the time of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence

from netwright.job.job import Job
from netwright.plan.certificate import Certificate
from netwright.plan.decision import Alternative, Decision
from netwright.plan.pick import ROOFLINE, Weighed
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
        "as chosen for each operator; predicted seconds of all tasks of a kind together",
        tuple(
            Alternative(f"{name} x {counts[name]}", took)
            for name, took in sorted(seconds.items(), key=lambda item: -item[1])
        ),
        unit="seconds",
    )


def picked(weighed: Sequence[Weighed], chosen: Mapping[str, int]) -> tuple[Decision, ...]:
    """The kernel of every operator that several can compute; alike operators are told together."""
    groups: dict[Hashable, list[Weighed]] = {}
    for each in weighed:
        alike = (each.shape, each.names, each.seconds, chosen[each.source])
        groups.setdefault(alike, []).append(each)
    return tuple(_picked(group, chosen[group[0].source]) for group in groups.values())


def _picked(group: Sequence[Weighed], index: int) -> Decision:
    one, count = group[0], len(group)
    more = f" and {count - 1} alike" if count > 1 else ""
    least = min(one.weight_bytes)
    extra = count * (one.weight_bytes[index] - least)
    return Decision(
        f"kernel of {one.source}{more}",
        one.names[index],
        f"least time by {one.methods[index]}"
        if one.seconds[index] == min(one.seconds)
        else "not the least time: see why",
        tuple(
            Alternative(f"{name} ({method}; {quantity(size, 'bytes')} of weights)", count * took)
            for name, method, size, took in zip(
                one.names, one.methods, one.weight_bytes, one.seconds, strict=True
            )
        ),
        count * one.seconds[index],
        count * one.bound_seconds,
        "seconds",
        _why(one, index, extra),
    )


def _why(one: Weighed, index: int, extra_bytes: int) -> str:
    """What the choice costs, or what kept a faster kernel from being chosen."""
    if one.seconds[index] > min(one.seconds):
        if one.methods[index] != ROOFLINE and ROOFLINE in one.methods:
            return "kernels without a measurement here are not set against measured ones"
        return "a faster kernel's weights would not fit beside the rest"
    return f"{quantity(extra_bytes, 'bytes')} of weights more" if extra_bytes else ""
