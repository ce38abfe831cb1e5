"""Better plans by solving a few consecutive steps anew, with all the rest as it is."""

from __future__ import annotations

from collections.abc import Iterator

from netwright.plan.scratchpad_choice import Choice, Records, extra_of, residence_of
from netwright.plan.scratchpad_cuts import crossing_at
from netwright.plan.scratchpad_program import Part, solve_part


def windows_in(records: Records, choice: Choice, steps: range, length: int) -> Iterator[range]:
    """Overlapping stretches of `steps` of about this length, cut where few bytes are alive."""
    crossing = crossing_at(records, choice.order)
    alive = [sum(records.sizes[b] for b in now) for now in crossing]
    begin = steps.start
    while True:
        if begin + length >= steps.stop:
            yield range(max(steps.start, steps.stop - length), steps.stop)
            return
        least = min(range(begin + 3 * length // 4, begin + length + 1), key=lambda k: alive[k])
        yield range(begin, least)
        begin += max(1, (least - begin) // 2)


def resolve(records: Records, choice: Choice, steps: range, effort: float) -> tuple[Choice, float]:
    """The plan with these steps solved anew, if that is better, and the effort that it took.

    What lies on the chip behind the steps, and the plan relies on, is wanted there: what is missed
    is loaded at its next use. What is loaded elsewhere anyway has its copy outside.
    """
    tasks = choice.order[steps.start : steps.stop]
    inside = frozenset(tasks)
    entry = residence_of(records, choice)[steps.start - 1] if steps.start else frozenset[int]()
    touched = frozenset(b for task in tasks for b in records.touched[task])
    following: dict[int, int] = {}
    for task in reversed(choice.order[steps.stop :]):
        following.update(dict.fromkeys(records.touched[task], task))
    exits = frozenset(
        b
        for b, task in following.items()
        if (b in entry or b in touched) and (b, task) not in choice.loads
    )
    outside = frozenset(place for place in choice.loads if place[1] not in inside)
    part = Part(tasks, entry & (touched | exits), exits, frozenset(b for b, _ in outside))
    solved = solve_part(records, part, choice.loads, effort)
    if solved is None:
        return choice, effort
    again = frozenset((b, following[b]) for b in solved.missed)
    order = (*choice.order[: steps.start], *solved.order, *choice.order[steps.stop :])
    found = Choice(order, outside | solved.loads | again)
    better = extra_of(records, found.loads) < extra_of(records, choice.loads)
    return found if better else choice, solved.effort
