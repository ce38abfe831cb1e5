"""Scalar functions: what a unary operator applies, and what a fused epilogue ends with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class Function:
    """A scalar function by its standard name, with up to two parameters.

    identity, relu, clip(alpha=low, beta=high), leaky_relu(alpha=slope), elu(alpha), selu,
    sigmoid, hard_sigmoid(alpha, beta: clip(alpha*x+beta, 0, 1)), hard_swish, silu, gelu (erf),
    gelu_tanh, tanh, exp, log, sqrt, rsqrt, reciprocal, abs, neg, floor, ceil, round (half to even),
    erf, sin, cos, softplus, mish, square, sign, not, isnan, scale(alpha*x+beta).
    """

    name: str
    alpha: float = 0.0
    beta: float = 0.0


IDENTITY = Function("identity")
