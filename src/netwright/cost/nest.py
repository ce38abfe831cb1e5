"""Nest: a sum of products of two operands as bare loops, and a mapping of it onto an array."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from netwright.graph.extent import Extent, resolve
from netwright.graph.op import Access, Einsum


@final
@dataclass(frozen=True, slots=True)
class TensorDim:
    """One dim of an operand: indexed by `sum(coefficient * loop)`; at most `extent` positions."""

    terms: tuple[tuple[int, int], ...]  # (loop, coefficient)
    extent: int

    @property
    def is_plain(self) -> bool:
        """Whether it is one loop, position by position."""
        return len(self.terms) == 1 and self.terms[0][1] == 1

    def size(self, tile: Sequence[float]) -> int:
        """Positions that a tile of the loops touches (ZigZag's count for two loops)."""
        if not self.terms:
            return 1
        (first, step), *rest = self.terms
        if not rest:
            return min(self.extent, int(tile[first] + 1e-9))
        (second, stride), *_ = rest
        count, taps = int(tile[first] + 1e-9), int(tile[second] + 1e-9)
        common = math.gcd(step, stride)
        shared = max(0, taps - step // common) * (count - stride // common)
        return min(self.extent, count * taps - shared)


@final
@dataclass(frozen=True, slots=True)
class Nest:
    """`outputs[..] += inputs[..] * weights[..]` over loops of these sizes, once for every group."""

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    operands: tuple[tuple[TensorDim, ...], ...]  # inputs, weights, outputs

    @property
    def macs(self) -> int:
        """Products that are summed."""
        return math.prod(self.sizes)

    def uses(self, operand: int) -> frozenset[int]:
        """The loops that index an operand."""
        return frozenset(loop for dim in self.operands[operand] for loop, _ in dim.terms)

    def alone(self, operand: int) -> frozenset[int]:
        """Those of them that are a dim of it position by position."""
        return frozenset(d.terms[0][0] for d in self.operands[operand] if d.is_plain)

    def elements(self, operand: int, tile: Sequence[float]) -> float:
        """Distinct elements that a tile of the loops touches. A loop that is unrolled over more
        members than it has turns makes fractions; windows of such tiles are rounded down."""
        total = 1.0
        for dim in self.operands[operand]:
            total *= tile[dim.terms[0][0]] if dim.is_plain else dim.size(tile)
        return total

    def dim_class(self, loop: int) -> str:
        """One of `DIM_CLASSES`."""
        inputs, weights, outputs = (loop in self.uses(i) for i in range(3))
        if outputs:
            return "groups" if inputs and weights else "units" if weights else "places"
        return "channels" if loop in self.alone(0) else "kernel"

    def swapped(self) -> Nest:
        """The same with the two factors in each other's place."""
        first, second, result = self.operands
        return Nest(self.names, self.sizes, (second, first, result))


@final
@dataclass(frozen=True, slots=True)
class Mapping:
    """Which loops run where. Loops are indices into a nest.

    `spatial`: (axis, loop, unrolled); the last of a loop's unrolled factors may be more than is
    left, then its members idle now and then. `temporal`: (loop, count), innermost first.
    `levels`: for each operand the array's levels that hold it, innermost first; `cuts`: for each of
    these but the last, how many temporal loops lie below the next one.
    """

    spatial: tuple[tuple[int, int, int], ...]
    temporal: tuple[tuple[int, int], ...]
    levels: tuple[tuple[int, ...], ...]
    cuts: tuple[tuple[int, ...], ...]

    @property
    def cycles(self) -> int:
        """Steps of the temporal loops."""
        return math.prod(count for _, count in self.temporal)

    def shares(self, nest: Nest) -> tuple[float, ...]:
        """The mean number of members at work for every spatial loop."""
        left = [size / _count(self.temporal, i) for i, size in enumerate(nest.sizes)]
        last = {loop: place for place, (_, loop, _) in enumerate(self.spatial)}
        shares: list[float] = []
        for place, (_, loop, unrolled) in enumerate(self.spatial):
            share = left[loop] if last[loop] == place else float(unrolled)
            left[loop] /= share
            shares.append(share)
        return tuple(shares)


def _count(temporal: Sequence[tuple[int, int]], loop: int) -> int:
    return math.prod(count for which, count in temporal if which == loop)


def nest_of(einsum: Einsum, shapes: Sequence[Sequence[Extent] | None]) -> Nest | None:
    """The nest of a sum of products of two; None for any other einsum.

    `shapes` are those of the operator's operands (inputs, then outputs): positions beyond them are
    padding and are not moved. Loops of one iteration are left out.
    """
    product = einsum.map == "mul" and einsum.reduce == "add" and len(einsum.inputs) == 2
    if not product or einsum.carry:
        return None
    sizes = {name: resolve(size, {}) for name, size in einsum.loops}
    names = tuple(name for name, size in sizes.items() if size > 1)
    index = {name: i for i, name in enumerate(names)}
    accesses = (*einsum.inputs, einsum.output)
    operands = tuple(_dims(a, index, sizes, _shape(a, shapes)) for a in accesses)
    if any(len(d.terms) > 2 for dims in operands for d in dims):
        return None
    kept = {loop for dim in operands[2] for loop, _ in dim.terms}
    if len(kept) == len(names) and names:
        return None  # nothing is summed
    return Nest(names, tuple(sizes[name] for name in names), operands)


def _shape(access: Access, shapes: Sequence[Sequence[Extent] | None]) -> Sequence[Extent] | None:
    return shapes[access.operand] if 0 <= access.operand < len(shapes) else None


def _dims(
    access: Access,
    index: dict[str, int],
    sizes: dict[str, int],
    shape: Sequence[Extent] | None,
) -> tuple[TensorDim, ...]:
    dims: list[TensorDim] = []
    for place, projection in enumerate(access.projections):
        terms = [(index[n], c) for n, c in projection.terms if n in index]
        by_loop = {index[n]: sizes[n] for n, _ in projection.terms if n in index}
        if _is_mixed_radix(terms, by_loop):
            dims += [TensorDim(((loop, 1),), by_loop[loop]) for loop, _ in terms]
            continue
        reach = sum((by_loop[loop] - 1) * step for loop, step in terms) + 1
        extent = reach if shape is None else min(reach, resolve(shape[place], {}))
        dims.append(TensorDim(tuple(terms), extent))
    return tuple(dims)


def _is_mixed_radix(terms: Sequence[tuple[int, int]], sizes: dict[int, int]) -> bool:
    """Whether every position is met once: `(g, 64), (c, 1)` with 64 of c."""
    step = 1
    for loop, coefficient in sorted(terms, key=lambda term: term[1]):
        if coefficient != step and len(terms) != 1:
            return False
        step *= sizes[loop]
    return True
