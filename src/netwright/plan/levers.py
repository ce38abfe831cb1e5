"""Levers: what would make a plan fit, each with the demand that it would leave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from netwright.errors import UnsupportedError
from netwright.graph.format import format_of
from netwright.graph.tensor import Role, TensorId
from netwright.job.job import Generate, Limits
from netwright.machine.load import library_machine, machine_names
from netwright.machine.machine import Machine, Unit
from netwright.plan.candidates import bytes_of, items_of, seconds_of
from netwright.plan.capacity import Room, demand_bytes, rooms
from netwright.plan.draft import Draft
from netwright.plan.infeasible import Infeasible, Lever, Term
from netwright.plan.predict import Where, predict, representative_symbols
from netwright.plan.slim import label, slimmer

LEVER_FORMATS = ("q8_0", "q6_k", "q5_0", "q4_0", "q3_k", "q2_k", "tq2_0")
MOST_MACHINES = 3


def memory_levers(kept: Draft, room: Room) -> tuple[Lever, ...]:
    """What would make a draft in the formats of its file fit."""
    formats = _formats(kept, room) if room.holds_weights else ()
    return (*formats, *scratch_levers(kept, room))


def scratch_levers(kept: Draft, room: Room) -> tuple[Lever, ...]:
    """The same but for the formats: smaller chunks, less context, other machines or limits."""
    demand = demand_bytes(kept.footprint, room)
    found: list[Lever] = []
    if room.holds_written and isinstance(kept.job, Generate):
        found += [*_chunks(kept, room), *_context(kept, room)]
    if room.capacity_bytes == kept.job.limits.memory_bytes:
        found.append(Lever("a limit of as much", demand))
    else:
        found += _machines(kept)
        devices = -(-demand // max(room.capacity_bytes, 1))
        found.append(Lever(f"{devices} such devices, spread over their memories", demand / devices))
    return tuple(found)


def _chunks(kept: Draft, room: Room) -> Iterator[Lever]:
    """Less scratch, where that is enough."""
    for slim in slimmer(kept):
        saved = kept.footprint.written_bytes - slim.footprint.written_bytes
        now = demand_bytes(kept.footprint, room) - saved
        if now <= room.capacity_bytes:
            yield Lever(f"a prompt in chunks of {label(slim)}", now)
            return


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
    rows = next((t.dims[0].size for t in kept.graph.tensors if t.role is Role.CACHE), 0)
    if not isinstance(rows, int) or rows < 1:
        return
    each = kept.footprint.state_bytes / rows
    demand = demand_bytes(kept.footprint, room)
    left = int((room.capacity_bytes - (demand - kept.footprint.state_bytes)) // max(each, 1.0))
    if 2 <= left < rows:
        yield Lever(f"a context of {left} tokens instead of {rows}", demand - each * (rows - left))


def _machines(kept: Draft) -> Iterator[Lever]:
    """The smallest devices of the library that hold it as it is and have its arithmetic."""
    found: list[tuple[int, Machine, Unit]] = []
    for name in machine_names():
        machine = library_machine(name)
        for unit in machine.units:
            there = rooms(machine, unit, replace(kept.job, limits=Limits()))
            if all(demand_bytes(kept.footprint, r) <= r.capacity_bytes for r in there):
                found.append((sum(r.capacity_bytes for r in there), machine, unit))
    shown: set[str] = set()
    for _, machine, unit in sorted(found, key=lambda f: (f[0], f[1].name)):
        if len(shown) < MOST_MACHINES and machine.name not in shown and _able(kept, machine, unit):
            shown.add(machine.name)
            yield Lever(f"{machine.name} as the machine", kept.footprint.total_bytes)


def _able(kept: Draft, machine: Machine, unit: Unit) -> bool:
    """Whether a unit has the arithmetic of every task."""
    entry = kept.program.entry(kept.repeated.entry)
    try:
        predict(entry, Where(machine, unit, 1), representative_symbols(entry, kept.job))
    except UnsupportedError:
        return False
    return True


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
    return time_infeasible(kept, now, tuple(levers))


def time_infeasible(kept: Draft, seconds: float, levers: tuple[Lever, ...]) -> Infeasible:
    """Too much time for the call that repeats, as a value."""
    limit = kept.job.limits.seconds or 0.0
    bound = kept.repeated.certificate.bound or 0.0
    more: list[Lever] = []
    if bound > limit:
        more.append(Lever("another machine: in these formats nothing is faster here", bound))
    resource = f"time of {kept.repeated.entry} on {kept.machine.title}"
    return Infeasible(
        resource, seconds, limit, "seconds", (Term("predicted", seconds),),
        (*levers, *more, Lever("a limit of as much", seconds)),
    )  # fmt: skip


def _own(kept: Draft, tensor: TensorId) -> str:
    return kept.graph[tensor].format.name
