"""Nest and mapping ↔ whole numbers, as a task's parameters hold them.

loops, sizes...; for inputs, weights, outputs: dims, and of each: terms, (loop, coefficient)...,
extent; whether a mapping follows; spatial loops, (axis, loop, unrolled)...; temporal loops,
(loop, count)...; for each operand: levels, level...; for each: cuts, cut...
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netwright.cost.nest import Mapping, Nest, TensorDim
from netwright.errors import ProgramError


def encode(nest: Nest, mapping: Mapping | None) -> tuple[int, ...]:
    """Names of loops are left out."""
    code = [len(nest.sizes), *nest.sizes]
    for operand in nest.operands:
        code.append(len(operand))
        for dim in operand:
            code.append(len(dim.terms))
            for loop, coefficient in dim.terms:
                code += [loop, coefficient]
            code.append(dim.extent)
    if mapping is None:
        return (*code, 0)
    code += [1, len(mapping.spatial)]
    for one in mapping.spatial:
        code += one
    code.append(len(mapping.temporal))
    for two in mapping.temporal:
        code += two
    for rows in (mapping.levels, mapping.cuts):
        for row in rows:
            code += [len(row), *row]
    return tuple(code)


def decode(code: Sequence[int]) -> tuple[Nest, Mapping | None]:
    """What `encode` made; loops are named by their numbers.

    Raises:
        ProgramError: the numbers are no nest.
    """
    numbers = iter(code)
    try:
        sizes = tuple(_take(numbers, next(numbers)))
        operands = tuple(tuple(_dim(numbers) for _ in range(next(numbers))) for _ in range(3))
        nest = Nest(tuple(f"l{i}" for i in range(len(sizes))), sizes, operands)
        return nest, _mapping(numbers) if next(numbers) else None
    except (StopIteration, RuntimeError, ValueError) as error:
        raise ProgramError(
            f"nest: {len(code)} parameters end within a loop nest; cost/nest_code.py says what "
            "they should be"
        ) from error


def _dim(numbers: Iterator[int]) -> TensorDim:
    terms = tuple((next(numbers), next(numbers)) for _ in range(next(numbers)))
    return TensorDim(terms, next(numbers))


def _mapping(numbers: Iterator[int]) -> Mapping:
    spatial = tuple((next(numbers), next(numbers), next(numbers)) for _ in range(next(numbers)))
    temporal = tuple((next(numbers), next(numbers)) for _ in range(next(numbers)))
    levels = tuple(tuple(_take(numbers, next(numbers))) for _ in range(3))
    cuts = tuple(tuple(_take(numbers, next(numbers))) for _ in range(3))
    return Mapping(spatial, temporal, levels, cuts)


def _take(numbers: Iterator[int], count: int) -> Iterator[int]:
    return (next(numbers) for _ in range(count))
