"""What a loop nest on an array reads and writes, flow by flow, with its energy.

An operand's tile at a level is what the loops below and the members that the level serves touch; it
is replaced as often as the loops above turn, but for those directly above that do not index it. A
level feeds what is different among the members that it serves once (multicast, or sums added on the
way) and repeats it for each member of an axis without multicast.
Source: Mei et al., ZigZag, IEEE TC 70(8), 2021, section 4, and its cost model (3.9.1), whose counts
these are to the word; `overlapped` machines count as Timeloop and AccelForge do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import final

from netwright.cost.nest import Mapping, Nest
from netwright.machine.array import FLOWS, OPERANDS, READS, SpatialArray
from netwright.machine.machine import Machine, Unit

INPUTS, WEIGHTS, OUTPUTS = range(3)


@final
@dataclass(frozen=True, slots=True)
class Movement:
    """One flow of one operand at one level, for every instance of its memory.

    `elements` move every `period` cycles, `times` in all; `bits` of each; `instances` memories.
    """

    operand: int
    place: int  # among the operand's levels, innermost first
    flow: str
    elements: float
    bits: int
    period: int
    times: int
    instances: int


@final
@dataclass(frozen=True, slots=True)
class Part:
    """Energy of one flow: whole words, and joules."""

    operand: str
    memory: str
    flow: str
    words: int
    bits: float
    joules: float


@final
@dataclass(frozen=True)
class Placed:
    """A mapping on an array, with all that can be said of its tiles. `whole`: members at work are
    rounded down, as in the time that one iteration takes."""

    machine: Machine
    array: SpatialArray
    nest: Nest
    mapping: Mapping
    whole: bool = False

    @cached_property
    def cuts(self) -> tuple[tuple[int, ...], ...]:
        """Every cut raised over the loops directly above that do not index its operand."""
        return tuple(
            tuple(self._raised(operand, cut) for cut in cuts)
            for operand, cuts in enumerate(self.mapping.cuts)
        )

    def _raised(self, operand: int, cut: int) -> int:
        uses = self.nest.uses(operand)
        loops = self.mapping.temporal
        while cut < len(loops) and loops[cut][0] not in uses:
            cut += 1
        return cut

    @cached_property
    def shares(self) -> tuple[float, ...]:
        """Members at work for every spatial loop."""
        shares = self.mapping.shares(self.nest)
        return tuple(float(math.floor(s + 1e-9)) for s in shares) if self.whole else shares

    def below(self, operand: int, place: int) -> int:
        """Temporal loops below the top of the operand's level at `place`; -1: the array itself."""
        if place < 0:
            return self._raised(operand, 0) if operand != OUTPUTS and self._holds(operand) else 0
        cuts = self.cuts[operand]
        return cuts[place] if place < len(cuts) else len(self.mapping.temporal)

    def _holds(self, operand: int) -> bool:
        return self.array.levels[self.mapping.levels[operand][0]].holds

    def cycles(self, operand: int, place: int) -> int:
        """Cycles that one tile of the level lasts."""
        loops = self.mapping.temporal[: self.below(operand, place)]
        return math.prod(count for _, count in loops)

    def reach(self, operand: int, axis: int) -> int:
        """The first of the operand's levels that serves all members of an axis."""
        name = self.array.axes[axis].name
        held = self.mapping.levels[operand]
        for place, level in enumerate(held):
            if name in self.array.levels[level].serves:
                return place
        return len(held) - 1

    def tile(self, operand: int, place: int) -> float:
        """Elements in one instance of the level at `place`."""
        extents = [1.0] * len(self.nest.sizes)
        for loop, count in self.mapping.temporal[: self.below(operand, place)]:
            extents[loop] *= count
        for (axis, loop, _), share in zip(self.mapping.spatial, self.shares, strict=True):
            if self.reach(operand, axis) <= place:
                extents[loop] *= share
        return float(round(self.nest.elements(operand, extents)))

    def members(self, operand: int, place: int, *, apart: bool) -> float:
        """Members between the array and the level at `place` that get something of their own.

        `apart` also counts those of an axis without multicast that get the same.
        """
        extents, same = [1.0] * len(self.nest.sizes), 1.0
        for (axis, loop, _), share in zip(self.mapping.spatial, self.shares, strict=True):
            if self.reach(operand, axis) != place:
                continue
            extents[loop] *= share
            if loop not in self.nest.uses(operand) and not self.array.axes[axis].multicast:
                same *= share
        return self.nest.elements(operand, extents) * (same if apart else 1.0)

    def instances(self, operand: int, place: int) -> int:
        """How many memories the level at `place` has at work."""
        total = 1.0
        for (axis, _, _), share in zip(self.mapping.spatial, self.shares, strict=True):
            if self.reach(operand, axis) > place:
                total *= share
        return round(round(total, 3))

    def partial(self, place: int) -> bool:
        """Whether what passes above the outputs' level at `place` is still to be added to."""
        uses = self.nest.uses(OUTPUTS)
        below = self.below(OUTPUTS, place)
        if any(i not in uses and count > 1 for i, count in self.mapping.temporal[below:]):
            return True
        return any(
            self.reach(OUTPUTS, axis) > place and loop not in uses and share > 1
            for (axis, loop, _), share in zip(self.mapping.spatial, self.shares, strict=True)
        )

    def movements(self) -> tuple[Movement, ...]:
        """Every flow of every operand at every level that it uses."""
        found: list[Movement] = []
        for operand, levels in enumerate(self.mapping.levels):
            for place in range(len(levels)):
                found += self._at(operand, place, place == len(levels) - 1)
        return tuple(found)

    def _at(self, operand: int, place: int, last: bool) -> list[Movement]:
        inner = self.tile(operand, place - 1) * round(self.members(operand, place, apart=True))
        outer = self.tile(operand, place)
        towards = (inner, self.cycles(operand, place - 1))
        away = (outer, self.cycles(operand, place))
        bits = (self.array.input_bits, self.array.weight_bits)
        moved: list[tuple[str, tuple[float, int], int]] = []
        if operand != OUTPUTS:
            moved.append(("feed", towards, bits[operand]))
            if not last:
                moved.append(("fill", away, bits[operand]))
        else:
            wide, narrow = self.array.sum_bits, self.array.output_bits
            again = self.partial(place - 1)
            moved.append(("update", towards, wide if again else narrow))
            if again:
                moved.append(("feed", towards, wide))
            if not last:
                again = self.partial(place)
                moved.append(("drain", away, wide if again else narrow))
                if again:
                    moved.append(("fill", away, wide))
        total, instances = self.mapping.cycles, self.instances(operand, place)
        return [
            Movement(operand, place, flow, elements, width, period, total // period, instances)
            for flow, (elements, period), width in moved
        ]


def whole_words(placed: Placed, moved: Movement) -> int:
    """Words that a flow takes in all: pieces are whole in every period, words over all of them.

    Where a sum starts from nothing, its first reading is left out unless the array makes it.
    """
    level = placed.array.levels[placed.mapping.levels[moved.operand][moved.place]]
    pieces = math.ceil(moved.elements * moved.bits / level.access_bits - 1e-9)
    words = pieces * (level.access_bits / level.word_bits) * moved.times * moved.instances
    if moved.operand == OUTPUTS and moved.flow in ("feed", "fill"):
        words *= _share_read(placed, moved)
    return int(words + 1e-6)


def _share_read(placed: Placed, moved: Movement) -> float:
    """The share of partial sums that are read: all but the first of each element."""
    if placed.array.reads_first_sum:
        return 1.0
    elements = placed.nest.elements(OUTPUTS, [float(s) for s in placed.nest.sizes])
    passed = moved.elements * moved.times * moved.instances
    return (passed - elements) / passed if passed > elements else 0.0


def parts(placed: Placed) -> tuple[Part, ...]:
    """Energy of every flow. A memory whose energy is unknown counts 0 (`known` tells)."""
    found: list[Part] = []
    for moved in placed.movements():
        level = placed.array.levels[placed.mapping.levels[moved.operand][moved.place]]
        memory = placed.machine.memory(level.memory)
        words = whole_words(placed, moved)
        rate = memory.read_joules_per_byte if moved.flow in READS else memory.write_joules_per_byte
        bits = words * level.word_bits
        found.append(
            Part(
                OPERANDS[moved.operand], level.memory, moved.flow, words, bits,
                (rate or 0.0) * bits / 8,
            )
        )  # fmt: skip
    return tuple(found)


def known(machine: Machine, unit: Unit) -> bool:
    """Whether the energy of arithmetic and of every memory of the array is known."""
    assert unit.array is not None
    memories = [machine.memory(level.memory) for level in unit.array.levels]
    return bool(unit.energy_joules_per_operation) and all(
        m.read_joules_per_byte is not None and m.write_joules_per_byte is not None for m in memories
    )


__all__ = ["FLOWS", "Movement", "Part", "Placed", "known", "parts", "whole_words"]
