"""COSMA's integer program for some consecutive steps: order and residence with fewest bytes moved.

After Li et al., "Combined Scheduling, Memory Allocation and Tensor Replacement for Minimizing
Off-Chip Data Accesses of DNN Accelerators", 2023, arXiv 2311.18246: binary variables say which task
runs at a step and which buffers are on the chip, and were loaded, there. Addresses come after. The
steps may be all steps of a plan or a few of them; then what lies there before them and what is
wanted behind them is given. Needs OR-Tools.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, gcd
from typing import Any, final

from netwright.errors import PlanError
from netwright.plan.cp_sat import cp_sat
from netwright.plan.scratchpad_choice import Loads, Records, windows_of


@final
@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive steps. `tasks` are in a valid order, and all others come before or behind them.

    `entry`: on the chip before the first step, if wanted. `exits`: missed behind the last step if
    they are not there then (each is loaded again). `paid`: a copy outside costs nothing more.
    """

    tasks: tuple[int, ...]
    entry: frozenset[int]
    exits: frozenset[int]
    paid: frozenset[int]


@final
@dataclass(frozen=True, slots=True)
class Solved:
    """Best order and loads that were found for a part, with the bytes that they move, at least."""

    order: tuple[int, ...]
    loads: Loads
    missed: frozenset[int]  # exits that are not on the chip
    moved_bytes: int
    bound_bytes: int
    effort: float  # that was spent


def solve_part(records: Records, part: Part, hint: Loads, effort: float) -> Solved | None:
    """Solves a part from where the search begins; None when nothing was found.

    `effort` is deterministic time of the solver (about a second each), so that the answer depends
    on nothing but the arguments.
    """
    cp_model = cp_sat()
    program = _Program(records, part)
    program.order()
    program.residence()
    program.model.minimize(program.cost())
    program.hint(hint)
    solver = solver_of(effort)
    status = solver.solve(program.model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        if status == cp_model.MODEL_INVALID:
            raise PlanError(f"scratchpad: the solver refuses: {program.model.validate()}")
        return None
    return program.answer(solver)


def solver_of(effort: float) -> Any:
    """A solver whose answers are the same on every machine."""
    solver: Any = cp_sat().CpSolver()
    solver.parameters.max_deterministic_time = effort
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 1
    return solver


def unit_of(sizes: Sequence[int]) -> int:
    """Bytes in which all sizes are whole."""
    return gcd(*sizes) or 1


class _Program:
    """`runs[o, t]`, `here[b, t]`, `loads[b, t]`, `stores[b]`, `missed[b]` are binary."""

    def __init__(self, records: Records, part: Part) -> None:
        self.model: Any = cp_sat().CpModel()
        self.records, self.part = records, part
        self.steps = range(len(part.tasks))
        index = {task: i for i, task in enumerate(part.tasks)}
        self.before = [[index[e] for e in records.before[o] if e in index] for o in part.tasks]
        self.windows = windows_of(self.before)
        binary = self.model.new_bool_var
        self.runs = {(o, t): binary("") for o in self.steps for t in range(*self.windows[o])}
        self.touching: dict[int, list[int]] = {b: [] for b in sorted(part.exits & part.entry)}
        for o, task in enumerate(part.tasks):
            for b in sorted(records.touched[task]):
                self.touching.setdefault(b, []).append(o)
        self.maker = {b: index[m] for b, m in records.maker.items() if m in index}
        spans = {b: self._span(b) for b in self.touching}
        self.here = {(b, t): binary("") for b, span in spans.items() for t in span}
        self.loads = {
            (b, t): binary("")
            for b, span in spans.items()
            for t in span
            if any(
                t in range(*self.windows[o]) and self.maker.get(b) != o for o in self.touching[b]
            )
        }
        self.missed = {b: binary("") for b in sorted(part.exits)}
        moves = {b for b, _ in self.loads} | part.exits
        paying = [b for b in sorted(moves) if records.pays_store(b) and b not in part.paid]
        self.stores = {b: binary("") for b in paying}

    def _span(self, b: int) -> range:
        """Steps at which a buffer may be worth its place."""
        mine = [self.windows[o] for o in self.touching[b]]
        first = 0 if b in self.part.entry or not mine else min(w[0] for w in mine)
        end = len(self.steps) if b in self.part.exits else max(w[1] for w in mine)
        return range(first, end)

    def ran(self, task: int, step: int) -> Any:
        """Whether a task runs at this step: a variable, or 0 outside of its window."""
        return self.runs.get((task, step), 0)

    def order(self) -> None:
        """Every task once, every step one, each after those before it."""
        for t in self.steps:
            self.model.add_exactly_one([v for (_, s), v in self.runs.items() if s == t])
        for o in self.steps:
            self.model.add_exactly_one([self.runs[o, t] for t in range(*self.windows[o])])
            for earlier in self.before[o]:
                for t in range(*self.windows[o]):
                    mine = sum(self.ran(o, s) for s in range(self.windows[o][0], t + 1))
                    theirs = range(self.windows[earlier][0], min(t, self.windows[earlier][1]))
                    if len(theirs) < len(range(*self.windows[earlier])):
                        self.model.add(mine <= sum(self.ran(earlier, s) for s in theirs))

    def residence(self) -> None:
        """What is on the chip was there, is made or is loaded, when a task wants it."""
        part, last = self.part, len(self.steps) - 1
        for (b, t), here in self.here.items():
            using = [self.ran(o, t) for o in self.touching[b]]
            made = self.ran(self.maker[b], t) if b in self.maker else 0
            load = self.loads.get((b, t), 0)
            earlier = self.here.get((b, t - 1), int(t == 0 and b in part.entry))
            self.model.add(here >= sum(using))
            self.model.add(here <= earlier + load + made)
            if (b, t) in self.loads:
                self.model.add(load <= sum(using) - made)
                if b in self.stores:
                    self.model.add_implication(load, self.stores[b])
        for b, missed in self.missed.items():
            there = self.here.get((b, last), 0)
            self.model.add(there + missed >= 1)
            if b in self.stores:
                self.model.add_implication(missed, self.stores[b])
        sizes, unit = self.records.sizes, unit_of(self.records.sizes)
        for t in self.steps:
            held = [(b, v) for (b, s), v in self.here.items() if s == t]
            weight = sum(sizes[b] // unit * v for b, v in held)
            self.model.add(weight <= self.records.capacity_bytes // unit)

    def _moved(self) -> list[tuple[int, Any]]:
        """What costs its bytes: buffers and the variables that move them."""
        loaded = [(b, v) for (b, _), v in self.loads.items()]
        return [*loaded, *self.missed.items(), *self.stores.items()]

    def cost(self) -> Any:
        """Bytes moved, in units."""
        unit = unit_of(self.records.sizes)
        return sum(self.records.sizes[b] // unit * v for b, v in self._moved())

    def hint(self, loads: Loads) -> None:
        """Where the search begins: the tasks as listed."""
        for (o, t), v in self.runs.items():
            self.model.add_hint(v, o == t)
        for (b, t), v in self.loads.items():
            self.model.add_hint(v, (b, self.part.tasks[t]) in loads)
        for b, touching in self.touching.items():
            wanted = b in self.part.exits
            for t in reversed(self.steps):
                fresh = self.maker.get(b) == t or (b, self.part.tasks[t]) in loads
                if (b, t) in self.here:
                    self.model.add_hint(self.here[b, t], wanted or t in touching)
                wanted = not fresh and (wanted or t in touching)

    def answer(self, solver: Any) -> Solved:
        """What the solver found."""
        at = {t: o for (o, t), v in self.runs.items() if solver.value(v)}
        order = tuple(self.part.tasks[at[t]] for t in self.steps)
        loads = frozenset((b, order[t]) for (b, t), v in self.loads.items() if solver.value(v))
        missed = frozenset(b for b, v in self.missed.items() if solver.value(v))
        moved = sum(self.records.sizes[b] for b, v in self._moved() if solver.value(v))
        unit, effort = unit_of(self.records.sizes), solver.response_proto.deterministic_time
        bound = ceil(solver.best_objective_bound - 1e-6) * unit
        return Solved(order, loads, missed, moved, min(bound, moved), effort)
