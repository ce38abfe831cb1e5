"""Scalar functions and their slopes in torch, by the names of `graph.ops.function`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from netwright.errors import UnsupportedError
from netwright.graph.ops.function import Function

_Apply: TypeAlias = Callable[[Tensor, float, float], Tensor]

_FUNCTIONS: Mapping[str, _Apply] = {
    "identity": lambda x, a, b: x,
    "relu": lambda x, a, b: torch.relu(x),
    "clip": lambda x, a, b: x.clamp(a, b),
    "leaky_relu": lambda x, a, b: F.leaky_relu(x, a),
    "elu": lambda x, a, b: F.elu(x, a),
    "selu": lambda x, a, b: F.selu(x),
    "sigmoid": lambda x, a, b: torch.sigmoid(x),
    "hard_sigmoid": lambda x, a, b: (a * x + b).clamp(0.0, 1.0),
    "hard_swish": lambda x, a, b: F.hardswish(x),
    "silu": lambda x, a, b: F.silu(x),
    "gelu": lambda x, a, b: F.gelu(x),
    "gelu_tanh": lambda x, a, b: F.gelu(x, approximate="tanh"),
    "tanh": lambda x, a, b: torch.tanh(x),
    "exp": lambda x, a, b: torch.exp(x),
    "log": lambda x, a, b: torch.log(x),
    "sqrt": lambda x, a, b: torch.sqrt(x),
    "rsqrt": lambda x, a, b: torch.rsqrt(x),
    "reciprocal": lambda x, a, b: torch.reciprocal(x),
    "abs": lambda x, a, b: torch.abs(x),
    "neg": lambda x, a, b: torch.neg(x),
    "floor": lambda x, a, b: torch.floor(x),
    "ceil": lambda x, a, b: torch.ceil(x),
    "round": lambda x, a, b: torch.round(x),
    "sign": lambda x, a, b: torch.sign(x),
    "erf": lambda x, a, b: torch.erf(x),
    "sin": lambda x, a, b: torch.sin(x),
    "cos": lambda x, a, b: torch.cos(x),
    "softplus": lambda x, a, b: F.softplus(x),
    "mish": lambda x, a, b: F.mish(x),
    "square": lambda x, a, b: x * x,
    "not": lambda x, a, b: torch.logical_not(x),
    "isnan": lambda x, a, b: torch.isnan(x),
    "scale": lambda x, a, b: x * a + b if b else x * a,
    "scaled_hard_swish": lambda x, a, b: a * F.hardswish(x) + b,
}


def apply(function: Function, x: Tensor) -> Tensor:
    """The function of every element.

    Raises:
        UnsupportedError: torch has no such function here.
    """
    known = _FUNCTIONS.get(function.name)
    if known is None:
        raise UnsupportedError(
            f"workers: function {function.name!r} is not one of {list(_FUNCTIONS)}"
        )
    return known(x, function.alpha, function.beta)


def slope(function: Function, x: Tensor, dy: Tensor) -> Tensor:
    """Dy times the function's slope at x."""
    match function.name:
        case "gelu":
            return torch.ops.aten.gelu_backward(dy, x)
        case "gelu_tanh":
            return torch.ops.aten.gelu_backward(dy, x, approximate="tanh")
        case "silu":
            return torch.ops.aten.silu_backward(dy, x)
        case "relu":
            return torch.ops.aten.threshold_backward(dy, x, 0)
        case _:
            with torch.enable_grad():
                leaf = x.detach().requires_grad_()
                (found,) = torch.autograd.grad(apply(function, leaf), leaf, dy)
            return found
