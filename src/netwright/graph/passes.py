"""How many passes a cascade of einsums makes over each of its inputs.

A pass over a rank (a loop) is one traversal of it from end to end. An einsum over a rank can run
in the pass in which its inputs along that rank are made; but a value that was reduced over the
rank is whole only after its pass, so who uses it along the same rank starts another. A carried
value (recurrence) is ready at every step, and starts none.
Source: TeAAL (Nayak et al., arXiv 2304.07931); FuseMax (Nayak et al., arXiv 2406.10491), part 3.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from netwright.graph.extent import resolve
from netwright.graph.op import Access, Einsum


@final
@dataclass(frozen=True, slots=True)
class Passes:
    """`ranks`: traversals of every loop; `operands`: of every operand, over its worst rank."""

    ranks: Mapping[str, int]
    operands: Mapping[int, int]


@final
@dataclass(frozen=True, slots=True)
class Crossing:
    """A value that a pass over a rank makes element by element and a later pass needs again.

    It is kept whole along the rank (`along` elements for one point of the other loops), or all
    `elements` of it go out and come back, or it is made again. An operand of the cascade is named
    by its index, as in `Access`.
    """

    rank: str
    operand: int
    made: int  # the pass that makes it, or first reads it
    needed: tuple[int, ...]
    along: int
    elements: int


def crossings(cascade: Sequence[Einsum]) -> tuple[Crossing, ...]:
    """What has to be kept, moved again or made again between the passes of a cascade.

    Of values that could be made again from each other element by element, the first is named.
    """
    found: list[Crossing] = []
    for name in sorted({name for einsum in cascade for name, _ in einsum.loops}):
        levels = _levels(cascade, name)
        if max(levels, default=0) < 2:
            continue
        made: dict[int, tuple[int, int, int]] = {}
        needed: dict[int, set[int]] = {}
        for einsum, level in zip(cascade, levels, strict=True):
            sizes = {loop: resolve(size, {}) for loop, size in einsum.loops}
            if not level:
                continue
            for access in einsum.inputs:
                if not _spans(access, name):
                    continue
                if access.operand >= 0:
                    made.setdefault(access.operand, (level, sizes[name], _volume(access, sizes)))
                if made.get(access.operand, (level,))[0] < level:
                    needed.setdefault(access.operand, set()).add(level)
            if _spans(einsum.output, name) and einsum.output.operand < 0:
                made[einsum.output.operand] = (level, sizes[name], _volume(einsum.output, sizes))
        for operand, later in sorted(needed.items()):
            level, along, elements = made[operand]
            found.append(Crossing(name, operand, level, tuple(sorted(later)), along, elements))
    return tuple(found)


def _volume(access: Access, sizes: Mapping[str, int]) -> int:
    names = {name for p in access.projections for name, _ in p.terms}
    return math.prod(sizes[name] for name in names)


def passes(cascade: Sequence[Einsum]) -> Passes:
    """Count the passes of a cascade, in the order in which it is written."""
    names = {name for einsum in cascade for name, _ in einsum.loops}
    schedules = {name: _levels(cascade, name) for name in sorted(names)}
    ranks = {name: max(levels, default=0) for name, levels in schedules.items()}
    operands = {a.operand for e in cascade for a in e.inputs if a.operand >= 0}
    counted: dict[int, int] = {}
    for operand in sorted(operands):
        most = [len(_visits(cascade, n, levels, operand)) for n, levels in schedules.items()]
        counted[operand] = max(1, *most) if most else 1
    return Passes(ranks, counted)


def _spans(access: Access, rank: str) -> bool:
    return any(name == rank for p in access.projections for name, _ in p.terms)


def _levels(cascade: Sequence[Einsum], rank: str) -> list[int]:
    """In which pass over the rank each einsum runs; 0 where it does not loop over it."""
    ready: dict[int, int] = {}  # value → the pass in which, or after which, it is known
    streams: dict[int, bool] = {}  # value → whether it is known element by element
    levels: list[int] = []
    for einsum in cascade:
        over = any(name == rank for name, _ in einsum.loops)
        level = 1 if over else 0
        for source in einsum.inputs:
            known = ready.get(source.operand, 0)
            if over and known and not (streams[source.operand] and _spans(source, rank)):
                known += 1
            level = max(level, known)
        levels.append(level if over else 0)
        target = einsum.output.operand
        # An output written in parts (slices) is as late as its latest part.
        ready[target] = max(level, ready.get(target, 0))
        streams[target] = over and _spans(einsum.output, rank)
    return levels


def _visits(cascade: Sequence[Einsum], rank: str, levels: list[int], operand: int) -> set[int]:
    """The passes over the rank that read the operand, or what it became element by element."""
    derived = {operand}
    seen: set[int] = set()
    for einsum, level in zip(cascade, levels, strict=True):
        if not level or not any(a.operand in derived and _spans(a, rank) for a in einsum.inputs):
            continue
        seen.add(level)
        if _spans(einsum.output, rank) and einsum.output.operand < 0:
            derived.add(einsum.output.operand)
    return seen
