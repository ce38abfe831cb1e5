"""Writing cascades of einsums briefly: accesses, loops, and the scalar map that ends a kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from netwright.graph.extent import Extent
from netwright.graph.op import Access, Einsum, Projection
from netwright.graph.ops.function import Function

Index: TypeAlias = str | int | Projection
Loops: TypeAlias = tuple[tuple[str, Extent], ...]


def access(operand: int, indices: Sequence[Index]) -> Access:
    """One operand: a loop name indexes by that loop, a number is a fixed position."""
    return Access(operand, tuple(_projection(i) for i in indices))


def _projection(index: Index) -> Projection:
    if isinstance(index, str):
        return Projection(((index, 1),))
    return Projection((), index) if isinstance(index, int) else index


def names(rank: int, prefix: str = "d") -> tuple[str, ...]:
    """`d0, d1, ...`: loop names of a tensor whose dims play no special part."""
    return tuple(f"{prefix}{i}" for i in range(rank))


def loops(dims: Sequence[str], shape: Sequence[Extent]) -> Loops:
    """Pair loop names with sizes."""
    return tuple(zip(dims, shape, strict=True))


def broadcast_access(operand: int, shape: Sequence[Extent], dims: Sequence[str]) -> Access:
    """An operand that broadcasts to loops `dims` as numpy does (aligned at the end)."""
    used = dims[len(dims) - len(shape) :]
    return access(operand, [0 if size == 1 else d for size, d in zip(shape, used, strict=True)])


def pointwise(
    over: Loops, function: Function, source: Access, output: Access
) -> tuple[Einsum, ...]:
    """`output = function(source)`, always one einsum (identity is a copy)."""
    parameters = (function.alpha, function.beta) if function.has_parameters else ()
    return (Einsum(over, (source,), output, function.name, parameters=parameters),)


def finish(
    over: Loops,
    dims: Sequence[Index],
    accumulated: Sequence[Access],
    function: Function,
    output: int,
) -> tuple[Einsum, ...]:
    """The epilogue `output = function(sum(accumulated))` over all of `over`.

    The first of `accumulated` is the intermediate -1; the sum, when there is one, is -2.
    """
    if len(accumulated) == 1:
        return pointwise(over, function, accumulated[0], access(output, dims))
    plain = function.name == "identity"
    total = access(output if plain else -2, dims)
    result: tuple[Einsum, ...] = (Einsum(over, tuple(accumulated), total, "add"),)
    return result if plain else result + pointwise(over, function, total, access(output, dims))
