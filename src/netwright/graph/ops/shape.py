"""Shape rules that operator kinds share: operands, axes, broadcasting, element counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn, TypeAlias

from netwright.errors import GraphError
from netwright.graph.extent import Affine, Extent, resolve
from netwright.graph.op import OpKind, TensorType

Shape: TypeAlias = tuple[Extent, ...]


def fail(kind: OpKind, message: str) -> NoReturn:
    """Raise a GraphError that says which kind complains."""
    raise GraphError(f"{type(kind).__name__}: {message}")


def text(shape: Shape) -> str:
    """`[n_tokens, 576]`."""
    return "[" + ", ".join(str(e) for e in shape) + "]"


def count(kind: OpKind, types: Sequence[TensorType | None], least: int, most: int) -> None:
    """Check the number of operands; optional ones may be left out at the end."""
    if not least <= len(types) <= most:
        span = str(least) if least == most else f"{least} to {most}"
        fail(kind, f"got {len(types)} inputs, expected {span}")


def operand(
    kind: OpKind, types: Sequence[TensorType | None], index: int, name: str, element: str = ""
) -> TensorType:
    """The required operand `index`, of class `element` where one is named."""
    found = types[index] if index < len(types) else None
    if found is None:
        fail(kind, f"input {index} ({name}) is absent; it is required")
    if element and found.element != element:
        fail(kind, f"input {index} ({name}) is {found.element}, expected {element}; cast it first")
    return found


def optional(types: Sequence[TensorType | None], index: int) -> TensorType | None:
    """The optional operand `index`, or None."""
    return types[index] if index < len(types) else None


def axis_index(kind: OpKind, axis: int, rank: int) -> int:
    """`axis` counted from 0; negative ones count from the end."""
    if not -rank <= axis < rank:
        fail(kind, f"axis {axis} is outside a tensor of rank {rank}; use {-rank}..{rank - 1}")
    return axis % rank


def rank_at_least(kind: OpKind, kind_input: TensorType, rank: int, name: str) -> None:
    """Check the rank of one operand."""
    if len(kind_input.shape) < rank:
        got = text(kind_input.shape)
        fail(kind, f"{name} has shape {got}, expected at least {rank} dims")


def expect(kind: OpKind, name: str, got: Shape, expected: Shape) -> None:
    """Check that an operand has exactly this shape."""
    if got != expected:
        fail(kind, f"{name} has shape {text(got)}, expected {text(expected)}")


def broadcast(kind: OpKind, *shapes: Shape) -> Shape:
    """The numpy broadcast of the shapes; symbolic sizes are equal only to themselves."""
    rank = max((len(s) for s in shapes), default=0)
    result: list[Extent] = []
    for dim in range(-rank, 0):
        size: Extent = 1
        for shape in shapes:
            other = shape[dim] if -dim <= len(shape) else 1
            if size == 1:
                size = other
            elif other not in (1, size):
                fail(kind, f"shapes {', '.join(text(s) for s in shapes)} do not broadcast")
        result.append(size)
    return tuple(result)


def broadcasts_to(kind: OpKind, name: str, shape: Shape, target: Shape) -> None:
    """Check that one operand broadcasts to the shape of the output without growing it."""
    if len(shape) > len(target) or broadcast(kind, shape, target) != target:
        fail(kind, f"{name} has shape {text(shape)}, which does not broadcast to {text(target)}")


def same_count(a: Shape, b: Shape) -> bool:
    """Whether two shapes hold equally many elements for every value of their symbols.

    Counts are polynomials of the symbols; they are compared at large co-prime points.
    """
    names = sorted({s for e in (*a, *b) if isinstance(e, Affine) for s, _ in e.terms})
    points = (10007, 1000003, 100000007) if names else (1,)
    for point in points:
        values = {name: point + 210 * i for i, name in enumerate(names)}
        totals: list[int] = []
        for shape in (a, b):
            total = 1
            for extent in shape:
                total *= resolve(extent, values)
            totals.append(total)
        if totals[0] != totals[1]:
            return False
    return True


def floor_divide(kind: OpKind, extent: Extent, divisor: int) -> Extent:
    """`extent // divisor`; a symbolic extent must divide exactly."""
    if isinstance(extent, int):
        return extent // divisor
    parts = (extent.constant, *(c for _, c in extent.terms))
    if any(p % divisor for p in parts):
        fail(kind, f"{extent} // {divisor} is not affine; bind the symbols first")
    return Affine(extent.constant // divisor, tuple((s, c // divisor) for s, c in extent.terms))


def number(kind: OpKind, extent: Extent) -> int:
    """An attribute as a plain number; raises GraphError while it still holds symbols."""
    if isinstance(extent, int):
        return extent
    fail(kind, f"{extent} is symbolic; bind the symbols (graph.bind) before evaluating")
