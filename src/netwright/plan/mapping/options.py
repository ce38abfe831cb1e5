"""Which loops could be unrolled over which axes, and which levels could hold which operand."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import TypeAlias

from netwright.cost.nest import Nest
from netwright.machine.array import OPERANDS, ArrayAxis, SpatialArray

Unrolling: TypeAlias = tuple[tuple[int, int, int], ...]  # (axis, loop, unrolled)
Paths: TypeAlias = tuple[tuple[int, ...], ...]

MOST_TOGETHER = 3  # loops that share one axis


def fewest_cycles(nest: Nest, array: SpatialArray) -> int:
    """Steps of the fastest unrolling; nothing on this array takes fewer."""
    most = nest.macs
    least = -(-most // array.size)
    while True:
        found = unrollings(nest, array, least)
        if found:
            return steps(nest, found[0])
        least = min(most, 2 * least)


def unrollings(nest: Nest, array: SpatialArray, cycles: int) -> tuple[Unrolling, ...]:
    """All ways of unrolling that take at most so many steps, those of fewest first.

    Of the factors that leave a loop the same number of turns, the least is taken. Loops that share
    an axis fill it as far as they can.
    """
    by_axis = [tuple(_of_axis(nest, axis, index)) for index, axis in enumerate(array.axes)]
    room = [math.prod(axis.size for axis in array.axes[i + 1 :]) for i in range(len(array.axes))]
    found: dict[Unrolling, int] = {}

    def extend(index: int, chosen: Unrolling, members: int) -> None:
        if index == len(by_axis):
            tightened = _tightened(nest, chosen)
            turns = steps(nest, tightened)
            if turns <= cycles:
                found[tightened] = turns
            return
        for option in by_axis[index]:
            more = members * math.prod(unrolled for _, _, unrolled in option)
            # Even if all other axes were full, so few members would take too long.
            if more * room[index] * cycles >= nest.macs:
                extend(index + 1, chosen + option, more)

    extend(0, (), 1)
    return tuple(one for _, one in sorted((turns, one) for one, turns in found.items()))


def _tightened(nest: Nest, unrolling: Unrolling) -> Unrolling:
    """The same turns of every loop with no more members than they need."""
    result: list[tuple[int, int, int]] = []
    for place, (axis, loop, unrolled) in enumerate(unrolling):
        later = [one for one in unrolling[place + 1 :] if one[1] == loop]
        if later:
            result.append((axis, loop, unrolled))
            continue
        before = math.prod(u for _, i, u in unrolling[:place] if i == loop)
        turns = -(-nest.sizes[loop] // (before * unrolled))
        least = -(-nest.sizes[loop] // (before * turns))
        if least > 1:
            result.append((axis, loop, least))
    return tuple(result)


def steps(nest: Nest, unrolling: Unrolling) -> int:
    """Turns of all loops that are left."""
    total = 1
    for loop, size in enumerate(nest.sizes):
        unrolled = math.prod(u for _, i, u in unrolling if i == loop)
        total *= -(-size // unrolled)
    return total


def _of_axis(nest: Nest, axis: ArrayAxis, index: int) -> Iterator[Unrolling]:
    yield ()
    loops = [i for i in range(len(nest.sizes)) if _may(nest, axis, i)]
    for loop in loops:
        for factor in _factors(nest.sizes[loop], axis.size):
            yield ((index, loop, factor),)
    for together in range(2, min(MOST_TOGETHER, len(loops)) + 1):
        for chosen in itertools.combinations(loops, together):
            yield from _filling(nest, axis.size, index, chosen)


def _may(nest: Nest, axis: ArrayAxis, loop: int) -> bool:
    if nest.dim_class(loop) not in axis.dims:
        return False
    return all(loop not in nest.uses(OPERANDS.index(operand)) for operand in axis.reuse)


def _factors(size: int, most: int) -> list[int]:
    """Factors above 1 and at most `most`, one for each number of turns."""
    found = {-(-size // -(-size // factor)) for factor in range(2, min(size, most) + 1)}
    return sorted(found)


def _filling(nest: Nest, size: int, index: int, loops: tuple[int, ...]) -> Iterator[Unrolling]:
    choices = [_factors(nest.sizes[loop], size // 2) for loop in loops]
    for factors in itertools.product(*choices):
        used = math.prod(factors)
        if used > size:
            continue
        grows = any(
            used // f * g <= size
            for f, options in zip(factors, choices, strict=True)
            for g in options
            if g > f
        )
        if not grows:
            yield tuple((index, loop, f) for loop, f in zip(loops, factors, strict=True))


def paths(array: SpatialArray) -> tuple[Paths, ...]:
    """Every choice of the levels that an operand passes by."""
    each: list[list[tuple[int, ...]]] = []
    for operand in OPERANDS:
        held = array.levels_of(operand)
        free = [i for i in held if operand in array.levels[i].optional]
        each.append(
            [
                tuple(i for i in held if i not in left_out)
                for count in range(len(free) + 1)
                for left_out in itertools.combinations(free, count)
            ]
        )
    return tuple(itertools.product(*each))
