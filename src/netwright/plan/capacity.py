"""Whether a program fits a machine's memories, and what would make it fit."""

from __future__ import annotations

from netwright.job.job import Job
from netwright.machine.machine import Machine, Unit
from netwright.plan.infeasible import Infeasible, Lever, Term
from netwright.program.program import ArenaKind, Program

# Bits an element, block overhead included, of the formats that are offered as levers.
LEVER_BITS = (("q8_0", 8.5), ("q4_0", 4.5), ("tq2_0", 2.0625))


def check_capacity(
    program: Program, machine: Machine, unit: Unit, job: Job
) -> tuple[int, Infeasible | None]:
    """Bytes at most, and the reason when that is too much.

    Weights go where the unit's weights live (flash, where there is one), everything else to the
    memory that it can write.
    """
    weights = sum(
        a.size_bytes for a in program.arenas if a.kind in (ArenaKind.FILE, ArenaKind.CONSTANT)
    )
    state = sum(a.size_bytes for a in program.arenas if a.kind is ArenaKind.STATE)
    scratch = sum(a.size_bytes for a in program.arenas if a.kind is ArenaKind.SCRATCH)
    ports = sum(a.size_bytes for a in program.arenas if a.kind is ArenaKind.INPUT_OUTPUT)
    total = weights + state + scratch + ports
    store, home = machine.store(unit), machine.home(unit)
    written = (Term("state", state), Term("scratch", scratch), Term("inputs and outputs", ports))
    weight_term = Term("weights", weights)
    demands = (
        ((store.name, store.capacity_bytes * store.count, (weight_term,)),
         (home.name, home.capacity_bytes * home.count, written))
        if store.name != home.name
        else ((home.name, home.capacity_bytes * home.count, (weight_term, *written)),)
    )  # fmt: skip
    for name, capacity, terms in demands:
        limit = capacity
        if job.limits.memory_bytes is not None:
            limit = min(limit, job.limits.memory_bytes)
        demand = sum(t.value for t in terms)
        if demand > limit:
            levers = _levers(program, terms, demand, limit, name)
            return total, Infeasible(
                f"{name} of {machine.title}", demand, limit, "bytes", terms, levers
            )
    return total, None


def _levers(
    program: Program, terms: tuple[Term, ...], demand: float, limit: float, memory: str
) -> tuple[Lever, ...]:
    """Smaller formats that would fit, and otherwise how many devices hold it."""
    weights = sum(t.value for t in terms if t.name == "weights")
    elements = _weight_elements(program)
    levers = [
        Lever(f"weights in {name}", demand - weights + elements * bits / 8)
        for name, bits in LEVER_BITS
        if weights and demand - weights + elements * bits / 8 <= limit
    ]
    devices = -int(-demand // max(limit, 1))
    levers.append(
        Lever(f"{devices} such devices, weights spread over their {memory}", demand / devices)
    )
    return tuple(levers)


def _weight_elements(program: Program) -> int:
    """Elements of all read-only operands, each place counted once."""
    seen: dict[tuple[int, object], int] = {}
    for entry in program.entries:
        for task in entry.tasks:
            for operand in task.operands:
                if operand is None or program.arenas[operand.arena].kind not in (
                    ArenaKind.FILE,
                    ArenaKind.CONSTANT,
                ):
                    continue
                size = 1
                for extent in operand.shape:
                    size *= extent if isinstance(extent, int) else 1
                if operand.format == "bytes":
                    size //= 4
                seen[operand.arena, operand.offset_bytes] = size
    return sum(seen.values())
