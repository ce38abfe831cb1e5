"""Data movement of a single tensor and joining: no arithmetic, so no einsum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.graph.extent import Extent
from netwright.graph.op import Einsum, OpKind, TensorType
from netwright.graph.ops.gather import Gather, GatherElements, GatherNd, ScatterNd
from netwright.graph.ops.shape import (
    axis_index,
    broadcasts_to,
    count,
    fail,
    number,
    operand,
    same_count,
    text,
)

__all__ = [
    "Concat",
    "Expand",
    "Gather",
    "GatherElements",
    "GatherNd",
    "Pad",
    "Reshape",
    "ScatterNd",
    "Slice",
    "Tile",
    "Transpose",
]

Array: TypeAlias = NDArray[Any]


def given(array: Array | None) -> Array:
    """A required operand's value."""
    assert array is not None
    return array


@final
@dataclass(frozen=True, slots=True)
class Reshape(OpKind):
    """Row-major. Covers flatten, squeeze, unsqueeze. Input: x."""

    shape: tuple[Extent, ...]

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 1, 1)
        x = operand(self, types, 0, "x")
        if not same_count(x.shape, self.shape):
            fail(self, f"{text(x.shape)} and {text(self.shape)} differ in their element count")
        return (TensorType(self.shape, x.element),)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return ()

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        return (given(arrays[0]).reshape([number(self, e) for e in self.shape]),)


@final
@dataclass(frozen=True, slots=True)
class Transpose(OpKind):
    """Input: x."""

    order: tuple[int, ...]

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 1, 1)
        x = operand(self, types, 0, "x")
        if sorted(self.order) != list(range(len(x.shape))):
            fail(self, f"order {self.order} is no permutation of the {len(x.shape)} dims of x")
        return (TensorType(tuple(x.shape[d] for d in self.order), x.element),)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return ()

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        return (np.transpose(given(arrays[0]), self.order),)


@final
@dataclass(frozen=True, slots=True)
class Slice(OpKind):
    """x[start:stop:step] of every dim, normalised. Input: x.

    A negative step counts down; stop -1 is then before 0.
    """

    starts: tuple[Extent, ...]
    stops: tuple[Extent, ...]
    steps: tuple[int, ...]

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 1, 1)
        x = operand(self, types, 0, "x")
        rank = len(x.shape)
        if not len(self.starts) == len(self.stops) == len(self.steps) == rank:
            fail(self, f"starts, stops and steps must name all {rank} dims of x")
        return (TensorType(tuple(self._size(d, x.shape[d]) for d in range(rank)), x.element),)

    def _size(self, dim: int, size: Extent) -> Extent:
        start, stop, step = self.starts[dim], self.stops[dim], self.steps[dim]
        if step == 0:
            fail(self, f"the step of dim {dim} is 0")
        if isinstance(start, int) and isinstance(stop, int):
            if isinstance(size, int):
                low, high = (0, size) if step > 0 else (-1, size - 1)
                if not (low <= start <= high and low <= stop <= high):
                    fail(self, f"dim {dim}: {start}:{stop}:{step} is outside its size {size}")
            return max(0, -((start - stop) // step))
        if step == -1:
            return start - stop
        if step != 1:
            fail(self, f"dim {dim}: {start}:{stop}:{step} is not affine; bind the symbols first")
        return stop - start

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return ()

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        picked: list[slice] = []
        for start, stop, step in zip(self.starts, self.stops, self.steps, strict=True):
            end = number(self, stop)
            picked.append(slice(number(self, start), None if end < 0 else end, step))
        return (given(arrays[0])[tuple(picked)],)


@final
@dataclass(frozen=True, slots=True)
class Concat(OpKind):
    """Inputs: any number."""

    axis: int

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        first = operand(self, types, 0, "first")
        axis = axis_index(self, self.axis, len(first.shape))
        total: Extent = 0
        for index in range(len(types)):
            part = operand(self, types, index, "part", first.element)
            rest = (*part.shape[:axis], *part.shape[axis + 1 :])
            if rest != (*first.shape[:axis], *first.shape[axis + 1 :]):
                fail(
                    self,
                    f"input {index} has shape {text(part.shape)}, expected that of input 0, "
                    f"{text(first.shape)}, but for dim {axis}",
                )
            total = total + part.shape[axis]
        shape = (*first.shape[:axis], total, *first.shape[axis + 1 :])
        return (TensorType(shape, first.element),)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return ()

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        return (np.concatenate([given(a) for a in arrays], axis=self.axis),)


@final
@dataclass(frozen=True, slots=True)
class Pad(OpKind):
    """`mode` "constant", "reflect" or "edge"; a negative pad crops. Input: x."""

    pads: tuple[tuple[int, int], ...]
    mode: str = "constant"
    value: float = 0.0

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 1, 1)
        x = operand(self, types, 0, "x")
        if len(self.pads) != len(x.shape):
            fail(self, f"pads name {len(self.pads)} dims, x has {len(x.shape)}")
        if self.mode not in ("constant", "reflect", "edge"):
            fail(self, f"mode {self.mode!r} is unknown; expected constant, reflect or edge")
        for dim, (size, (before, after)) in enumerate(zip(x.shape, self.pads, strict=True)):
            if isinstance(size, int) and size + before + after < 0:
                fail(self, f"dim {dim}: pads {before}, {after} crop more than its size {size}")
            if self.mode == "reflect" and isinstance(size, int) and max(before, after) >= size:
                fail(self, f"dim {dim}: cannot reflect {max(before, after)} of {size} elements")
        shape = tuple(s + b + a for s, (b, a) in zip(x.shape, self.pads, strict=True))
        return (TensorType(shape, x.element),)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return ()

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        x = given(arrays[0])
        crops = [
            slice(max(-b, 0), n - max(-a, 0)) for n, (b, a) in zip(x.shape, self.pads, strict=True)
        ]
        grown = [(max(b, 0), max(a, 0)) for b, a in self.pads]
        if self.mode == "constant":
            value = np.asarray(self.value).astype(x.dtype)
            return (np.pad(x[tuple(crops)], grown, constant_values=value),)
        mode = "reflect" if self.mode == "reflect" else "edge"
        return (
            np.pad(x, grown, mode=mode)[
                tuple(
                    slice(max(-b, 0), n + max(b, 0) + max(a, 0) - max(-a, 0))
                    for n, (b, a) in zip(x.shape, self.pads, strict=True)
                )
            ],
        )


@final
@dataclass(frozen=True, slots=True)
class Expand(OpKind):
    """Broadcast to `shape`. Input: x."""

    shape: tuple[Extent, ...]

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 1, 1)
        x = operand(self, types, 0, "x")
        broadcasts_to(self, "x", x.shape, self.shape)
        return (TensorType(self.shape, x.element),)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return ()

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        shape = [number(self, e) for e in self.shape]
        return (np.broadcast_to(given(arrays[0]), shape).copy(),)


@final
@dataclass(frozen=True, slots=True)
class Tile(OpKind):
    """Input: x."""

    repeats: tuple[int, ...]

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 1, 1)
        x = operand(self, types, 0, "x")
        if len(self.repeats) != len(x.shape) or min(self.repeats, default=0) < 0:
            fail(self, f"repeats {self.repeats} must be a count of every dim of {text(x.shape)}")
        shape = tuple(s * r for s, r in zip(x.shape, self.repeats, strict=True))
        return (TensorType(shape, x.element),)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return ()

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        return (np.tile(given(arrays[0]), self.repeats),)
