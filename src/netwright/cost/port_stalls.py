"""Cycles of a loop nest: computing, waiting for ports, loading before and unloading after.

windows: a memory whose tiles leave room for the next one (double buffering) may be updated all the
time, another only while its last irrelevant loops turn; what a port cannot move in that window
stalls the array. Source: Mei et al., "A uniform latency model for DNN accelerators with diverse
architectures and dataflows", DATE 2022, and ZigZag 3.9.1.
overlapped: everything is hidden behind the busiest of the array and of every port.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

from netwright.cost.loop_nest import INPUTS, OUTPUTS, Movement, Placed, whole_words
from netwright.cost.nest import Nest
from netwright.machine.array import OPERANDS, Port, SpatialArray


@final
@dataclass(frozen=True, slots=True)
class Cycles:
    """`computing` includes stalls; `limit` names what bounds it: "array" or a memory.

    `busiest`: cycles in which the port that moves most does nothing else. Windows may forget some
    of them (ZigZag lets two first loads share a port), so no total is less.
    """

    loading: float
    computing: float
    unloading: float
    busiest: float
    limit: str

    @property
    def windows(self) -> float:
        """Loading, computing and unloading, one after the other."""
        return self.loading + self.computing + self.unloading

    @property
    def total(self) -> float:
        """What the whole nest takes."""
        return max(self.windows, self.busiest)


@final
@dataclass(frozen=True, slots=True)
class _Duty:
    """One flow through one port: cycles it takes and may take in each of its periods."""

    moved: Movement
    level: int
    port: Port
    real: int
    allowed: int

    @property
    def stall(self) -> int:
        return (self.real - self.allowed) * (self.moved.times - 1)


def cycles(given: Placed) -> Cycles:
    """Cycles of the whole nest on one array."""
    array, mapping = given.array, given.mapping
    if array.timing == "overlapped":
        busiest, limit = _busiest(given)
        return Cycles(0.0, float(mapping.cycles), 0.0, busiest, limit)
    placed = replace(given, whole=True)
    double = _double_buffered(given)
    duties = _duties(placed, double)
    worst, limit = 0.0, "array"
    for group in _by_port(duties):
        stall = _combined(group)
        if stall > worst:
            worst, limit = float(stall), array.levels[group[0].level].memory
    loading, unloading = _ends(placed, duties, mapping.cycles + worst)
    busiest, port = _busiest(given)
    if busiest > loading + mapping.cycles + worst + unloading:
        limit = port
    return Cycles(loading, mapping.cycles + worst, unloading, busiest, limit)


def _busiest(placed: Placed) -> tuple[float, str]:
    """Cycles of the array, or of the port that moves more; and which it is."""
    busy: dict[tuple[int, int], float] = {}
    for moved in placed.movements():
        index = placed.mapping.levels[moved.operand][moved.place]
        found = _port(placed.array, index, moved)
        if found is not None and found[1].bits_per_cycle is not None:
            bits = whole_words(placed, moved) * placed.array.levels[index].word_bits
            key = (index, found[0])
            one = bits / found[1].bits_per_cycle / moved.instances
            busy[key] = busy.get(key, 0.0) + one
    worst, limit, waits = float(placed.mapping.cycles), "array", 0.0
    for (index, port), spent in busy.items():
        if not placed.array.levels[index].ports[port].hidden:
            waits += spent
        elif spent > worst:
            worst, limit = spent, placed.array.levels[index].memory
    return worst + waits, limit


def _port(array: SpatialArray, level: int, moved: Movement) -> tuple[int, Port] | None:
    flow = f"{OPERANDS[moved.operand]}.{moved.flow}"
    for place, port in enumerate(array.levels[level].ports):
        if flow in port.flows:
            return place, port
    return None


def _segment(placed: Placed, operand: int, place: int) -> list[tuple[int, int]]:
    if place < 0:
        return []
    low = placed.below(operand, place - 1) if place > 0 else 0
    return list(placed.mapping.temporal[low : placed.below(operand, place)])


def _top_relevant(placed: Placed, operand: int, place: int) -> int:
    """The product of the level's outermost loops that index the operand by themselves."""
    alone, total = placed.nest.alone(operand), 1
    for loop, count in reversed(_segment(placed, operand, place)):
        if loop not in alone:
            break
        total *= count
    return total


def _top_irrelevant(placed: Placed, operand: int, place: int) -> int:
    uses, total = placed.nest.uses(operand), 1
    for loop, count in reversed(_segment(placed, operand, place)):
        if loop in uses:
            break
        total *= count
    return total


def _bits(placed: Placed, operand: int, place: int) -> int:
    """Bits of one element where the level at `place` holds it."""
    array = placed.array
    if operand != OUTPUTS:
        return array.input_bits if operand == INPUTS else array.weight_bits
    return array.sum_bits if placed.partial(place) else array.output_bits


def _double_buffered(placed: Placed) -> list[list[bool]]:
    """By operand and level: whether the next tile can come while this one is used."""
    levels = placed.mapping.levels
    alone = [
        [
            placed.tile(o, p)
            * _bits(placed, o, p)
            // _top_relevant(placed, o, p)
            / _capacity(placed, i)
            for p, i in enumerate(held)
        ]
        for o, held in enumerate(levels)
    ]  # fmt: skip
    shared = {
        i: sum(alone[o][held.index(i)] for o, held in enumerate(levels) if i in held)
        for held in levels
        for i in held
    }
    result: list[list[bool]] = [[], [], []]
    for operand in _order(placed.nest):
        for place, index in enumerate(levels[operand]):
            free = shared[index] <= 0.5
            if not free and alone[operand][place] <= 1 - shared[index]:
                free = True
                shared[index] += alone[operand][place]
            result[operand].append(free)
    return result


def _order(nest: Nest) -> Sequence[int]:
    """Outputs ask first, then weights, then inputs: as ZigZag lists a convolution's operands."""
    return (2, 1, 0)


def _capacity(placed: Placed, level: int) -> float:
    return 8.0 * placed.machine.memory(placed.array.levels[level].memory).capacity_bytes


def _duties(placed: Placed, double: list[list[bool]]) -> list[_Duty]:
    duties: list[_Duty] = []
    for moved in placed.movements():
        index = placed.mapping.levels[moved.operand][moved.place]
        found = _port(placed.array, index, moved)
        if found is None or found[1].bits_per_cycle is None:
            continue
        towards = moved.flow in ("feed", "update")
        place = moved.place - 1 if towards else moved.place
        free = place >= 0 and double[moved.operand][place]
        window = moved.period
        if not free:
            window = int(moved.period / _top_irrelevant(placed, moved.operand, place))
        real = math.ceil(moved.elements * moved.bits / found[1].bits_per_cycle)
        duties.append(_Duty(moved, index, found[1], real, window))
    return duties


def _by_port(duties: list[_Duty]) -> list[list[_Duty]]:
    groups: dict[tuple[int, int], list[_Duty]] = {}
    for duty in duties:
        groups.setdefault((duty.level, id(duty.port)), []).append(duty)
    return list(groups.values())


def _combined(group: list[_Duty]) -> int:
    """Stalls of one port that serves several flows in turn."""
    if len(group) == 1:
        return group[0].stall
    late = sum(d.stall for d in group if d.stall > 0)
    early = sum(d.stall for d in group if d.stall <= 0)
    windows = sum(d.allowed * (d.moved.times - 1) for d in group)
    return late + max(0, early + windows - _union(group))


def _union(group: list[_Duty]) -> int:
    """Cycles in which at least one of the windows is open."""
    for duty in group:
        if duty.moved.period == duty.allowed:
            return duty.moved.period * duty.moved.times
    most: dict[int, int] = {}
    for duty in group:
        period = duty.moved.period
        most[period] = max(duty.allowed, most.get(period, 0))
    longest = max(most)
    times = next(d.moved.times for d in group if d.moved.period == longest)
    return _open(longest, sorted(most.items())) * times


def _open(length: int, spans: Sequence[tuple[int, int]]) -> int:
    """Of `length` cycles, those in the first `allowed` of any (period, allowed).

    Every period is a multiple of those before it, as cycles of nested loops are.
    """
    if not spans:
        return 0
    *inner, (period, allowed) = spans

    def first(count: int) -> int:
        if count <= allowed:
            return count
        return allowed + _open(count, inner) - _open(allowed, inner)

    whole, part = divmod(length, period)
    return whole * first(period) + first(part)


def _ends(placed: Placed, duties: list[_Duty], computing: float) -> tuple[float, float]:
    """Cycles of loading the first tiles and of unloading the last ones."""
    spent: dict[tuple[int, int, str], tuple[float, bool]] = {}
    for group in _by_port(duties):
        ends = [d for d in group if not _turns_back(d)]
        wanted = sum(_average(placed, d) for d in ends if d.moved.times > 1)
        once = [d for d in ends if d.moved.times == 1]
        inputs = {f.split(".")[0] for f in group[0].port.flows} - {"outputs"}
        left = _hidden(placed, once, wanted, computing)
        left.update({id(d): float(d.real) for d in ends if d.moved.times > 1})
        for duty in ends:
            moved = duty.moved
            key = (moved.operand, moved.place, moved.flow)
            spent[key] = (left[id(duty)], len(inputs) > 1)
    return _loading(placed, spent), _unloading(placed, spent)


def _turns_back(duty: _Duty) -> bool:
    return duty.moved.operand == OUTPUTS and duty.moved.flow in ("feed", "fill")


def _average(placed: Placed, duty: _Duty) -> int:
    """Bits a cycle that the flow needs while the array computes."""
    moved = duty.moved
    place = moved.place - 1 if moved.flow in ("feed", "update") else moved.place
    return math.ceil(int(moved.elements * _bits(placed, moved.operand, place) / moved.period))


def _hidden(placed: Placed, once: list[_Duty], wanted: float, computing: float) -> dict[int, float]:
    """What is left of flows that happen once, after the port's idle cycles have taken their part.

    Of each, what the innermost memory needs to begin with stays.
    """
    left = {id(d): float(d.real) for d in once}
    if not once:
        return left
    rate = once[0].port.bits_per_cycle
    assert rate is not None
    spare = max(0.0, (rate - wanted) / rate * computing)
    for duty in sorted(once, key=lambda d: -d.real):
        if spare <= 0:
            break
        first = placed.tile(duty.moved.operand, 0) * _bits(placed, duty.moved.operand, 0)
        taken = min(max(0.0, duty.real - math.ceil(first / rate)), spare)
        left[id(duty)] -= taken
        spare -= taken
    return left


def _loading(placed: Placed, spent: dict[tuple[int, int, str], tuple[float, bool]]) -> float:
    own, half, both = [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]
    for operand in (0, 1):
        for place in range(len(placed.mapping.levels[operand]) - 1):
            filled, one = spent.get((operand, place, "fill"), (0.0, False))
            fed, other = spent.get((operand, place + 1, "feed"), (0.0, False))
            longest = max(filled, fed)
            if one and other:
                both[operand] += longest
            elif one or other:
                half[operand] = longest
            else:
                own[operand] += longest
    ways = (
        both[a] + max(both[b] + half[b] + own[b], half[a] + own[a]) for a, b in ((0, 1), (1, 0))
    )
    return min(ways)


def _unloading(placed: Placed, spent: dict[tuple[int, int, str], tuple[float, bool]]) -> float:
    total = 0.0
    for place in range(len(placed.mapping.levels[OUTPUTS]) - 1):
        drained, _ = spent.get((OUTPUTS, place, "drain"), (0.0, False))
        updated, _ = spent.get((OUTPUTS, place + 1, "update"), (0.0, False))
        total += max(drained, updated)
    return total
