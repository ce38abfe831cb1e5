"""What the nodes of a NIR file share: the graph being built, and their values, checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import FormatError
from netwright.frontends.nir_file import NirNode
from netwright.graph.build import Builder
from netwright.graph.format import FP32, INT32
from netwright.graph.ops.movement import Reshape
from netwright.graph.tensor import TensorId

Array: TypeAlias = NDArray[Any]


@final
@dataclass(frozen=True, slots=True)
class Scope:
    """What every node needs: the graph so far, and how time is cut.

    With a `clock` the graph is one step: `updates` are states and what they are after it.
    """

    builder: Builder
    steps: int
    batch: int
    dt_seconds: float
    clock: TensorId | None = None
    updates: list[tuple[TensorId, TensorId]] = field(
        default_factory=list[tuple[TensorId, TensorId]]
    )

    def state(self, name: str, size: int, whole: bool = False) -> TensorId | None:
        """A state [batch, size] kept from step to step; None where all steps are one call."""
        if self.clock is None:
            return None
        dims = (("batch", self.batch), ("neuron", size))
        return self.builder.state(name, dims, INT32 if whole else FP32)

    def keep(self, states: Sequence[TensorId | None], after: Sequence[TensorId]) -> None:
        """What the states are after the step."""
        pairs = zip(states, after, strict=False)
        self.updates.extend((state, new) for state, new in pairs if state is not None)

    def inner(self, x: TensorId) -> tuple[int, ...]:
        """The shape of one step of one sample."""
        return tuple(e for e in self.builder.tensors[x].shape[2:] if isinstance(e, int))

    def reshape(self, x: TensorId, shape: tuple[int, ...]) -> TensorId:
        """`x` in another shape of as many numbers."""
        return self.builder.add(Reshape(shape), (x,))

    def constant(self, name: str, values: Array) -> TensorId:
        """A weight in fp32."""
        dims = [(f"d{k}", size) for k, size in enumerate(values.shape)]
        return self.builder.weight(name, dims, data=values.astype(np.float32))


Layer: TypeAlias = Callable[[Scope, NirNode, TensorId, str], TensorId]


def array_of(node: NirNode, key: str, where: str) -> Array:
    """The numbers of a value.

    Raises:
        FormatError: it is missing, or a text.
    """
    value = node.values.get(key)
    if not isinstance(value, np.ndarray):
        got = "nothing" if value is None else repr(value)
        raise FormatError(f"{where}: node {node.name!r}: {key} is {got}, expected numbers")
    return value


def pair(node: NirNode, key: str, number: int, where: str) -> tuple[int, ...]:
    """So many whole numbers, or one that stands for all."""
    values = array_of(node, key, where).reshape(-1)
    if values.size not in (1, number) or (np.abs(values) > 1 << 20).any():
        raise FormatError(f"{where}: node {node.name!r}: {key} is {values[:4]}, expected {number}")
    return tuple(int(v) for v in np.broadcast_to(values, (number,)))


def shape_of(node: NirNode, where: str) -> tuple[int, ...]:
    """The shape of an Input."""
    sizes = tuple(int(v) for v in array_of(node, "shape", where).reshape(-1))
    if not 1 <= len(sizes) <= 4 or min(sizes) < 1 or math.prod(sizes) > 1 << 28:
        raise FormatError(f"{where}: node {node.name!r} has shape {sizes}, expected 1 to 4 sizes")
    return sizes
