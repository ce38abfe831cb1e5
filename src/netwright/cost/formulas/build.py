"""Small builders that every family's formulas share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from netwright.cost.work import Traffic, TrafficKind, View, Work
from netwright.errors import ProgramError

Views: TypeAlias = Sequence[View | None]
Parameters: TypeAlias = Sequence[float]
Formula: TypeAlias = Callable[[str, Views, Parameters], Work]

# Operations of one scalar function in fp32. Polynomial forms of exp and its kin take 8 to 16
# multiplies and adds; 10 is used.
FUNCTION_OPERATIONS = 10.0
# The plain ones, by their code (order of graph/ops/function.py's docstring): identity, relu, clip,
# leaky_relu, hard_sigmoid, hard_swish, sqrt, abs, neg, floor, ceil, round, square, sign, scale,
# scaled_hard_swish.
PLAIN_OPERATIONS = {
    0: 0.0, 1: 1.0, 2: 2.0, 3: 2.0, 7: 4.0, 8: 5.0, 15: 1.0, 18: 1.0, 19: 1.0, 20: 1.0, 21: 1.0,
    22: 1.0, 28: 1.0, 29: 1.0, 32: 2.0, 33: 7.0,
}  # fmt: skip


def need(opcode: str, operands: Views, index: int) -> View:
    """The operand at this place.

    Raises:
        ProgramError: it is absent.
    """
    found = operands[index] if index < len(operands) else None
    if found is None:
        raise ProgramError(
            f"{opcode}: operand {index} is absent, and its cost cannot be told without it; "
            f"native/vm/opcodes.md lists the operands"
        )
    return found


def optional(operands: Views, index: int) -> View | None:
    """The operand at this place, or None."""
    return operands[index] if index < len(operands) else None


def parameter(opcode: str, parameters: Parameters, index: int) -> float:
    """The parameter at this place.

    Raises:
        ProgramError: there are too few.
    """
    if index >= len(parameters):
        raise ProgramError(
            f"{opcode}: parameter {index} is missing (got {len(parameters)}); "
            f"native/vm/opcodes.md lists the parameters"
        )
    return parameters[index]


def size(*operands: View | None) -> int:
    """Bytes of the operands that are there."""
    return sum(o.num_bytes for o in operands if o is not None)


def function_operations(code: float, elements: int) -> float:
    """Operations of a scalar function on so many elements."""
    return elements * PLAIN_OPERATIONS.get(int(code), FUNCTION_OPERATIONS)


def plain(
    opcode: str,
    variant: str,
    sizes: tuple[float, ...],
    operations: float,
    read: int,
    written: int,
    arithmetic: str = "fp32",
) -> Work:
    """Work that touches activations only."""
    return Work(
        opcode,
        variant,
        sizes,
        ((arithmetic, float(operations)),) if operations else (),
        (Traffic(TrafficKind.ACTIVATIONS, read, written),),
        read + written,
    )


def weighted(
    opcode: str,
    variant: str,
    sizes: tuple[int, ...],
    operations: tuple[tuple[str, float], ...],
    weights: int,
    read: int,
    written: int,
) -> Work:
    """Work that also reads weights."""
    return Work(
        opcode,
        variant,
        sizes,
        tuple((a, n) for a, n in operations if n),
        (
            Traffic(TrafficKind.WEIGHTS, weights),
            Traffic(TrafficKind.ACTIVATIONS, read, written),
        ),
        weights + read + written,
    )
