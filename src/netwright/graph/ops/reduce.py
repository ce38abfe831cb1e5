"""Reductions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.graph.op import Access, Einsum, OpKind, Projection, TensorType
from netwright.graph.ops.cascade import Index, access, loops, names
from netwright.graph.ops.shape import axis_index, count, fail, operand

Array: TypeAlias = NDArray[Any]
_Reduction: TypeAlias = Callable[[Array, tuple[int, ...], bool], Array]


def _mean(x: Array, axes: tuple[int, ...], keep: bool) -> Array:
    if not np.issubdtype(x.dtype, np.integer):
        return np.mean(x, axis=axes, keepdims=keep)
    number = int(np.prod([x.shape[a] for a in axes]))
    return np.trunc(np.sum(x, axis=axes, keepdims=keep) / max(number, 1)).astype(x.dtype)


def _l2(x: Array, axes: tuple[int, ...], keep: bool) -> Array:
    return np.sqrt(np.sum(np.square(x), axis=axes, keepdims=keep)).astype(x.dtype)


# In docstring order: a function's place here is its code in a program's records.
_REDUCTIONS: dict[str, _Reduction] = {
    "sum": lambda x, axes, keep: np.sum(x, axis=axes, keepdims=keep),
    "mean": _mean,
    "max": lambda x, axes, keep: np.max(x, axis=axes, keepdims=keep),
    "min": lambda x, axes, keep: np.min(x, axis=axes, keepdims=keep),
    "prod": lambda x, axes, keep: np.prod(x, axis=axes, keepdims=keep),
    "l1": lambda x, axes, keep: np.sum(np.abs(x), axis=axes, keepdims=keep),
    "l2": _l2,
    "sum_square": lambda x, axes, keep: np.sum(np.square(x), axis=axes, keepdims=keep),
}

REDUCE_CODES: dict[str, int] = {name: code for code, name in enumerate(_REDUCTIONS)}

# function → (map, reduce) of its first einsum.
_PARTS = {
    "sum": ("identity", "add"),
    "mean": ("identity", "add"),
    "max": ("identity", "max"),
    "min": ("identity", "min"),
    "prod": ("identity", "mul"),
    "l1": ("abs", "add"),
    "l2": ("mul", "add"),
    "sum_square": ("mul", "add"),
}


@final
@dataclass(frozen=True, slots=True)
class Reduce(OpKind):
    """function: sum mean max min prod l1 l2 sum_square. Input: x. No axes: x unchanged in shape."""

    function: str
    axes: tuple[int, ...]
    keepdims: bool = False

    def _axes(self, rank: int) -> tuple[int, ...]:
        axes = tuple(sorted(axis_index(self, a, rank) for a in self.axes))
        if len(set(axes)) != len(axes):
            fail(self, f"axes {self.axes} name one dim twice")
        return axes

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 1, 1)
        x = operand(self, types, 0, "x")
        if self.function not in _REDUCTIONS:
            fail(self, f"function {self.function!r} is unknown; expected {' '.join(_REDUCTIONS)}")
        if x.element == "bool":
            fail(self, "x is bool, expected float or int; cast it first")
        axes = self._axes(len(x.shape))
        kept = [
            1 if d in axes else s for d, s in enumerate(x.shape) if self.keepdims or d not in axes
        ]
        return (TensorType(tuple(kept), x.element),)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        x = operand(self, types, 0, "x")
        dims, axes = names(len(x.shape)), self._axes(len(x.shape))
        over = loops(dims, x.shape)
        rows: list[Index] = [
            0 if d in axes else name
            for d, name in enumerate(dims)
            if self.keepdims or d not in axes
        ]
        operator, reduction = _PARTS[self.function]
        source, ends = access(0, dims), self.function in ("mean", "l2")
        sources = (source, source) if operator == "mul" else (source,)
        first = Einsum(over, sources, access(-1 if ends else 1, rows), operator, reduction)
        if not ends:
            return (first,)
        kept = tuple(pair for d, pair in enumerate(over) if d not in axes)
        total, y = access(-1, rows), access(1, rows)
        if self.function == "l2":
            return (first, Einsum(kept, (total,), y, "sqrt"))
        sizes = tuple(x.shape[a] for a in axes)
        return (first, Einsum(kept, (total,), y, "div_by", parameters=sizes))

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        x = arrays[0]
        assert x is not None
        return (np.asarray(_REDUCTIONS[self.function](x, self._axes(x.ndim), self.keepdims)),)


@final
@dataclass(frozen=True, slots=True)
class ArgReduce(OpKind):
    """function "max" or "min"; first occurrence. Input: x."""

    function: str
    axis: int
    keepdims: bool = False

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 1, 1)
        x = operand(self, types, 0, "x")
        if self.function not in ("max", "min"):
            fail(self, f"function {self.function!r} is unknown; expected max or min")
        axis = axis_index(self, self.axis, len(x.shape))
        middle = (1,) if self.keepdims else ()
        return (TensorType((*x.shape[:axis], *middle, *x.shape[axis + 1 :]), "int"),)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        x = operand(self, types, 0, "x")
        dims = names(len(x.shape))
        axis = axis_index(self, self.axis, len(x.shape))
        rows: list[Index] = [*dims[:axis], *((0,) if self.keepdims else ()), *dims[axis + 1 :]]
        over = loops(dims, x.shape)
        return (
            Einsum(over, (access(0, dims),), access(1, rows), "identity", f"arg{self.function}"),
        )

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        x = arrays[0]
        assert x is not None
        find = np.argmax if self.function == "max" else np.argmin
        return (np.asarray(find(x, axis=self.axis, keepdims=self.keepdims), dtype=np.int64),)


@final
@dataclass(frozen=True, slots=True)
class CumulativeSum(OpKind):
    """Input: x."""

    axis: int
    exclusive: bool = False
    reverse: bool = False

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 1, 1)
        x = operand(self, types, 0, "x")
        if x.element == "bool":
            fail(self, "x is bool, expected float or int; cast it first")
        axis_index(self, self.axis, len(x.shape))
        return (x,)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return _cumulative_einsums(self, outputs[0])

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        x = arrays[0]
        assert x is not None
        ordered = np.flip(x, self.axis) if self.reverse else x
        total = np.cumsum(ordered, axis=self.axis, dtype=x.dtype)
        if self.exclusive:
            total = total - ordered
        return (np.flip(total, self.axis) if self.reverse else total,)


def _cumulative_einsums(kind: CumulativeSum, output: TensorType) -> tuple[Einsum, ...]:
    """y[i] = y[i-1] + x[i], carried along the axis; for a reverse sum, y[i] = y[i+1] + x[i]."""
    dims = names(len(output.shape))
    axis = axis_index(kind, kind.axis, len(output.shape))
    back = 1 if kind.reverse else -1
    before = Projection(((dims[axis], 1),), back)

    def at(index: int, place: Index) -> Access:
        return access(index, (*dims[:axis], place, *dims[axis + 1 :]))

    source = at(0, before if kind.exclusive else dims[axis])
    over = loops(dims, output.shape)
    total = at(1, dims[axis])
    return (Einsum(over, (at(1, before), source), total, "add", carry=(dims[axis],)),)


@final
@dataclass(frozen=True, slots=True)
class TopK(OpKind):
    """Outputs: values, indices; sorted, ties to the lower index. Input: x."""

    k: int
    axis: int
    largest: bool = True

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 1, 1)
        x = operand(self, types, 0, "x")
        axis = axis_index(self, self.axis, len(x.shape))
        size = x.shape[axis]
        if self.k < 0 or (isinstance(size, int) and self.k > size):
            fail(self, f"k is {self.k}, expected 0 to {size}")
        shape = (*x.shape[:axis], self.k, *x.shape[axis + 1 :])
        return (TensorType(shape, x.element), TensorType(shape, "int"))

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        x = operand(self, types, 0, "x")
        dims = names(len(x.shape))
        axis = axis_index(self, self.axis, len(x.shape))
        rows = (*dims[:axis], "rank", *dims[axis + 1 :])
        over = (*loops(dims, x.shape), ("rank", self.k))
        values, indices = access(1, rows), access(2, rows)
        find = "top" if self.largest else "bottom"
        return (
            Einsum(over, (access(0, dims),), values, "identity", find),
            Einsum(over, (access(0, dims),), indices, "identity", f"arg{find}"),
        )

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        x = arrays[0]
        assert x is not None
        # A stable sort of the negated values keeps the lower index first among equals.
        order = np.argsort(-x if self.largest else x, axis=self.axis, kind="stable")
        indices = np.take(order, np.arange(self.k), axis=self.axis)
        return (np.take_along_axis(x, indices, axis=self.axis), indices.astype(np.int64))
