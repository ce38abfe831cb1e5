"""Levers: what would make a plan fit, each with the demand that it would leave."""

from __future__ import annotations

from collections.abc import Iterator

from netwright.errors import MachineError, UnsupportedError
from netwright.graph.format import format_of
from netwright.graph.tensor import Role
from netwright.job.job import Generate
from netwright.machine.load import library_machine, machine_names
from netwright.plan.candidates import bytes_of, items_of, seconds_of
from netwright.plan.capacity import Footprint, Room, demand_bytes, rooms
from netwright.plan.draft import Draft
from netwright.plan.infeasible import Infeasible, Lever, Term
from netwright.plan.predict import choose_unit, largest_task

LEVER_FORMATS = ("q8_0", "q6_k", "q5_0", "q4_0", "q3_k", "q2_k", "tq2_0")
MOST_MACHINES = 3


def memory_levers(kept: Draft, room: Room) -> tuple[Lever, ...]:
    """Formats, a shorter context, both, other machines, and several such devices."""
    demand = demand_bytes(kept.footprint, room)
    found: list[Lever] = []
    if room.holds_weights:
        found += _formats(kept, room)
    if room.holds_written and isinstance(kept.job, Generate):
        found += _context(kept, room)
    if room.name != "the limit asked for":
        found += _machines(kept)
        devices = -(-demand // max(room.capacity_bytes, 1))
        found.append(Lever(f"{devices} such devices, spread over their memories", demand / devices))
    else:
        found.append(Lever("a limit of as much", demand))
    return tuple(found)


def _formats(kept: Draft, room: Room) -> Iterator[Lever]:
    """The widest formats that fit, for all weights that can have them; the first few."""
    demand = demand_bytes(kept.footprint, room)
    items = items_of(kept.graph, LEVER_FORMATS)
    shown = 0
    for name in LEVER_FORMATS:
        form = format_of(name)
        able = [i for i in items if form in i.formats[1:]]
        now = demand + sum(bytes_of(i, form) - bytes_of(i, i.formats[0]) for i in able)
        if able and now < demand and now <= room.capacity_bytes and shown < 2:
            shown += 1
            share = sum(i.elements for i in able) / max(1, sum(i.elements for i in items))
            part = "weights" if len(able) == len(items) else f"{share:.0%} of the weights"
            yield Lever(f"{part} in {name}", now)


def _context(kept: Draft, room: Room) -> Iterator[Lever]:
    """The longest context whose caches still fit."""
    rows = next(
        (t.dims[0].size for t in kept.graph.tensors if t.role is Role.CACHE), 0
    )
    if not isinstance(rows, int) or rows < 1:
        return
    each = kept.footprint.state_bytes / rows
    demand = demand_bytes(kept.footprint, room)
    left = int((room.capacity_bytes - (demand - kept.footprint.state_bytes)) // max(each, 1.0))
    if 2 <= left < rows:
        yield Lever(f"a context of {left} tokens instead of {rows}", demand - each * (rows - left))


def _machines(kept: Draft) -> Iterator[Lever]:
    """The smallest devices of the library that hold it as it is and have its arithmetic."""
    found: list[tuple[int, str]] = []
    task = largest_task(kept.program)
    highest = {n: h for e in kept.program.entries for n, _, h in e.bounds}
    for name in machine_names():
        try:
            machine = library_machine(name)
            unit = choose_unit(machine, task, highest)
        except (MachineError, UnsupportedError):
            continue
        there = [r for r in rooms(machine, unit, kept.job) if r.name != "the limit asked for"]
        if all(demand_bytes(kept.footprint, r) <= r.capacity_bytes for r in there):
            found.append((sum(r.capacity_bytes for r in there), machine.name))
    for _, name in sorted(found)[:MOST_MACHINES]:
        yield Lever(f"{name} as the machine", kept.footprint.total_bytes)


def time_limit(kept: Draft) -> Infeasible | None:
    """Why the call that repeats takes longer than the job allows, and what would help."""
    limit, now = kept.job.limits.seconds, kept.repeated.seconds
    if limit is None or now <= limit:
        return None
    items = items_of(kept.graph, LEVER_FORMATS)
    levers: list[Lever] = []
    tables = seconds_of(kept, items)
    before = next(tables)
    for table in tables:
        name = next(iter(table))[1]
        saved = sum(before[t, _own(kept, t)] - s for (t, _), s in table.items())
        if saved > 0 and now - saved <= limit:
            levers.append(Lever(f"weights in {name}", now - saved))
    bound = kept.repeated.certificate.bound or 0.0
    if bound > limit:
        levers.append(Lever("another machine: no program in these formats is faster here", bound))
    levers.append(Lever("a limit of as much", now))
    terms = (Term("predicted", now),)
    resource = f"time of {kept.repeated.entry} on {kept.machine.title}"
    return Infeasible(resource, now, limit, "seconds", terms, tuple(levers))


def _own(kept: Draft, tensor: int) -> str:
    return kept.graph.tensors[tensor].format.name


def least_footprint(kept: Draft, room: Room, weights_bytes: float) -> tuple[Footprint, Room]:
    """The footprint with the smallest weights that there are."""
    now = kept.footprint
    return (
        Footprint(int(weights_bytes), now.state_bytes, now.scratch_bytes, now.port_bytes),
        room,
    )
