"""What a program's memory is made of, and whether it fits a machine and a job's limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

from netwright.job.job import Job
from netwright.machine.machine import Machine, Unit
from netwright.plan.infeasible import Infeasible, Lever, Term
from netwright.program.code import opcodes_run
from netwright.program.encode import PAGE_BYTES
from netwright.program.footprint import beside_bytes, operand_interval
from netwright.program.program import ArenaKind, Entry, Operand, Program

_READ_ONLY = (ArenaKind.FILE, ArenaKind.CONSTANT)


@final
@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes at most, by what they are for. Of a weight file only pages that a task reads count.

    `runtime_bytes` is what the runtime holds beside the arenas: itself, workspaces, records.
    """

    weights_bytes: int
    state_bytes: int
    scratch_bytes: int
    port_bytes: int
    runtime_bytes: int

    @property
    def written_bytes(self) -> int:
        """Everything but the weights."""
        return self.state_bytes + self.scratch_bytes + self.port_bytes + self.runtime_bytes

    @property
    def total_bytes(self) -> int:
        """Everything."""
        return self.weights_bytes + self.written_bytes


@final
@dataclass(frozen=True, slots=True)
class Room:
    """A memory, or a job's own limit: what must fit in, and what it holds."""

    name: str
    capacity_bytes: int
    holds_weights: bool
    holds_written: bool


def footprint_of(program: Program, machine: Machine) -> Footprint:
    """The program's memory on a machine, whatever is called."""
    sizes = dict.fromkeys(ArenaKind, 0)
    for arena in program.arenas:
        sizes[arena.kind] += arena.size_bytes
    return Footprint(
        sum(_read_bytes(program).values()),
        sizes[ArenaKind.STATE],
        sizes[ArenaKind.SCRATCH],
        sizes[ArenaKind.INPUT_OUTPUT],
        machine.held_bytes(opcodes_run(program.entries))
        + beside_bytes(program, [_largest_call(e) for e in program.entries]),
    )


def _largest_call(entry: Entry) -> tuple[str, dict[str, int]]:
    """The call that has most tokens, after as many others as there is room for."""
    symbols = {name: high for name, _, high in entry.bounds}
    if "n_past" in symbols:
        symbols["n_past"] = min(symbols["n_past"], entry.limit - symbols.get("n_tokens", 0))
    return entry.name, symbols


def _read_bytes(program: Program) -> dict[int, int]:
    """Of each read-only arena, how many bytes lie in pages of some operand."""
    spans: dict[int, set[tuple[int, int]]] = {}
    for operand, highest in _weights(program):
        low, high = operand_interval(operand, highest)
        pages = (low // PAGE_BYTES * PAGE_BYTES, -(-high // PAGE_BYTES) * PAGE_BYTES)
        spans.setdefault(operand.arena, set()).add(pages if high > low else (low, low))
    found: dict[int, int] = {}
    for arena, intervals in spans.items():
        total, end = 0, -1
        for low, high in sorted(intervals):
            total += max(0, high - max(low, end))
            end = max(end, high)
        found[arena] = total
    return found


def _weights(program: Program) -> Iterator[tuple[Operand, dict[str, int]]]:
    for entry in program.entries:
        highest = {name: high for name, _, high in entry.bounds}
        for task in entry.tasks:
            for operand in task.operands:
                if operand is not None and program.arenas[operand.arena].kind in _READ_ONLY:
                    yield operand, highest


def rooms(machine: Machine, unit: Unit, job: Job) -> tuple[Room, ...]:
    """The memories that the program lives in, and the job's limit on all of it."""
    store, home = machine.store(unit), machine.home(unit)
    where = f" of {machine.title}"
    if store.name == home.name:
        found = [Room(home.name + where, home.capacity_bytes * home.count, True, True)]
    else:
        # Weights are used where they lie (flash); what is written needs the other memory.
        found = [
            Room(store.name + where, store.capacity_bytes * store.count, True, False),
            Room(home.name + where, home.capacity_bytes * home.count, False, True),
        ]
    if job.limits.memory_bytes is not None:
        found.append(Room("the limit asked for", job.limits.memory_bytes, True, True))
    return tuple(found)


def demand_bytes(footprint: Footprint, room: Room) -> int:
    """What of a footprint must fit into a room."""
    weights = footprint.weights_bytes if room.holds_weights else 0
    return weights + (footprint.written_bytes if room.holds_written else 0)


def terms_of(footprint: Footprint, room: Room) -> tuple[Term, ...]:
    """The parts that its demand is made of."""
    weights = (Term("weights", footprint.weights_bytes),) if room.holds_weights else ()
    written = (
        Term("state", footprint.state_bytes),
        Term("scratch", footprint.scratch_bytes),
        Term("inputs and outputs", footprint.port_bytes),
        Term("the runtime and its workspaces", footprint.runtime_bytes),
    )
    return (*weights, *(written if room.holds_written else ()))


def tightest(footprint: Footprint, found: tuple[Room, ...]) -> Room | None:
    """The room that is exceeded by the largest factor; None when all hold."""
    excess = [(demand_bytes(footprint, r) / max(r.capacity_bytes, 1), r) for r in found]
    worst, room = max(excess, key=lambda pair: pair[0])
    return room if worst > 1.0 else None


def infeasible_bytes(footprint: Footprint, room: Room, levers: tuple[Lever, ...]) -> Infeasible:
    """Too much memory, as a value."""
    return Infeasible(
        room.name,
        demand_bytes(footprint, room),
        room.capacity_bytes,
        "bytes",
        terms_of(footprint, room),
        levers,
    )
