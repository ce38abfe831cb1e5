"""Better orders of a part by moving single tasks: simulated annealing, always the same for a seed.

The measure is what a plan of that order moves when room is made by Belady's rule, with no
addresses: a few hundred microseconds, so thousands of orders are seen while the solver sees one.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from netwright.plan.scratchpad_choice import Records
from netwright.plan.scratchpad_program import Part

TRIALS = 12_000
HOT = 0.4  # the first temperature, in mean sizes of a buffer
NEVER = 1 << 60


def moved_by(records: Records, part: Part, order: Sequence[int]) -> int:
    """Bytes that are loaded again, or stored for that, in this order of a part's tasks."""
    touched, sizes, capacity = records.touched, records.sizes, records.capacity_bytes
    uses: dict[int, list[int]] = {}
    for step in range(len(order) - 1, -1, -1):
        for b in touched[order[step]]:
            uses.setdefault(b, []).append(step)
    here: dict[int, int] = {}  # what is on the chip → its next use
    seen, stored = set[int](), set(part.paid)
    moved = used = 0
    for task in order:
        needed = touched[task]
        for b in needed:
            if b not in here:
                used += sizes[b]
                if b in seen:
                    moved += sizes[b] * (1 + (b not in stored and records.pays_store(b)))
                    stored.add(b)
                seen.add(b)
            uses[b].pop()
            here[b] = uses[b][-1] if uses[b] else NEVER
        while used > capacity:
            gone = max((b for b in here if b not in needed), key=lambda b: (here[b], b))
            used -= sizes[gone]
            del here[gone]
        for b in needed:
            if here[b] == NEVER:
                used -= sizes[b]
                del here[b]
    return moved


def moved_order(records: Records, part: Part, trials: int = TRIALS) -> tuple[int, ...]:
    """The best order that was seen, from the part's own."""
    draw = random.Random(1)
    current = list(part.tasks)
    count, inside = len(current), frozenset(current)
    before = {o: [e for e in records.before[o] if e in inside] for o in current}
    behind: dict[int, list[int]] = {o: [] for o in current}
    for o, earlier in before.items():
        for e in earlier:
            behind[e].append(o)
    buffers = {b for o in current for b in records.touched[o]}
    hot = HOT * sum(records.sizes[b] for b in buffers) / len(buffers)
    cost = least = moved_by(records, part, current)
    best = tuple(current)
    for trial in range(trials):
        if not least:
            break
        at = draw.randrange(count)
        task = current[at]
        place = {o: step for step, o in enumerate(current)}
        low = max((place[e] for e in before[task]), default=-1) + 1
        high = min((place[o] for o in behind[task]), default=count) - 1
        to = draw.randint(low, high)
        if to == at:
            continue
        other = current[:at] + current[at + 1 :]
        other.insert(to, task)
        found = moved_by(records, part, other)
        warm = hot * (1 - trial / trials)
        if found <= cost or draw.random() < math.exp((cost - found) / warm):
            current, cost = other, found
            if cost < least:
                least, best = cost, tuple(current)
    return best
