"""Where every order of the tasks has the same ones behind it: a graph in parts, with a bound each.

At a step where each task before it must run before it (its latest step says so), any plan falls in
two. What a part moves in any plan is at least what it moves when everything that could lie on the
chip at its begin does, nothing is wanted behind it, and a store counts only in the last part that
reads the buffer. So the least of that, added over parts, bounds every plan. Where all that
crosses is touched by the last task before the cut, it lies on the chip in every plan, and nothing
is lost by cutting.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

from netwright.plan.order import MemoryOp, order_tasks
from netwright.plan.scratchpad_choice import Choice, Records
from netwright.plan.scratchpad_program import Part

WHOLE = 40  # tasks of a part that is solved whole; a longer one is cut where bytes may be lost too
PEAK_STATES = 500_000  # of the search for the least peak of a part: a second or two


def crossing_at(records: Records, order: tuple[int, ...]) -> list[frozenset[int]]:
    """Step → buffers that are touched both before it and at it or behind it."""
    step_of = {task: step for step, task in enumerate(order)}
    found: list[set[int]] = [set() for _ in range(len(order) + 1)]
    for b, users in records.users.items():
        steps = [step_of[task] for task in users]
        for step in range(min(steps) + 1, max(steps) + 1):
            found[step].add(b)
    return [frozenset(now) for now in found]


def parts_of(records: Records, order: tuple[int, ...], most: int = WHOLE) -> list[Part]:
    """Parts that every order of the tasks has, each relaxed so that its least is a bound."""
    crossing = crossing_at(records, order)
    forced, latest = [0], 0
    for step, task in enumerate(order):
        latest = max(latest, records.windows[task][1])
        if latest <= step + 1:
            forced.append(step + 1)
    clean = [0]
    for k, earlier in zip(forced[1:], forced, strict=False):
        alone = earlier == k - 1
        if k == len(order) or (alone and crossing[k] <= records.touched[order[k - 1]]):
            clean.append(k)
    cuts = list[int]()
    for begin, end in itertools.pairwise(clean):
        cuts.append(begin)
        if end - begin > most:
            inside = [k for k in forced if begin < k < end]
            for k, following in itertools.pairwise([*inside, end]):
                if following - cuts[-1] > most:
                    cuts.append(k)
    cuts.append(len(order))
    last: dict[int, int] = {}  # buffer → the part that reads it last
    spans = list(itertools.pairwise(cuts))
    for index, (begin, end) in enumerate(spans):
        for task in order[begin:end]:
            last.update(dict.fromkeys(records.ops[task].reads, index))
    return [
        _relaxed(
            records,
            order[begin:end],
            crossing[begin],
            frozenset(b for b, part in last.items() if part != index),
        )
        for index, (begin, end) in enumerate(spans)
    ]


def _relaxed(
    records: Records, tasks: tuple[int, ...], entry: frozenset[int], paid: frozenset[int]
) -> Part:
    touched = {b for task in tasks for b in records.touched[task]}
    return Part(tasks, entry & touched, frozenset(), paid & touched)


def given_in(records: Records, part: Part) -> int:
    """Bytes of inputs that come for the first time in this part."""
    touched = {b for task in part.tasks for b in records.touched[task]}
    fresh = (b for b in touched - part.entry if records.buffers[b].from_start)
    return sum(records.sizes[b] for b in fresh)


def extra_in(records: Records, part: Part, choice: Choice) -> int:
    """Extra bytes of a plan that fall to a part, counted as its bound counts them."""
    tasks = frozenset(part.tasks)
    mine = [b for b, task in choice.loads if task in tasks]
    stored = {b for b in mine if records.pays_store(b) and b not in part.paid}
    moved = sum(records.sizes[b] for b in mine) + sum(records.sizes[b] for b in stored)
    return moved - given_in(records, part)


def peak_bound(records: Records, part: Part) -> int:
    """Extra bytes that a part moves at least, as some step has more alive than the chip holds.

    Whatever the order, at some step the buffers that were touched and will be have at least the
    least peak of all orders. Those that do not lie on the chip then are loaded once more, and
    written out where no copy is. The least cost of as many bytes as are too many is a knapsack.
    """
    index = {task: i for i, task in enumerate(part.tasks)}
    names: dict[int, int] = {}
    ops: list[MemoryOp] = []
    for task in part.tasks:
        op = records.ops[task]
        reads = tuple(names.setdefault(b, len(names)) for b in op.reads)
        writes = tuple(names.setdefault(b, len(names)) for b in op.writes)
        after = tuple(index[e] for e in records.before[task] if e in index)
        ops.append(MemoryOp(reads, writes, after=after))
    buffers = tuple(replace(records.buffers[b], from_start=False, to_end=False) for b in names)
    bound = order_tasks(tuple(ops), buffers, PEAK_STATES).certificate.bound
    missing = int(bound or 0) - records.capacity_bytes
    if missing <= 0:
        return 0
    least = {0: 0}  # bytes that are off the chip (at most what is missing) → cost
    for b in sorted(names):
        size = records.sizes[b]
        cost = size * (1 + (records.pays_store(b) and b not in part.paid))
        for off, paid in sorted(least.items(), reverse=True):
            more = min(missing, off + size)
            least[more] = min(least.get(more, paid + cost), paid + cost)
    return least[missing]
