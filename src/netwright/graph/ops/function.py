"""Scalar functions: what a unary operator applies, and what a fused epilogue ends with."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, cast, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import GraphError

Array: TypeAlias = NDArray[Any]


_WITH_PARAMETERS = ("clip", "leaky_relu", "elu", "hard_sigmoid", "scale", "scaled_hard_swish")


@final
@dataclass(frozen=True, slots=True)
class Function:
    """A scalar function by its standard name, with up to two parameters.

    identity, relu, clip(alpha=low, beta=high), leaky_relu(alpha=slope), elu(alpha), selu,
    sigmoid, hard_sigmoid(alpha, beta: clip(alpha*x+beta, 0, 1)), hard_swish, silu, gelu (erf),
    gelu_tanh, tanh, exp, log, sqrt, rsqrt, reciprocal, abs, neg, floor, ceil, round (half to even),
    erf, sin, cos, softplus, mish, square, sign, not, isnan, scale(alpha*x+beta),
    scaled_hard_swish(alpha*hard_swish(x)+beta).
    """

    name: str
    alpha: float = 0.0
    beta: float = 0.0

    @property
    def has_parameters(self) -> bool:
        """Whether `alpha` or `beta` means something for this function."""
        return self.name in (
            "clip",
            "leaky_relu",
            "elu",
            "hard_sigmoid",
            "scale",
            "scaled_hard_swish",
        )


IDENTITY = Function("identity")

# Constants of SELU: Klambauer et al., arXiv 1706.02515, as fixed by ONNX.
_SELU_ALPHA = 1.67326319217681884765625
_SELU_GAMMA = 1.05070102214813232421875

_erf_object = np.frompyfunc(math.erf, 1, 1)


def error_function(x: Array) -> Array:
    """Erf in float64, elementwise."""
    return np.asarray(cast(Any, _erf_object(x)), dtype=np.float64)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, small) / (1.0 + small)


def softplus(x: Array) -> Array:
    """log(1 + exp(x)), without overflow."""
    return np.logaddexp(0.0, x)


def gelu_tanh(x: Array) -> Array:
    """The tanh approximation of GELU (Hendrycks and Gimpel, arXiv 1606.08415)."""
    return 0.5 * x * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))


def _elu(x: Array, alpha: float) -> Array:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0.0)))


_Apply: TypeAlias = Callable[[Array, float, float], Array]

# In docstring order: a function's place here is its code in a program's records.
_FUNCTIONS: dict[str, _Apply] = {
    "identity": lambda x, a, b: x,
    "relu": lambda x, a, b: np.maximum(x, 0),
    "clip": lambda x, a, b: np.minimum(np.maximum(x, a), b),
    "leaky_relu": lambda x, a, b: np.where(x >= 0, x, a * x),
    "elu": lambda x, a, b: _elu(x, a),
    "selu": lambda x, a, b: _SELU_GAMMA * _elu(x, _SELU_ALPHA),
    "sigmoid": lambda x, a, b: sigmoid(x),
    "hard_sigmoid": lambda x, a, b: np.clip(a * x + b, 0.0, 1.0),
    "hard_swish": lambda x, a, b: x * np.clip(x / 6.0 + 0.5, 0.0, 1.0),
    "silu": lambda x, a, b: x * sigmoid(x),
    "gelu": lambda x, a, b: 0.5 * x * (1.0 + error_function(x / math.sqrt(2.0))),
    "gelu_tanh": lambda x, a, b: gelu_tanh(x),
    "tanh": lambda x, a, b: np.tanh(x),
    "exp": lambda x, a, b: np.exp(x),
    "log": lambda x, a, b: np.log(x),
    "sqrt": lambda x, a, b: np.sqrt(x),
    "rsqrt": lambda x, a, b: 1.0 / np.sqrt(x),
    "reciprocal": lambda x, a, b: 1.0 / x,
    "abs": lambda x, a, b: np.abs(x),
    "neg": lambda x, a, b: -x,
    "floor": lambda x, a, b: np.floor(x),
    "ceil": lambda x, a, b: np.ceil(x),
    "round": lambda x, a, b: np.rint(x),
    "erf": lambda x, a, b: error_function(x),
    "sin": lambda x, a, b: np.sin(x),
    "cos": lambda x, a, b: np.cos(x),
    "softplus": lambda x, a, b: softplus(x),
    "mish": lambda x, a, b: x * np.tanh(softplus(x)),
    "square": lambda x, a, b: x * x,
    "sign": lambda x, a, b: np.sign(x),
    "not": lambda x, a, b: np.logical_not(x),
    "isnan": lambda x, a, b: np.isnan(x),
    "scale": lambda x, a, b: a * x + b,
    "scaled_hard_swish": lambda x, a, b: a * x * np.clip(x / 6.0 + 0.5, 0.0, 1.0) + b,
}

FUNCTION_CODES: dict[str, int] = {name: code for code, name in enumerate(_FUNCTIONS)}

# Functions that an integer tensor may go through unchanged in class.
_ON_INTEGERS = frozenset(("identity", "relu", "clip", "abs", "neg", "square", "sign"))


def function_element(function: Function, element: str) -> str:
    """The element class of `function(x)` for x of class `element`.

    Raises:
        GraphError: the function is unknown or not defined on this class.
    """
    name = function.name
    if name not in _FUNCTIONS:
        raise GraphError(f"function {name!r} is unknown; expected one of {', '.join(_FUNCTIONS)}")
    if name == "identity":
        return element
    if (name == "not") != (element == "bool"):
        raise GraphError(f"function {name} got {element} elements; cast them first")
    if name == "isnan":
        return "bool"
    if element == "int" and name not in _ON_INTEGERS:
        raise GraphError(f"function {name} got int elements, expected float; cast them first")
    return element


def apply(function: Function, array: Array) -> Array:
    """`function` on every element; floats are computed in float64, other classes kept."""
    element = "float" if np.issubdtype(array.dtype, np.floating) else ""
    x = array.astype(np.float64, copy=False) if element else array
    known = _FUNCTIONS.get(function.name)
    if known is None:
        raise GraphError(
            f"function {function.name!r} is unknown; expected one of {list(_FUNCTIONS)}"
        )
    with np.errstate(all="ignore"):
        result = known(x, function.alpha, function.beta)
    kept = function.name in _ON_INTEGERS and np.issubdtype(x.dtype, np.integer)
    return result.astype(x.dtype, copy=False) if kept else result
