"""Evaluate a cascade of einsums as it is written: the oracle of the einsums themselves.

Every loop nest is laid out as one grid, so this is for small sizes only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from netwright.errors import GraphError
from netwright.graph.extent import resolve
from netwright.graph.op import Access, Einsum
from netwright.graph.ops.elementwise import BINARY_CODES, operate
from netwright.graph.ops.function import FUNCTION_CODES, Function, apply

Array: TypeAlias = NDArray[Any]

_NEUTRAL = {"add": 0.0, "max": -np.inf, "min": np.inf, "mul": 1.0}
_REDUCE: dict[str, Any] = {"add": np.add, "max": np.maximum, "min": np.minimum, "mul": np.multiply}


def evaluate(
    cascade: Sequence[Einsum],
    operands: Mapping[int, Array],
    shapes: Mapping[int, tuple[int, ...]],
    symbols: Mapping[str, int],
) -> dict[int, Array]:
    """Run the cascade on `operands` (by operand index) and return every value it wrote.

    `shapes` are those of the outputs. An intermediate takes the shape that its first einsum spans.
    Einsums that carry a loop are run step by step, together with all that stand over that loop.

    Raises:
        GraphError: a map or reduction has no plain numpy meaning here ("top", "where", ...).
    """
    values: dict[int, Array] = {i: np.asarray(a, dtype=np.float64) for i, a in operands.items()}
    sizes = [{n: resolve(e, symbols) for n, e in einsum.loops} for einsum in cascade]
    for einsum, loops in zip(cascade, sizes, strict=True):
        target = einsum.output.operand
        if target not in values:
            shape = shapes[target] if target in shapes else _span(einsum.output, loops)
            values[target] = np.full(shape, _NEUTRAL.get(einsum.reduce, 0.0))
    position = 0
    while position < len(cascade):
        carried = [n for e in cascade[position:] for n in e.carry]
        if carried and carried[0] in sizes[position]:
            end = position
            while end < len(cascade) and carried[0] in sizes[end]:
                end += 1
            for step in range(sizes[position][carried[0]]):
                for e, loops in zip(cascade[position:end], sizes[position:end], strict=True):
                    _run(e, loops, values, symbols, {carried[0]: step})
            position = end
        else:
            _run(cascade[position], sizes[position], values, symbols, {})
            position += 1
    return values


def _span(access: Access, loops: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(
        p.offset + 1 + sum(c * (loops[n] - 1) for n, c in p.terms if c > 0)
        for p in access.projections
    )


def _places(
    access: Access, grid: Mapping[str, Array], shape: tuple[int, ...]
) -> tuple[list[Array], Array]:
    """Indices of every dim over the grid, and where they are all inside."""
    places: list[Array] = []
    inside = np.asarray(True)
    for projection, size in zip(access.projections, shape, strict=True):
        place: Array = np.asarray(projection.offset)
        for name, coefficient in projection.terms:
            place = place + coefficient * grid[name]
        inside = inside & (place >= 0) & (place < size)
        places.append(np.clip(place, 0, max(size - 1, 0)))
    return places, inside


def _run(
    einsum: Einsum,
    loops: Mapping[str, int],
    values: dict[int, Array],
    symbols: Mapping[str, int],
    fixed: Mapping[str, int],
) -> None:
    """One einsum over its whole grid, or over the part where some loops are fixed."""
    free = [n for n in loops if n not in fixed]
    axes = np.indices([loops[n] for n in free], sparse=True)
    grid: dict[str, Array] = {
        **dict(zip(free, axes, strict=True)),
        **{n: np.asarray(v) for n, v in fixed.items()},
    }
    shape = tuple(loops[n] for n in free)
    neutral = _NEUTRAL.get(einsum.reduce, 0.0)
    read: list[Array] = []
    for source in einsum.inputs:
        array = values[source.operand]
        places, inside = _places(source, grid, array.shape)
        read.append(np.broadcast_to(np.where(inside, array[tuple(places)], neutral), shape))
    mapped = np.broadcast_to(_map(einsum, read, grid, symbols), shape).astype(np.float64)
    output = values[einsum.output.operand]
    places, inside = _places(einsum.output, grid, output.shape)
    if einsum.reduce not in _REDUCE:
        raise GraphError(f"reduce {einsum.reduce!r} has no plain evaluation; use the reference")
    seen = np.broadcast_to(inside, shape).reshape(-1)
    where: Array = np.zeros(shape, dtype=np.int64)
    for place, size in zip(places, output.shape, strict=True):
        where = where * size + place
    target = where.reshape(-1)[seen]
    start = np.full(output.size, neutral)
    _REDUCE[einsum.reduce].at(start, target, mapped.reshape(-1)[seen])
    output.reshape(-1)[target] = start[target]


def _map(
    einsum: Einsum, read: Sequence[Array], grid: Mapping[str, Array], symbols: Mapping[str, int]
) -> Array:
    given = [p if isinstance(p, float) else float(resolve(p, symbols)) for p in einsum.parameters]
    if einsum.map == "index":
        return next(iter(grid.values()))
    if einsum.map == "div_by":
        return read[0] / np.prod(given)
    if einsum.map in BINARY_CODES and len(read) > 1:
        result = read[0]
        for other in read[1:]:
            result = operate(einsum.map, result, other)
        return result
    if einsum.map in FUNCTION_CODES and len(read) == 1:
        alpha, beta = (*given, 0.0, 0.0)[:2]
        return apply(Function(einsum.map, alpha, beta), read[0])
    raise GraphError(f"map {einsum.map!r} of {len(read)} operands has no plain evaluation")
