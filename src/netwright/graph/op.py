"""Op: one operator = a kind (its equation, attributes and reference) between tensors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.graph.extent import Extent
from netwright.graph.tensor import TensorId

Array: TypeAlias = NDArray[Any]


@final
@dataclass(frozen=True, slots=True)
class Projection:
    """How one dim of an operand is indexed by the loop dims: `sum(coefficient * loop) + offset`.

    `(("p", 2), ("r", 1))`, offset -1 is `2p + r - 1`: a strided convolution's input row.
    """

    terms: tuple[tuple[str, int], ...]
    offset: int = 0


@final
@dataclass(frozen=True, slots=True)
class Access:
    """One operand of an einsum: which of the op's operands, and one projection a dim.

    `operand` indexes the op's inputs followed by its outputs; a negative one names a value that
    only the cascade sees (-1 is its first intermediate, -2 its second, ...).
    """

    operand: int
    projections: tuple[Projection, ...]


@final
@dataclass(frozen=True, slots=True)
class Einsum:
    """One extended einsum: `output[...] = reduce_{loops not in output} map(inputs[...])`.

    `loops` are (name, size); `carry` names the loops along which the value depends on its own
    previous iterate (recurrence, state space, spiking step). `map` and `reduce` are names of
    scalar functions ("mul", "add", "exp", "max", "identity", ...); `parameters` are those of `map`
    ("scale" by alpha and beta, "div_by" a count). An access outside its operand reads as the
    neutral value of `reduce` (the padding of a convolution, the step before the first).
    Source: EDGE, the extended einsum notation (Odemuyiwa et al., arXiv 2404.11591).
    """

    loops: tuple[tuple[str, Extent], ...]
    inputs: tuple[Access, ...]
    output: Access
    map: str = "mul"
    reduce: str = "add"
    carry: tuple[str, ...] = ()
    parameters: tuple[float | Extent, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class TensorType:
    """What an operator kind needs to know of an operand: its shape and its element class.

    `element` is "float", "int" or "bool".
    """

    shape: tuple[Extent, ...]
    element: str = "float"


class OpKind(ABC):
    """The meaning of an operator. A subclass is a frozen dataclass whose fields are its attributes.

    An absent optional input is `None` in `types` and `arrays`.
    """

    __slots__ = ()

    @abstractmethod
    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        """The types of the outputs. Raises GraphError when the inputs cannot be right."""

    @abstractmethod
    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        """The cascade of einsums that this operator is. Pure data movement has no einsum."""

    @abstractmethod
    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        """The plain meaning in numpy: float64 in, float64 out; the oracle of every kernel."""


@final
@dataclass(frozen=True, slots=True)
class Op:
    """An operator of the graph. `inputs` may hold None where an optional operand is absent."""

    name: str
    kind: OpKind
    inputs: tuple[TensorId | None, ...]
    outputs: tuple[TensorId, ...]


def element_of(array: Array) -> str:
    """The element class of a numpy array: "float", "int" or "bool"."""
    if array.dtype == np.bool_:
        return "bool"
    return "int" if np.issubdtype(array.dtype, np.integer) else "float"
