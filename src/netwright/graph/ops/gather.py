"""Movement by index: gathers and scatters. No arithmetic, so no einsum.

A negative index counts from the end, as in ONNX; an index outside its dim raises GraphError.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.graph.extent import Extent
from netwright.graph.op import Einsum, OpKind, TensorType
from netwright.graph.ops.shape import axis_index, count, expect, fail, operand, text

Array: TypeAlias = NDArray[Any]


def _given(array: Array | None) -> Array:
    assert array is not None
    return array


def _within(kind: OpKind, indices: Array, size: int) -> Array:
    if indices.size and (indices.min() < -size or indices.max() >= size):
        fail(kind, f"indices {indices.min()}..{indices.max()} are outside a dim of size {size}")
    return np.where(indices < 0, indices + size, indices)


@final
@dataclass(frozen=True, slots=True)
class Gather(OpKind):
    """table[..., indices, ...] along `axis`. Inputs: table, indices. An embedding is axis 0."""

    axis: int = 0

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 2, 2)
        table = operand(self, types, 0, "table")
        indices = operand(self, types, 1, "indices", "int")
        axis = axis_index(self, self.axis, len(table.shape))
        shape = (*table.shape[:axis], *indices.shape, *table.shape[axis + 1 :])
        return (TensorType(shape, table.element),)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return ()

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        table, indices = (_given(a) for a in arrays)
        place = _within(self, indices, table.shape[self.axis])
        return (np.take(table, place, axis=self.axis),)


@final
@dataclass(frozen=True, slots=True)
class GatherElements(OpKind):
    """Inputs: x, indices."""

    axis: int

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 2, 2)
        x, indices = operand(self, types, 0, "x"), operand(self, types, 1, "indices", "int")
        axis = axis_index(self, self.axis, len(x.shape))
        if len(indices.shape) != len(x.shape):
            fail(self, f"indices have shape {text(indices.shape)}, x has {text(x.shape)}")
        for dim, (size, most) in enumerate(zip(indices.shape, x.shape, strict=True)):
            if dim != axis and isinstance(size, int) and isinstance(most, int) and size > most:
                fail(self, f"indices reach {size} in dim {dim}, x has only {most}")
        return (TensorType(indices.shape, x.element),)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return ()

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        x, indices = (_given(a) for a in arrays)
        axis = self.axis % x.ndim
        grid: list[Array] = list(np.indices(indices.shape, sparse=True))
        grid[axis] = _within(self, indices, x.shape[axis])
        return (x[tuple(grid)],)


def _nd_shape(
    kind: OpKind, x: TensorType, indices: TensorType, batch_dims: int
) -> tuple[tuple[Extent, ...], int]:
    """Shape of what the index tuples pick, and how many dims each picks."""
    if not indices.shape or not isinstance(indices.shape[-1], int):
        fail(kind, f"indices have shape {text(indices.shape)}, expected a fixed last dim")
    depth = indices.shape[-1]
    if not 0 <= batch_dims < len(indices.shape) or depth + batch_dims > len(x.shape):
        fail(kind, f"{depth} indices after {batch_dims} batch dims do not fit {text(x.shape)}")
    expect(kind, "the batch of indices", indices.shape[:batch_dims], x.shape[:batch_dims])
    return (*indices.shape[:-1], *x.shape[batch_dims + depth :]), depth


@final
@dataclass(frozen=True, slots=True)
class GatherNd(OpKind):
    """Inputs: x, indices."""

    batch_dims: int = 0

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 2, 2)
        x, indices = operand(self, types, 0, "x"), operand(self, types, 1, "indices", "int")
        shape, _ = _nd_shape(self, x, indices, self.batch_dims)
        return (TensorType(shape, x.element),)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return ()

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        x, indices = (_given(a) for a in arrays)
        batch, depth = self.batch_dims, indices.shape[-1]
        places = [_within(self, indices[..., j], x.shape[batch + j]) for j in range(depth)]
        grid = np.indices(indices.shape[:-1], sparse=True)[:batch]
        return (x[(*grid, *places)],)


@final
@dataclass(frozen=True, slots=True)
class ScatterNd(OpKind):
    """A copy of x with updates written at indices (later ones win). Inputs: x, indices, updates."""

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 3, 3)
        x, indices = operand(self, types, 0, "x"), operand(self, types, 1, "indices", "int")
        updates = operand(self, types, 2, "updates", x.element)
        shape, _ = _nd_shape(self, x, indices, 0)
        expect(self, "updates", updates.shape, shape)
        return (x,)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return ()

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        x, indices, updates = (_given(a) for a in arrays)
        result = x.copy()
        depth = indices.shape[-1]
        places = [_within(self, indices[..., j], x.shape[j]).reshape(-1) for j in range(depth)]
        flat = updates.reshape((-1, *x.shape[depth:]))
        for i in range(flat.shape[0]):
            result[tuple(p[i] for p in places)] = flat[i]
        return (result,)
