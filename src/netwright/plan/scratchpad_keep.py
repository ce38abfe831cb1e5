"""What stays on a scratchpad between its uses, in a given order, with the fewest bytes moved."""

from __future__ import annotations

import itertools
from typing import Any

from netwright.plan.cp_sat import cp_sat
from netwright.plan.scratchpad_choice import Choice, Records
from netwright.plan.scratchpad_program import solver_of, unit_of


def keep_best(
    records: Records, order: tuple[int, ...], spared_bytes: int, effort: float
) -> Choice | None:
    """The best loads for an order: one yes or no for each stretch between two uses.

    None where the effort (deterministic time of the solver) found nothing, or where a task does not
    fit beside the bytes that are to be spared.
    """
    cp_model = cp_sat()
    model: Any = cp_model.CpModel()
    unit = unit_of(records.sizes)
    room = (records.capacity_bytes - spared_bytes) // unit
    step_of = {task: step for step, task in enumerate(order)}
    crossing: list[list[Any]] = [[] for _ in order]
    stays: dict[tuple[int, int], Any] = {}
    first: set[tuple[int, int]] = set()
    cost: list[Any] = []
    for b, users in records.users.items():
        size, steps = records.sizes[b] // unit, sorted(step_of[task] for task in users)
        if b not in records.maker:
            first.add((b, order[steps[0]]))
        mine: list[Any] = []
        for earlier, later in itertools.pairwise(steps):
            if later > earlier + 1:
                mine.append(model.new_bool_var(""))
                stays[b, order[later]] = mine[-1]
                cost.append(size * (1 - mine[-1]))
                for step in range(earlier + 1, later):
                    crossing[step].append(size * mine[-1])
        if mine and records.pays_store(b):
            store = model.new_bool_var("")
            cost.append(size * store)
            for v in mine:
                model.add_bool_or([v, store])
    for step, held in enumerate(crossing):
        needed = sum(records.sizes[b] for b in records.touched[order[step]]) // unit
        if held:
            model.add(sum(held) <= room - needed)
        elif needed > room:
            return None
    model.minimize(sum(cost))
    solver = solver_of(effort)
    if solver.solve(model) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None
    gone = {place for place, v in stays.items() if not solver.value(v)}
    return Choice(order, frozenset(first | gone))
