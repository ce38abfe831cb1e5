"""Matrix products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from netwright.graph.op import OpKind
from netwright.graph.ops.function import IDENTITY, Function


@final
@dataclass(frozen=True, slots=True)
class Linear(OpKind):
    """y[..., n] = f(sum_k x[..., k] w[n, k] + bias[n] + residual[..., n]).

    Inputs: x, weight [N, K] ([K, N] when `input_major`), bias [N] or None, residual or None.
    """

    input_major: bool = False
    function: Function = IDENTITY


@final
@dataclass(frozen=True, slots=True)
class MatMul(OpKind):
    """y = scale * a @ b with numpy batch broadcasting; the flags swap the last two dims first."""

    transpose_a: bool = False
    transpose_b: bool = False
    scale: float = 1.0
