"""What a reference function is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, final

from numpy.typing import NDArray

from netwright.errors import ProgramError
from netwright.graph.ops.function import FUNCTION_CODES, Function, apply

Array: TypeAlias = NDArray[Any]
FUNCTION_NAMES = tuple(FUNCTION_CODES)


@final
@dataclass(frozen=True, slots=True)
class Call:
    """One task at known symbols.

    `shapes` are those of the written operands (None: absent). `arrays` are the operands that are
    read, in order; those of an opcode that works in place begin with the written one.
    """

    shapes: tuple[tuple[int, ...] | None, ...]
    arrays: tuple[Array | None, ...]
    parameters: tuple[int | float, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the first written operand.

        Raises:
            ProgramError: it is absent.
        """
        found = self.shapes[0]
        if found is None:
            raise ProgramError("written operand 0 is absent")
        return found

    def given(self, index: int) -> Array:
        """An operand that must be there.

        Raises:
            ProgramError: it is absent.
        """
        found = self.optional(index)
        if found is None:
            raise ProgramError(f"operand {index} of those that are read is absent")
        return found

    def optional(self, index: int) -> Array | None:
        """An operand that may be absent."""
        return self.arrays[index] if index < len(self.arrays) else None

    def whole(self, index: int) -> int:
        """An integer parameter."""
        return int(self.parameters[index])

    def pair(self, index: int) -> tuple[int, int]:
        """Two integer parameters, for height and width."""
        return self.whole(index), self.whole(index + 1)

    def real(self, index: int) -> float:
        """A real parameter."""
        return float(self.parameters[index])

    def function(self, index: int) -> Function:
        """The fused function whose code is parameter `index`.

        Raises:
            ProgramError: there is no such function.
        """
        code = self.whole(index)
        if not 0 <= code < len(FUNCTION_NAMES):
            raise ProgramError(f"no function has code {code}")
        return Function(FUNCTION_NAMES[code], self.real(index + 1), self.real(index + 2))

    def finish(self, product: Array, bias: int, residual: int, function: int) -> Array:
        """f(product + bias + residual), bias along the last dim."""
        for index in (bias, residual):
            added = self.optional(index)
            if added is not None:
                product = product + added
        return apply(self.function(function), product)
