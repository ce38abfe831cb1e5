"""The best mapping of a nest on an array, with its certificate; or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any, final

from netwright.cost.loop_nest import Placed
from netwright.cost.nest import Mapping, Nest
from netwright.job.job import Goal
from netwright.machine.array import OPERANDS, SpatialArray
from netwright.machine.machine import Machine
from netwright.plan.certificate import Certificate
from netwright.plan.infeasible import Infeasible, Lever, Term
from netwright.plan.mapping.options import fewest_cycles, paths, steps, unrollings
from netwright.plan.mapping.problem import native_problem

# Cuts that the search may try, in all ways of unrolling together: about a second.
VISITS = 40_000_000
# Ways of unrolling that are searched, those of fewest steps first.
MOST_OPTIONS = 256
# The same, where what was found takes longer than those left out would at best.
WIDER_OPTIONS = 1024
# Unrollings of more steps than this many times the fewest are left out.
WIDEST = 1.25
EQUAL = 1e-9
METHOD = "all tilings by divisors, orders and levels; pruned by the least traffic still to come"


@final
@dataclass(frozen=True, slots=True)
class Mapped:
    """A mapping found. `certificate` is of the goal: cycles (as "cycles") or joules of memories."""

    placed: Placed
    memory_joules: float
    cycles: float
    certificate: Certificate
    visits: int
    options: int


def search(machine: Machine, array: SpatialArray, nest: Nest, goal: Goal) -> Mapped | Infeasible:
    """Least cycles, then least energy; or, for `Goal.JOULES`, least energy, then cycles."""
    swapped = nest.swapped()
    best: Mapped | Infeasible | None = None
    first = _search(machine, array, nest, goal)
    best = first
    if swapped.operands != nest.operands and _either_way(nest):
        other = _search(machine, array, swapped, goal)
        best = _better(first, other, goal)
    return best


def _either_way(nest: Nest) -> bool:
    """Whether neither factor slides: a product of matrices can be taken from either side."""
    return all(dim.is_plain for operand in nest.operands for dim in operand)


def _better(
    first: Mapped | Infeasible, other: Mapped | Infeasible, goal: Goal
) -> Mapped | Infeasible:
    if isinstance(other, Infeasible):
        return first
    if isinstance(first, Infeasible):
        return other
    keys = [(m.cycles, m.memory_joules) for m in (first, other)]
    if goal is Goal.JOULES:
        keys = [key[::-1] for key in keys]
    return other if keys[1] < keys[0] else first


def _search(machine: Machine, array: SpatialArray, nest: Nest, goal: Goal) -> Mapped | Infeasible:
    """Unrollings of few steps; the native search leaves out those slower than what is known."""
    problem = native_problem(machine, array, nest)
    held = list(paths(array))
    cycles_goal = goal is not Goal.JOULES
    least = fewest_cycles(nest, array)
    floor = max(float(least), compulsory_cycles(array, nest))
    limit, best = int(WIDEST * least), None
    for most in (MOST_OPTIONS, WIDER_OPTIONS):
        options = unrollings(nest, array, limit)
        whole = len(options) <= most
        if not whole:
            limit = min(limit, max(least, steps(nest, options[most]) - 1))
            options = options[:most]
        found, rows, cost, bound, proved, visits, smallest = problem.search(
            list(options), held, cycles_goal, VISITS
        )
        if not found:
            return infeasible(machine, array, nest, smallest)
        joules, *parts, busiest = cost
        cycles = max(sum(parts), busiest)
        if best is not None and best[:2] < (cycles, joules):  # tried less of each of more ways
            (cycles, joules, rows), proved = best, False
        best = cycles, joules, rows
        if not cycles_goal or cycles <= max(float(limit), floor * (1 + EQUAL)) or not whole:
            break
        limit = ceil(cycles)  # slower unrollings could still be better
    value = cycles if cycles_goal else joules
    if cycles_goal:
        # Those left out take more steps than the limit, and none is below what must cross.
        proved = (proved and cycles <= limit) or cycles <= floor * (1 + EQUAL)
        bound = max(min(bound, float(limit)), min(floor, value))
    certificate = Certificate(
        "cycles" if cycles_goal else "memory_joules",
        value,
        value if proved else min(bound, value),
        METHOD
        if cycles_goal
        else f"{METHOD}; of unrollings of at most {WIDEST:g} times the least steps, the "
        f"{MOST_OPTIONS} of fewest steps",
        bool(proved),
    )
    placed = Placed(machine, array, nest, mapping_of(rows))
    return Mapped(placed, joules, cycles, certificate, visits, len(options))


def compulsory_cycles(array: SpatialArray, nest: Nest) -> float:
    """Cycles of the busiest port when each operand crosses its outermost memory once."""
    busy: dict[tuple[int, int], float] = {}
    whole = [float(size) for size in nest.sizes]
    bits = (array.input_bits, array.weight_bits, array.output_bits)
    for which, operand in enumerate(OPERANDS):
        index = array.levels_of(operand)[-1]
        flow = f"{operand}.{'update' if operand == 'outputs' else 'feed'}"
        for place, port in enumerate(array.levels[index].ports):
            if flow in port.flows and port.bits_per_cycle is not None and port.hidden:
                spent = nest.elements(which, whole) * bits[which] / port.bits_per_cycle
                busy[index, place] = busy.get((index, place), 0.0) + spent
    return max(busy.values(), default=0.0)


def mapping_of(rows: Any) -> Mapping:
    """A mapping from the native core's rows."""
    spatial, temporal, held, cuts = rows
    return Mapping(
        tuple(map(tuple, spatial)), tuple(map(tuple, temporal)), tuple(map(tuple, held)),
        tuple(map(tuple, cuts)),
    )  # fmt: skip


def infeasible(
    machine: Machine, array: SpatialArray, nest: Nest, smallest: list[float]
) -> Infeasible:
    """The first memory that is too small for even the least tile, and the size that would do."""
    for level, bits in zip(array.levels, smallest, strict=True):
        have = machine.memory(level.memory).capacity_bytes
        if bits > 8 * have:
            need = bits / 8
            lever = Lever(f"a {level.memory} of {need:.0f} bytes", need)
            term = Term("the least tile of every operand", need)
            return Infeasible(level.memory, need, float(have), "bytes", (term,), (lever,))
    need = sum(smallest) / 8
    return Infeasible("array", need, 0.0, "bytes", (Term("the least tiles", need),), ())
