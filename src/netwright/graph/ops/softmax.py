"""Softmax."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.graph.op import Einsum, OpKind, TensorType
from netwright.graph.ops.cascade import access, loops, names
from netwright.graph.ops.shape import axis_index, count, operand

Array: TypeAlias = NDArray[Any]


def softmax(x: Array, axis: int = -1) -> Array:
    """exp(x - max) / sum in float64; a row of only -inf gives zeros."""
    most = np.max(x, axis=axis, keepdims=True)
    shifted = np.exp(x - np.where(np.isfinite(most), most, 0.0))
    total = np.sum(shifted, axis=axis, keepdims=True)
    return shifted / np.where(total == 0.0, 1.0, total)


@final
@dataclass(frozen=True, slots=True)
class Softmax(OpKind):
    """exp(x - max) / sum along `axis`; its logarithm when `log`. Input: x."""

    axis: int
    log: bool = False

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 1, 1)
        x = operand(self, types, 0, "x", "float")
        axis_index(self, self.axis, len(x.shape))
        return (x,)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        shape = outputs[0].shape
        dims = names(len(shape))
        axis = axis_index(self, self.axis, len(shape))
        over = loops(dims, shape)
        rows = (*over[:axis], *over[axis + 1 :])
        row = (*dims[:axis], *dims[axis + 1 :])
        x, y = access(0, dims), access(1, dims)
        most, shifted, grown, total = (
            access(-i, d) for i, d in ((1, row), (2, dims), (3, dims), (4, row))
        )
        start = (
            Einsum(over, (x,), most, "identity", "max"),
            Einsum(over, (x, most), shifted, "sub"),
            Einsum(over, (shifted,), grown, "exp"),
            Einsum(over, (grown,), total, "identity", "add"),
        )
        if not self.log:
            return (*start, Einsum(over, (grown, total), y, "div"))
        logarithm = Einsum(rows, (total,), access(-5, row), "log")
        return (*start, logarithm, Einsum(over, (shifted, access(-5, row)), y, "sub"))

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        x = arrays[0]
        assert x is not None
        if not self.log:
            return (softmax(x, self.axis),)
        shifted = x - np.max(x, axis=self.axis, keepdims=True)
        return (shifted - np.log(np.sum(np.exp(shifted), axis=self.axis, keepdims=True)),)
