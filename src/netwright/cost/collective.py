"""Collectives: what a group of a machine's members takes to reduce, gather, spread or pass on.

A group is laid over the machine's axes; data crosses the links of those in which members differ. A
ring of n passes n - 1 n-ths of the bytes over every link, a reduce-scatter or an all-gather once,
an all-reduce twice (Patarasuk and Yuan, JPDC 2009); each turn costs a hop of the link it crosses. A
tree passes all bytes up and down, with a chain of hops inside and the logarithm of them outside.
The cheapest of the methods that all links have is taken, as NCCL does (its src/graph/tuning.cc).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from netwright.errors import MachineError
from netwright.machine.collectives import CollectiveMethod, Form
from netwright.machine.machine import Link, Machine

RING = CollectiveMethod("ring", Form.RING, 1.0, 0.0, 0.0)  # where a link names no method


@final
@dataclass(frozen=True, slots=True)
class Crossing:
    """One axis that a group crosses. `parts`: members of a ring there, all ancestors' parts
    together; `bytes_per_second`: what the group has of the link, in one direction.
    """

    link: Link
    parts: int
    bytes_per_second: float


@final
@dataclass(frozen=True, slots=True)
class Group:
    """Members of a machine, as many in each part of every axis; crossings from the outermost in."""

    count: int
    crossings: tuple[Crossing, ...]


def group(machine: Machine, members: Sequence[int], sharers: int = 1) -> Group:
    """Members by number (the innermost axis counts first); `sharers`: groups like it, this one
    included, that use the links of a node at once.

    A group has a port of an outer link for each of its members below it, at most all ports; links
    are shared evenly by the groups that want more than there is.

    Raises:
        MachineError: there is no such member, or no link on an axis that is crossed.
    """
    _check(machine, members)
    found: list[Crossing] = []
    before, inner = 1, machine.num_devices
    for axis in machine.axes:
        inner //= axis.count
        parts = len({member // inner for member in members})
        if parts > before:
            link = _link(machine, axis.name)
            below = -(-len(members) // parts)
            wanted = min(link.ports, below) / link.ports
            share = min(wanted, 1.0 / sharers) if inner > 1 else 1.0
            found.append(Crossing(link, parts, link.bandwidth_bytes_per_second * share))
        before = parts
    return Group(len(members), tuple(found))


def all_reduce_seconds(among: Group, size_bytes: float) -> float:
    """Every member ends with the sum of what all had, `size_bytes` each."""
    return _cheapest(among, size_bytes, 2, (Form.RING, Form.TREE))


def reduce_scatter_seconds(among: Group, size_bytes: float) -> float:
    """Every member ends with its n-th of the sum; `size_bytes` is the whole."""
    return _cheapest(among, size_bytes, 1, (Form.RING,))


def all_gather_seconds(among: Group, size_bytes: float) -> float:
    """Every member ends with all parts; `size_bytes` is the whole."""
    return _cheapest(among, size_bytes, 1, (Form.RING,))


def broadcast_seconds(among: Group, size_bytes: float) -> float:
    """One member's bytes to all, in a pipeline along the ring: all bytes pass every link."""
    if among.count < 2:
        return 0.0
    return min(
        start + hops + size_bytes / rate
        for start, hops, rate, form in _methods(among)
        if form is Form.RING
    )


def point_to_point_seconds(
    machine: Machine, sender: int, receiver: int, size_bytes: float
) -> float:
    """One member to another over one port of the link between them.

    Raises:
        MachineError: as `group`.
    """
    if sender == receiver:
        _check(machine, (sender,))
        return 0.0
    return broadcast_seconds(group(machine, (sender, receiver)), size_bytes)


def bus_bytes_per_second(among: Group, size_bytes: float) -> float:
    """2 (n - 1) / n of the bytes over an all-reduce's seconds: what nccl-tests calls busbw."""
    share = 2 * (among.count - 1) / among.count
    return share * size_bytes / all_reduce_seconds(among, size_bytes)


def _cheapest(among: Group, size_bytes: float, passes: int, forms: tuple[Form, ...]) -> float:
    if among.count < 2:
        return 0.0
    ring = passes * (among.count - 1) / among.count * size_bytes
    return min(
        start + passes * hops + (ring if form is Form.RING else passes * size_bytes) / rate
        for start, hops, rate, form in _methods(among)
        if form in forms
    )


def _methods(among: Group) -> list[tuple[float, float, float, Form]]:
    """Of every method that all links have: start, hops of one pass, bytes per second, form."""
    tables = [{m.name: m for m in c.link.collectives or (RING,)} for c in among.crossings]
    shared = [name for name in tables[0] if all(name in table for table in tables)]
    if not shared:
        tables = [{RING.name: RING} for _ in tables]
        shared = [RING.name]
    found: list[tuple[float, float, float, Form]] = []
    for name in shared:
        methods = [table[name] for table in tables]
        form = methods[0].form
        hops = sum(
            _turns(form, one.parts, before) * (method.hop_seconds + (one.link.latency_seconds or 0))
            for one, method, before in zip(
                among.crossings, methods, (1, *(c.parts for c in among.crossings)), strict=False
            )
        )
        rate = min(
            one.bytes_per_second * method.share
            for one, method in zip(among.crossings, methods, strict=True)
        )
        found.append((max(m.start_seconds for m in methods), hops, rate, form))
    return found


def _turns(form: Form, parts: int, before: int) -> float:
    """Hops of one pass over this axis, where the axes outside it have `before` parts."""
    if form is Form.RING:
        return parts - before
    within = parts / before
    return within - 1 if before > 1 else math.log2(parts)


def _link(machine: Machine, axis: str) -> Link:
    links = [link for link in machine.links if link.axis == axis]
    if not links:
        raise MachineError(
            f"machine {machine.name}: no link joins the members of axis {axis!r}; add one under"
            " links"
        )
    return max(links, key=lambda link: link.bandwidth_bytes_per_second)


def _check(machine: Machine, members: Sequence[int]) -> None:
    if not members or len(set(members)) < len(members):
        raise MachineError(f"a group of members {list(members)}: expected one or more, each once")
    if not (min(members) >= 0 and max(members) < machine.num_devices):
        raise MachineError(
            f"machine {machine.name}: members {min(members)} to {max(members)}, and it has"
            f" {machine.num_devices}; use a machine with more, or fewer members"
        )
