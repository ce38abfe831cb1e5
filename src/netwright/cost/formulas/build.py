"""Small builders that every family's formulas share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from netwright.cost.work import Traffic, TrafficKind, View, Work
from netwright.errors import ProgramError

Views: TypeAlias = Sequence[View | None]
Parameters: TypeAlias = Sequence[float]
Formula: TypeAlias = Callable[[str, Views, Parameters], Work]

# Operations of one scalar function in fp32: order of graph/ops/function.py's docstring is the
# code. Polynomial forms of exp and its kin take 8 to 16 multiplies and adds; 10 is used.
FUNCTION_OPERATIONS = 10.0


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
    """Operations of a fused function: none for identity (0), one for relu (1), else ten."""
    return elements * (0.0 if code == 0 else 1.0 if code == 1 else FUNCTION_OPERATIONS)


def plain(
    opcode: str,
    variant: str,
    sizes: tuple[int, ...],
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
