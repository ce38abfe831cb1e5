"""How many passes a cascade of einsums makes over each of its inputs.

A pass over a rank (a loop) is one traversal of it from end to end. An einsum over a rank can run
in the pass in which its inputs along that rank are made; but a value that was reduced over the
rank is whole only after its pass, so who uses it along the same rank starts another. A carried
value (recurrence) is ready at every step, and starts none.
Source: TeAAL (Nayak et al., arXiv 2304.07931); FuseMax (Nayak et al., arXiv 2406.10491), part 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from netwright.graph.op import Access, Einsum


@final
@dataclass(frozen=True, slots=True)
class Passes:
    """`ranks`: traversals of every loop; `operands`: of every operand, over its worst rank."""

    ranks: Mapping[str, int]
    operands: Mapping[int, int]


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
