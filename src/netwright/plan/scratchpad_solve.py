"""Order, residence and addresses on a scratchpad together, with the fewest extra bytes moved.

The problem and its integer program are COSMA's (Li et al., "Combined Scheduling, Memory Allocation
and Tensor Replacement for Minimizing Off-Chip Data Accesses of DNN Accelerators", 2023, arXiv
2311.18246): binary variables say which task runs at a step and which buffers are on the chip, and
were loaded, there. Addresses come after: what is resident is packed by the exact allocator. The
integer program without addresses bounds every plan, so a packing that fits proves the optimum; if
there is none, less capacity is given to the program until there is. Needs OR-Tools.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import gcd
from typing import Any, final

from netwright.errors import PlanError
from netwright.plan.allocate import Outcome, fit_blocks
from netwright.plan.certificate import Certificate
from netwright.plan.cp_sat import cp_sat
from netwright.plan.order import MemoryBuffer, MemoryOp, make_flow
from netwright.plan.scratchpad import (
    Residence,
    ScratchpadPlan,
    blocks_of,
    check_records,
    extra_bytes,
    residences_of,
)

CUTS = 8  # times that the program is given a sixteenth less capacity, to pack better


@final
@dataclass(frozen=True, slots=True)
class _Steps:
    """An answer of the integer program: without addresses."""

    order: tuple[int, ...]
    residences: tuple[Residence, ...]
    bound_bytes: float
    proved: bool


def solve_scratchpad(
    ops: tuple[MemoryOp, ...],
    buffers: tuple[MemoryBuffer, ...],
    capacity_bytes: int,
    first: ScratchpadPlan,
    seconds: float = 60.0,
) -> ScratchpadPlan:
    """The best plan that the seconds let it find, with its bound; never worse than `first`.

    Raises:
        UnsupportedError: OR-Tools is not installed.
        PlanError: the records make no sense.
    """
    check_records(ops, buffers)
    best, bound, proved = first, 0.0, False
    for cut in range(CUTS):
        room = capacity_bytes - cut * capacity_bytes // 16
        found = _solve(ops, buffers, room, first, seconds)
        if cut == 0 and found is not None:
            bound, proved = found.bound_bytes, found.proved
        if found is None or extra_bytes(buffers, found.residences) >= best.extra_bytes:
            break
        placed = _packed(found, buffers, capacity_bytes)
        if placed is not None:
            best = placed
            break
    value = best.extra_bytes
    optimal = value <= bound or (proved and best is not first and value <= bound)
    method = "CP-SAT over order and residence, then exact packing"
    certificate = Certificate("extra_bytes", value, min(bound, value), method, optimal)
    return replace(best, certificate=certificate)


def _packed(
    found: _Steps, buffers: tuple[MemoryBuffer, ...], capacity_bytes: int
) -> ScratchpadPlan | None:
    fit = fit_blocks(blocks_of(buffers, found.residences), capacity_bytes)
    if fit.outcome is not Outcome.FOUND:
        return None
    residences = tuple(
        replace(r, offset_bytes=offset)
        for r, offset in zip(found.residences, fit.offsets, strict=True)
    )
    extra = extra_bytes(buffers, residences)
    certificate = Certificate("extra_bytes", extra, None, "", False)
    return ScratchpadPlan(found.order, residences, extra, certificate)


class _Program:
    """The integer program. `runs[o, t]`, `here[b, t]`, `loads[b, t]`, `stores[b]` are binary."""

    def __init__(
        self, ops: Sequence[MemoryOp], buffers: Sequence[MemoryBuffer], before: Any
    ) -> None:
        self.model: Any = cp_sat().CpModel()
        self.ops, self.buffers, self.before = ops, buffers, before
        self.steps = range(len(ops))
        self.windows = _windows(before)
        binary = self.model.new_bool_var
        self.runs = {(o, t): binary("") for o in self.steps for t in range(*self.windows[o])}
        self.touching: dict[int, list[int]] = {}
        for o, op in enumerate(ops):
            for b in {*op.reads, *op.writes}:
                self.touching.setdefault(b, []).append(o)
        self.maker = {b: o for o, op in enumerate(ops) for b in op.writes}
        self.here = {(b, t): binary("") for b in self.touching for t in self.steps}
        self.loads = {(b, t): binary("") for b in self.touching for t in self.steps}
        self.stores = {
            b: binary("")
            for b in self.touching
            if not buffers[b].from_start and not buffers[b].to_end
        }

    def ran(self, task: int, step: int) -> Any:
        """Whether a task runs at this step: a variable, or 0 outside of its window."""
        return self.runs.get((task, step), 0)

    def order(self) -> None:
        """Every task once, every step one, each after those before it."""
        for t in self.steps:
            self.model.add_exactly_one([v for (_, s), v in self.runs.items() if s == t])
        for o in self.steps:
            self.model.add_exactly_one([v for (p, _), v in self.runs.items() if p == o])
            for earlier in self.before[o]:
                for t in range(*self.windows[o]):
                    mine = sum(self.ran(o, s) for s in range(t + 1))
                    self.model.add(mine <= sum(self.ran(earlier, s) for s in range(t)))

    def residence(self, capacity: int, unit: int) -> None:
        """What is on the chip was there, is made or is loaded, when a task wants it."""
        for b, touching in self.touching.items():
            for t in self.steps:
                here, load = self.here[b, t], self.loads[b, t]
                wanted = [self.ran(o, t) for o in touching if b not in self.ops[o].writes]
                made = self.ran(self.maker[b], t) if b in self.maker else 0
                earlier = self.here[b, t - 1] if t else 0
                self.model.add(here >= sum(self.ran(o, t) for o in touching))
                self.model.add(here <= earlier + load + made)
                self.model.add(load <= sum(wanted))
                if b in self.stores:
                    self.model.add(self.stores[b] >= load)
        for t in self.steps:
            held = [(b, v) for (b, s), v in self.here.items() if s == t]
            self.model.add(
                sum(self.buffers[b].padded_bytes // unit * v for b, v in held) <= capacity // unit
            )

    def cost(self, unit: int) -> Any:
        """Extra bytes, in units."""
        given = sum(
            self.buffers[b].padded_bytes // unit
            for b in self.touching
            if self.buffers[b].from_start
        )
        moved = [(b, v) for (b, _), v in self.loads.items()] + list(self.stores.items())
        return sum(self.buffers[b].padded_bytes // unit * v for b, v in moved) - given

    def hint(self, plan: ScratchpadPlan) -> None:
        """Where the search begins."""
        for step, task in enumerate(plan.order):
            for (o, t), v in self.runs.items():
                if t == step:
                    self.model.add_hint(v, o == task)
        live = {(r.buffer, t) for r in plan.residences for t in range(r.first, r.end)}
        fresh = {(r.buffer, r.first) for r in plan.residences if r.loaded}
        for place, v in self.here.items():
            self.model.add_hint(v, place in live)
            self.model.add_hint(self.loads[place], place in fresh)


def _windows(before: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """Task → the steps at which it may run, from how many tasks lie before and behind it."""
    count = len(before)
    ancestors: list[set[int]] = []
    for earlier in before:
        ancestors.append(set(earlier).union(*(ancestors[e] for e in earlier)))
    behind = [0] * count
    for found in ancestors:
        for o in found:
            behind[o] += 1
    return [(len(ancestors[o]), count - behind[o]) for o in range(count)]


def _solve(
    ops: tuple[MemoryOp, ...],
    buffers: tuple[MemoryBuffer, ...],
    capacity_bytes: int,
    first: ScratchpadPlan,
    seconds: float,
) -> _Steps | None:
    """The integer program alone; None when nothing is found in time."""
    cp_model = cp_sat()
    unit = gcd(*(b.padded_bytes for b in buffers)) or 1
    program = _Program(ops, buffers, make_flow(ops, buffers).before)
    program.order()
    program.residence(capacity_bytes, unit)
    program.model.minimize(program.cost(unit))
    program.hint(first)
    solver: Any = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = seconds
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 1
    status = solver.solve(program.model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        if status == cp_model.MODEL_INVALID:
            raise PlanError(
                f"scratchpad: the solver refuses the program: {program.model.validate()}"
            )
        return None
    order = tuple(
        next(
            o for o in program.steps if (o, t) in program.runs and solver.value(program.runs[o, t])
        )
        for t in program.steps
    )
    resident, loaded = _played(ops, buffers, order, program, solver)
    residences = residences_of(resident, loaded, {})
    proved = status == cp_model.OPTIMAL
    return _Steps(order, residences, solver.best_objective_bound * unit, proved)


def _played(
    ops: Sequence[MemoryOp],
    buffers: Sequence[MemoryBuffer],
    order: Sequence[int],
    program: _Program,
    solver: Any,
) -> tuple[list[frozenset[int]], list[frozenset[int]]]:
    """Residence by step as the program has it, less what is there for no later use."""
    last = {b: max(order.index(o) for o in touching) for b, touching in program.touching.items()}
    needed_again: dict[int, list[int]] = {
        b: [t for t in program.steps if solver.value(program.loads[b, t])] for b in program.touching
    }
    resident: list[frozenset[int]] = []
    loaded: list[frozenset[int]] = []
    uses = {b: sorted(order.index(o) for o in touching) for b, touching in program.touching.items()}
    for t in program.steps:
        now: set[int] = set()
        for b in program.touching:
            if not solver.value(program.here[b, t]) or t > last[b]:
                continue
            next_use = next(u for u in uses[b] if u >= t)
            # Reloaded before it is used again: it need not stay until then.
            if any(t < load <= next_use for load in needed_again[b]):
                continue
            now.add(b)
        resident.append(frozenset(now))
        loaded.append(frozenset(b for b in now if t in needed_again[b]))
    return resident, loaded
