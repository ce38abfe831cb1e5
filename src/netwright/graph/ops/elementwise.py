"""Elementwise operators, numpy broadcasting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.graph.op import Einsum, OpKind, TensorType
from netwright.graph.ops.cascade import access, broadcast_access, loops, names, pointwise
from netwright.graph.ops.function import IDENTITY, Function, apply, function_element
from netwright.graph.ops.quantise import FakeQuantise
from netwright.graph.ops.shape import broadcast, count, fail, operand

__all__ = ["BINARY_CODES", "Binary", "Cast", "FakeQuantise", "Glu", "Unary", "Where", "operate"]

Array: TypeAlias = NDArray[Any]


def _power(a: Array, b: Array) -> Array:
    if np.issubdtype(a.dtype, np.integer):
        return np.power(a.astype(np.float64), b).astype(np.int64)
    return np.power(a, b)


def _divide(a: Array, b: Array) -> Array:
    if not np.issubdtype(a.dtype, np.integer):
        return a / b
    quotient = np.abs(a) // np.where(b == 0, 1, np.abs(b))
    return np.where((a < 0) != (b < 0), -quotient, quotient)


def _modulo(a: Array, b: Array) -> Array:
    return np.mod(a, b) if np.issubdtype(a.dtype, np.integer) else np.fmod(a, b)


# In docstring order: an operator's place here is its code in a program's records.
_OPERATORS: dict[str, Callable[[Array, Array], Array]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": _divide,
    "pow": _power,
    "max": np.maximum,
    "min": np.minimum,
    "mod": _modulo,
    "equal": np.equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "and": np.logical_and,
    "or": np.logical_or,
    "xor": np.logical_xor,
}

BINARY_CODES: dict[str, int] = {name: code for code, name in enumerate(_OPERATORS)}
_COMPARISONS = frozenset(("equal", "less", "less_equal", "greater", "greater_equal"))
_LOGICAL = frozenset(("and", "or", "xor"))


def operate(operator: str, a: Array, b: Array) -> Array:
    """One binary operator with numpy broadcasting, classes as they are."""
    with np.errstate(all="ignore"):
        return _OPERATORS[operator](a, b)


@final
@dataclass(frozen=True, slots=True)
class Unary(OpKind):
    """y = function(x)."""

    function: Function

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 1, 1)
        x = operand(self, types, 0, "x")
        return (TensorType(x.shape, function_element(self.function, x.element)),)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        dims = names(len(outputs[0].shape))
        over = loops(dims, outputs[0].shape)
        return pointwise(over, self.function, access(0, dims), access(1, dims))

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        x = arrays[0]
        assert x is not None
        return (apply(self.function, x),)


@final
@dataclass(frozen=True, slots=True)
class Binary(OpKind):
    """y = f(operator(a, b)).

    operator: add sub mul div pow max min mod equal less less_equal greater greater_equal and or
    xor. On integers div rounds towards zero and mod has the sign of b; on floats mod has that of a
    (ONNX Mod with fmod=1). Comparisons give bool. `pow` takes an integer exponent of a float.
    """

    operator: str
    function: Function = IDENTITY

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 2, 2)
        a, b = operand(self, types, 0, "a"), operand(self, types, 1, "b")
        if self.operator not in _OPERATORS:
            fail(self, f"operator {self.operator!r} is unknown; expected {' '.join(_OPERATORS)}")
        power = self.operator == "pow" and (a.element, b.element) == ("float", "int")
        if a.element != b.element and not power:
            fail(self, f"{self.operator} of {a.element} and {b.element}; cast one of them first")
        logical = self.operator in _LOGICAL
        comparable = self.operator == "equal"
        if (a.element == "bool") != logical and not comparable:
            fail(self, f"{self.operator} got {a.element} elements; cast them first")
        element = "bool" if self.operator in _COMPARISONS else a.element
        shape = broadcast(self, a.shape, b.shape)
        return (TensorType(shape, function_element(self.function, element)),)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        a, b = operand(self, types, 0, "a"), operand(self, types, 1, "b")
        dims = names(len(outputs[0].shape))
        over = loops(dims, outputs[0].shape)
        sources = (broadcast_access(0, a.shape, dims), broadcast_access(1, b.shape, dims))
        plain = self.function == IDENTITY
        first = access(2 if plain else -1, dims)
        combined = (Einsum(over, sources, first, self.operator),)
        return (
            combined if plain else combined + pointwise(over, self.function, first, access(2, dims))
        )

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        a, b = arrays
        assert a is not None
        assert b is not None
        return (apply(self.function, operate(self.operator, a, b)),)


@final
@dataclass(frozen=True, slots=True)
class Glu(OpKind):
    """y = function(gate) * up. Inputs: gate, up."""

    function: Function

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 2, 2)
        gate, up = operand(self, types, 0, "gate", "float"), operand(self, types, 1, "up", "float")
        function_element(self.function, gate.element)
        return (TensorType(broadcast(self, gate.shape, up.shape)),)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        gate, up = operand(self, types, 0, "gate"), operand(self, types, 1, "up")
        dims = names(len(outputs[0].shape))
        over = loops(dims, outputs[0].shape)
        active = access(-1, dims)
        first = pointwise(over, self.function, broadcast_access(0, gate.shape, dims), active)
        gated = Einsum(over, (active, broadcast_access(1, up.shape, dims)), access(2, dims))
        return (*first, gated)

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        gate, up = arrays
        assert gate is not None
        assert up is not None
        return (apply(self.function, gate) * up,)


@final
@dataclass(frozen=True, slots=True)
class Where(OpKind):
    """Inputs: condition (bool), a, b."""

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 3, 3)
        condition = operand(self, types, 0, "condition", "bool")
        a = operand(self, types, 1, "a")
        b = operand(self, types, 2, "b", a.element)
        return (TensorType(broadcast(self, condition.shape, a.shape, b.shape), a.element),)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        dims = names(len(outputs[0].shape))
        over = loops(dims, outputs[0].shape)
        present = [operand(self, types, i, "operand") for i in range(3)]
        sources = tuple(broadcast_access(i, t.shape, dims) for i, t in enumerate(present))
        return (Einsum(over, sources, access(3, dims), "where"),)

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        condition, a, b = arrays
        assert condition is not None
        assert a is not None
        assert b is not None
        return (np.where(condition, a, b),)


_CLASSES: dict[str, type[np.float64 | np.int64 | np.bool_]] = {
    "float": np.float64,
    "int": np.int64,
    "bool": np.bool_,
}


@final
@dataclass(frozen=True, slots=True)
class Cast(OpKind):
    """To element class "float", "int" or "bool"; float to int rounds towards zero."""

    element: str

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 1, 1)
        if self.element not in _CLASSES:
            fail(self, f"element {self.element!r} is unknown; expected float, int or bool")
        return (TensorType(operand(self, types, 0, "x").shape, self.element),)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return ()

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        x = arrays[0]
        assert x is not None
        with np.errstate(all="ignore"):
            return (x.astype(_CLASSES[self.element]),)
