"""A cascade of einsums as units joined by queues of given depth, simulated cycle by cycle.

An abstract streaming dataflow machine: every unit starts one firing a cycle and its result can be
used a cycle later; a queue holds so many results; a unit waits while an input is empty or an output
full. Loops named in `order` pass one after the other, all other loops lie side by side in a unit.
Einsums that carry values to each other from step to step are one unit (a scan). Inputs from outside
are always there. Source of the machine: arXiv 2404.16629 (streaming attention, after the Dataflow
Abstract Machine); what is a unit here follows from the cascade alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from netwright.errors import ProgramError
from netwright.graph.extent import resolve
from netwright.graph.op import Access, Einsum


@final
@dataclass(frozen=True, slots=True)
class StreamUnit:
    """`einsums` by index; it fires `firings` times, and sends a result every `period`-th time."""

    einsums: tuple[int, ...]
    firings: int
    period: int


@final
@dataclass(frozen=True, slots=True)
class Queue:
    """From one unit to another, which is done with an element after `hold` firings."""

    source: int
    target: int
    hold: int


@final
@dataclass(frozen=True, slots=True)
class StreamNetwork:
    """Units in the order of the cascade, and the queues between them."""

    units: tuple[StreamUnit, ...]
    queues: tuple[Queue, ...]


@final
@dataclass(frozen=True, slots=True)
class Streamed:
    """`most`: the elements that each queue held at most. A run that stuck is not `finished`."""

    cycles: int
    finished: bool
    most: tuple[int, ...]


def stream_network(cascade: Sequence[Einsum], order: Sequence[str]) -> StreamNetwork:
    """Units and queues of a cascade whose `order` of loops is one after the other.

    Raises:
        ProgramError: an einsum reduces an outer loop of the order before an inner one.
    """
    sizes = {n: resolve(s, {}) for e in cascade for n, s in e.loops if n in order}
    groups = _together(cascade)
    home = {index: unit for unit, group in enumerate(groups) for index in group}
    maker = {e.output.operand: i for i, e in enumerate(cascade) if e.output.operand < 0}
    over = [
        _prefix({n for i in group for n in _domain(cascade, maker, i)}, order) for group in groups
    ]
    sent = [_prefix(_sent(cascade, group), order) for group in groups]
    units = tuple(
        StreamUnit(group, _turns(whole, sizes), _turns(whole[len(out) :], sizes))
        for group, whole, out in zip(groups, over, sent, strict=True)
    )
    pairs = dict.fromkeys(
        (home[maker[a.operand]], home[i])
        for i, e in enumerate(cascade)
        for a in e.inputs
        if a.operand in maker and home[maker[a.operand]] != home[i]
    )
    queues = tuple(
        Queue(source, target, _turns(over[target][len(sent[source]) :], sizes))
        for source, target in pairs
    )
    return StreamNetwork(units, queues)


def stream(network: StreamNetwork, depths: Sequence[int]) -> Streamed:
    """Runs until every unit has fired as often as it has to, or none can.

    Raises:
        ProgramError: not one depth, of at least one element, for every queue.
    """
    if len(depths) != len(network.queues) or min(depths, default=1) < 1:
        raise ProgramError(
            f"stream: depths {list(depths)} for {len(network.queues)} queues; give one, at least 1,"
            " for each"
        )
    count = len(network.units)
    reads = [[i for i, q in enumerate(network.queues) if q.target == u] for u in range(count)]
    sends = [[i for i, q in enumerate(network.queues) if q.source == u] for u in range(count)]
    held, most = [0] * len(depths), [0] * len(depths)
    fired, cycles = [0] * count, 0
    while any(fired[u] < unit.firings for u, unit in enumerate(network.units)):
        ready = [
            u
            for u, unit in enumerate(network.units)
            if fired[u] < unit.firings
            and all(held[i] for i in reads[u])
            and ((fired[u] + 1) % unit.period or all(held[i] < depths[i] for i in sends[u]))
        ]
        if not ready:
            return Streamed(cycles, False, tuple(most))
        for u in ready:
            fired[u] += 1
            for i in reads[u]:
                held[i] -= not fired[u] % network.queues[i].hold
            if not fired[u] % network.units[u].period:
                for i in sends[u]:
                    held[i] += 1
        most = [max(pair) for pair in zip(most, held, strict=True)]
        cycles += 1
    return Streamed(cycles, True, tuple(most))


def smallest_depth(network: StreamNetwork, limit: int) -> int | None:
    """The least depth, the same for all queues, with which nothing gets stuck; None: above `limit`.

    More room never stops a unit that ran with less, so halving finds it.
    """
    if not stream(network, [limit] * len(network.queues)).finished:
        return None
    stuck, runs = 0, limit
    while runs - stuck > 1:
        depth = (stuck + runs) // 2
        if stream(network, [depth] * len(network.queues)).finished:
            runs = depth
        else:
            stuck = depth
    return runs


def _together(cascade: Sequence[Einsum]) -> list[tuple[int, ...]]:
    """Einsums by unit: those that need each other, through values carried, are one."""
    count = len(cascade)
    reach = [
        [any(a.operand == e.output.operand for a in other.inputs) for other in cascade]
        for e in cascade
    ]
    for k in range(count):
        for i in range(count):
            if reach[i][k]:
                reach[i] = [a or b for a, b in zip(reach[i], reach[k], strict=True)]
    groups: list[tuple[int, ...]] = []
    for i in range(count):
        if not any(i in group for group in groups):
            groups.append(tuple(j for j in range(count) if j == i or (reach[i][j] and reach[j][i])))
    return groups


def _spans(access: Access) -> set[str]:
    return {name for p in access.projections for name, _ in p.terms}


def _domain(cascade: Sequence[Einsum], maker: dict[int, int], index: int) -> set[str]:
    """Loops of an einsum, and those of what it reads: of a stream all elements pass by it."""
    found = {name for name, _ in cascade[index].loops}
    for access in cascade[index].inputs:
        if access.operand in maker:
            found |= _spans(cascade[maker[access.operand]].output)
    return found


def _sent(cascade: Sequence[Einsum], group: tuple[int, ...]) -> set[str]:
    """Loops for each of which there is a result to send."""
    return {name for i in group for name in _spans(cascade[i].output)}


def _prefix(names: set[str], order: Sequence[str]) -> tuple[str, ...]:
    """The loops in their order; what passes inside another must be inside it here too."""
    found = tuple(name for name in order if name in names)
    if found != tuple(order[: len(found)]):
        raise ProgramError(
            f"stream: loops {found} stand without {order[0]}, which is outside of them; an einsum"
            " reduces an outer loop before an inner one: give another order"
        )
    return found


def _turns(loops: Sequence[str], sizes: dict[str, int]) -> int:
    return math.prod(sizes[name] for name in loops)
