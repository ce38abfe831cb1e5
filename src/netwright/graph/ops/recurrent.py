"""Recurrent layers, in ONNX layouts and gate orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.graph.extent import Extent
from netwright.graph.op import Einsum, OpKind, TensorType
from netwright.graph.ops.function import sigmoid
from netwright.graph.ops.recurrent_cascade import gru_cascade, lstm_cascade
from netwright.graph.ops.shape import count, expect, fail, operand, optional

Array: TypeAlias = NDArray[Any]

_DIRECTIONS = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}


def _infer(
    kind: OpKind,
    types: Sequence[TensorType | None],
    gates: int,
    hidden: int,
    direction: str,
    states: int,
) -> tuple[TensorType, ...]:
    """Y [S,D,B,H] and `states` final states [D,B,H]."""
    count(kind, types, 3, 4 + states)
    if direction not in _DIRECTIONS:
        fail(kind, f"direction {direction!r} is unknown; expected {', '.join(_DIRECTIONS)}")
    x = operand(kind, types, 0, "x", "float")
    if len(x.shape) != 3:
        fail(kind, f"x has {len(x.shape)} dims, expected [steps, batch, inputs]")
    steps, batch, inputs = x.shape
    number = len(_DIRECTIONS[direction])
    rows = gates * hidden
    expect(kind, "w", operand(kind, types, 1, "w").shape, (number, rows, inputs))
    expect(kind, "r", operand(kind, types, 2, "r").shape, (number, rows, hidden))
    bias = optional(types, 3)
    if bias is not None:
        expect(kind, "b", bias.shape, (number, 2 * rows))
    state: tuple[Extent, ...] = (number, batch, hidden)
    for index in range(4, 4 + states):
        initial = optional(types, index)
        if initial is not None:
            expect(kind, f"initial state {index - 4}", initial.shape, state)
    y = TensorType((steps, number, batch, hidden))
    return (y, *([TensorType(state)] * states))


def _operands(arrays: Sequence[Array | None], rows: int, hidden: int) -> list[Array]:
    """x, w, r, and bias and initial states with zeros for absent ones."""
    x, w, r = arrays[:3]
    assert x is not None
    assert w is not None
    assert r is not None
    number, batch = w.shape[0], x.shape[1]
    padded = (*arrays[3:], None, None, None)
    shapes = ((number, 2 * rows), (number, batch, hidden), (number, batch, hidden))
    rest = [np.zeros(s) if a is None else a for a, s in zip(padded, shapes, strict=False)]
    return [x, w, r, *rest]


@final
@dataclass(frozen=True, slots=True)
class Lstm(OpKind):
    """The long short-term memory, gates i o f c.

    Inputs: X [S,B,I], W [D,4H,I], R [D,4H,H], B [D,8H] or None, h0 [D,B,H] or None, c0 or None.
    Outputs: Y [S,D,B,H], Y_h [D,B,H], Y_c. `direction`: "forward", "reverse", "bidirectional".
    """

    hidden: int
    direction: str = "forward"

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        return _infer(self, types, 4, self.hidden, self.direction, 2)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return lstm_cascade(self.hidden, types, outputs)

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        size = self.hidden
        x, w, r, b, h0, c0 = _operands(arrays, 4 * size, size)
        y = np.zeros((x.shape[0], w.shape[0], x.shape[1], size))
        last_h, last_c = np.zeros_like(h0), np.zeros_like(c0)
        for d, backwards in enumerate(_DIRECTIONS[self.direction]):
            h, c = h0[d], c0[d]
            bias = b[d, : 4 * size] + b[d, 4 * size :]
            for step in _steps(x.shape[0], backwards):
                gates = x[step] @ w[d].T + h @ r[d].T + bias
                i, o, f, g = (gates[:, n * size : (n + 1) * size] for n in range(4))
                c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
                h = sigmoid(o) * np.tanh(c)
                y[step, d] = h
            last_h[d], last_c[d] = h, c
        return y, last_h, last_c


def _steps(number: int, backwards: bool) -> range:
    return range(number - 1, -1, -1) if backwards else range(number)


@final
@dataclass(frozen=True, slots=True)
class Gru(OpKind):
    """As Lstm with gates z r h and B [D,6H]. Outputs: Y, Y_h."""

    hidden: int
    direction: str = "forward"
    linear_before_reset: bool = False

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        return _infer(self, types, 3, self.hidden, self.direction, 1)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return gru_cascade(self.hidden, self.linear_before_reset, types, outputs)

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        size = self.hidden
        x, w, r, b, h0, _ = _operands(arrays, 3 * size, size)
        y = np.zeros((x.shape[0], w.shape[0], x.shape[1], size))
        last = np.zeros_like(h0)
        for d, backwards in enumerate(_DIRECTIONS[self.direction]):
            h = h0[d]
            bias_w, bias_r = b[d, : 3 * size], b[d, 3 * size :]
            for step in _steps(x.shape[0], backwards):
                from_x = x[step] @ w[d].T + bias_w
                gates = from_x[:, : 2 * size] + (h @ r[d, : 2 * size].T + bias_r[: 2 * size])
                z, reset = sigmoid(gates[:, :size]), sigmoid(gates[:, size:])
                weight, bias = r[d, 2 * size :].T, bias_r[2 * size :]
                if self.linear_before_reset:
                    past = reset * (h @ weight + bias)
                else:
                    past = (reset * h) @ weight + bias
                h = (1.0 - z) * np.tanh(from_x[:, 2 * size :] + past) + z * h
                y[step, d] = h
            last[d] = h
        return y, last
