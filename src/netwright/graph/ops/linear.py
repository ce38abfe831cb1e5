"""Matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.graph.op import Einsum, OpKind, TensorType
from netwright.graph.ops.cascade import access, broadcast_access, finish, loops, names
from netwright.graph.ops.function import IDENTITY, Function, apply, function_element
from netwright.graph.ops.shape import (
    broadcast,
    broadcasts_to,
    count,
    expect,
    fail,
    operand,
    optional,
    rank_at_least,
    text,
)

Array: TypeAlias = NDArray[Any]


@final
@dataclass(frozen=True, slots=True)
class Linear(OpKind):
    """y[..., n] = f(sum_k x[..., k] w[n, k] + bias[n] + residual[..., n]).

    Inputs: x, weight [N, K] ([K, N] when `input_major`), bias [N] or None, residual or None.
    """

    input_major: bool = False
    function: Function = IDENTITY

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 2, 4)
        x, w = operand(self, types, 0, "x", "float"), operand(self, types, 1, "weight", "float")
        rank_at_least(self, x, 1, "x")
        if len(w.shape) != 2:
            fail(self, f"weight has shape {text(w.shape)}, expected 2 dims")
        inputs, units = w.shape if self.input_major else w.shape[::-1]
        if x.shape[-1] != inputs:
            fail(self, f"x has shape {text(x.shape)}, expected the last dim to be {inputs}")
        shape = (*x.shape[:-1], units)
        bias, residual = optional(types, 2), optional(types, 3)
        if bias is not None:
            expect(self, "bias", bias.shape, (units,))
        if residual is not None:
            broadcasts_to(self, "residual", residual.shape, shape)
        return (TensorType(shape, function_element(self.function, "float")),)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        x = operand(self, types, 0, "x")
        batch = names(len(x.shape) - 1, "m")
        dims = (*batch, "n")
        over = loops(dims, outputs[0].shape)
        weight = ("k", "n") if self.input_major else ("n", "k")
        bias, residual = optional(types, 2), optional(types, 3)
        plain = bias is None and residual is None and self.function == IDENTITY
        total = access(len(types) if plain else -1, dims)
        sources = (access(0, (*batch, "k")), access(1, weight))
        product = Einsum((*over, ("k", x.shape[-1])), sources, total)
        if plain:
            return (product,)
        added = [total]
        if bias is not None:
            added.append(access(2, ("n",)))
        if residual is not None:
            added.append(broadcast_access(3, residual.shape, dims))
        return (product, *finish(over, dims, added, self.function, len(types)))

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        x, w = arrays[0], arrays[1]
        assert x is not None
        assert w is not None
        y = x @ (w if self.input_major else w.T)
        for extra in arrays[2:]:
            if extra is not None:
                y = y + extra
        return (apply(self.function, y),)


@final
@dataclass(frozen=True, slots=True)
class MatMul(OpKind):
    """y = scale * a @ b with numpy batch broadcasting; the flags swap the last two dims first.

    A vector (one dim) is a row on the left and a column on the right, and that dim is dropped.
    """

    transpose_a: bool = False
    transpose_b: bool = False
    scale: float = 1.0

    def _split(self, types: Sequence[TensorType | None]) -> tuple[TensorType, TensorType]:
        a, b = operand(self, types, 0, "a"), operand(self, types, 1, "b")
        rank_at_least(self, a, 2 if self.transpose_a else 1, "a")
        rank_at_least(self, b, 2 if self.transpose_b else 1, "b")
        return a, b

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 2, 2)
        a, b = self._split(types)
        if a.element != b.element or a.element == "bool":
            fail(self, f"a is {a.element} and b is {b.element}, expected one numeric class")
        left = a.shape if not self.transpose_a else (*a.shape[:-2], a.shape[-1], a.shape[-2])
        right = b.shape if not self.transpose_b else (*b.shape[:-2], b.shape[-1], b.shape[-2])
        inner = right[-min(2, len(right))]
        if left[-1] != inner:
            fail(self, f"{text(left)} @ {text(right)}: inner sizes {left[-1]} and {inner} differ")
        batch = broadcast(self, left[:-2], right[:-2])
        rows = left[-2:-1]
        columns = right[-1:] if len(right) > 1 else ()
        return (TensorType((*batch, *rows, *columns), a.element),)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        a, b = self._split(types)
        rows = ("m",) if len(a.shape) > 1 else ()
        columns = ("n",) if len(b.shape) > 1 else ()
        shape = outputs[0].shape
        batch = names(len(shape) - len(rows) - len(columns), "b")
        dims = (*batch, *rows, *columns)
        over = (*loops(dims, shape), ("k", a.shape[-2 if self.transpose_a else -1]))
        left = ("k", "m") if self.transpose_a else (*rows, "k")
        right = ("n", "k") if self.transpose_b else ("k", *columns)
        sources = (
            broadcast_access(0, a.shape, (*batch, *left)),
            broadcast_access(1, b.shape, (*batch, *right)),
        )
        if self.scale == 1.0:
            return (Einsum(over, sources, access(2, dims)),)
        scaled = Einsum(
            over[:-1],
            (access(-1, dims),),
            access(2, dims),
            "scale",
            parameters=(self.scale, 0.0),
        )
        return (Einsum(over, sources, access(-1, dims)), scaled)

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        a, b = arrays
        assert a is not None
        assert b is not None
        left = np.swapaxes(a, -1, -2) if self.transpose_a else a
        right = np.swapaxes(b, -1, -2) if self.transpose_b else b
        product = np.asarray(left @ right)
        return (product if self.scale == 1.0 else self.scale * product,)
