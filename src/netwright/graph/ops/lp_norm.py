"""Normalisation by the length of a vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.graph.op import Einsum, OpKind, TensorType
from netwright.graph.ops.cascade import access, loops, names
from netwright.graph.ops.shape import axis_index, count, fail, operand

Array: TypeAlias = NDArray[Any]


@final
@dataclass(frozen=True, slots=True)
class LpNorm(OpKind):
    """y = x / ||x||_p along `axis`; a zero row stays zero. p is 1 or 2. Input: x."""

    axis: int
    p: int

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 1, 1)
        x = operand(self, types, 0, "x", "float")
        axis_index(self, self.axis, len(x.shape))
        if self.p not in (1, 2):
            fail(self, f"p is {self.p}, expected 1 or 2")
        return (x,)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        shape = outputs[0].shape
        dims = names(len(shape))
        axis = axis_index(self, self.axis, len(shape))
        over = loops(dims, shape)
        kept = (*over[:axis], *over[axis + 1 :])
        row = [name for name, _ in kept]
        x, total, root = access(0, dims), access(-1, row), access(-2, row)
        if self.p == 1:
            norm: tuple[Einsum, ...] = (Einsum(over, (x,), root, "abs"),)
        else:
            norm = (Einsum(over, (x, x), total), Einsum(kept, (total,), root, "sqrt"))
        return (*norm, Einsum(over, (x, root), access(1, dims), "div"))

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        x = arrays[0]
        assert x is not None
        norm = np.linalg.norm(x, ord=self.p, axis=self.axis, keepdims=True)
        return (x / np.where(norm == 0.0, 1.0, norm),)
