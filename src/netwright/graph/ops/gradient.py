"""What backward passes need besides the ordinary operators: slopes of functions, scattered sums."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import GraphError
from netwright.graph.op import Einsum, OpKind, TensorType
from netwright.graph.ops.cascade import access, loops, names
from netwright.graph.ops.function import Function, error_function, sigmoid, softplus
from netwright.graph.ops.shape import axis_index, count, expect, fail, operand

Array: TypeAlias = NDArray[Any]

# Constants of SELU: Klambauer et al., arXiv 1706.02515, as fixed by ONNX.
_SELU_ALPHA = 1.67326319217681884765625
_SELU_GAMMA = 1.05070102214813232421875
_ROOT_TWO_BY_PI = math.sqrt(2.0 / math.pi)


def _elu(x: Array, alpha: float) -> Array:
    return np.where(x > 0, 1.0, alpha * np.exp(np.minimum(x, 0.0)))


def _silu(x: Array) -> Array:
    gate = sigmoid(x)
    return gate * (1.0 + x * (1.0 - gate))


def _gelu(x: Array) -> Array:
    density = np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)
    return 0.5 * (1.0 + error_function(x / math.sqrt(2.0))) + x * density


def _gelu_tanh(x: Array) -> Array:
    inner = np.tanh(_ROOT_TWO_BY_PI * (x + 0.044715 * x**3))
    slope = _ROOT_TWO_BY_PI * (1.0 + 3 * 0.044715 * x * x)
    return 0.5 * (1.0 + inner) + 0.5 * x * (1.0 - inner * inner) * slope


def _mish(x: Array) -> Array:
    inner = np.tanh(softplus(x))
    return inner + x * (1.0 - inner * inner) * sigmoid(x)


def _hard_swish(x: Array) -> Array:
    return np.where(x <= -3.0, 0.0, np.where(x >= 3.0, 1.0, x / 3.0 + 0.5))


_Slope: TypeAlias = Callable[[Array, float, float], Array]

# At a corner the slope is that of the side which PyTorch takes.
_SLOPES: dict[str, _Slope] = {
    "identity": lambda x, a, b: np.ones_like(x),
    "relu": lambda x, a, b: np.where(x > 0, 1.0, 0.0),
    "clip": lambda x, a, b: np.where((x >= a) & (x <= b), 1.0, 0.0),
    "leaky_relu": lambda x, a, b: np.where(x > 0, 1.0, a),
    "elu": lambda x, a, b: _elu(x, a),
    "selu": lambda x, a, b: _SELU_GAMMA * _elu(x, _SELU_ALPHA),
    "sigmoid": lambda x, a, b: sigmoid(x) * (1.0 - sigmoid(x)),
    "hard_sigmoid": lambda x, a, b: np.where((a * x + b > 0) & (a * x + b < 1), a, 0.0),
    "hard_swish": lambda x, a, b: _hard_swish(x),
    "silu": lambda x, a, b: _silu(x),
    "gelu": lambda x, a, b: _gelu(x),
    "gelu_tanh": lambda x, a, b: _gelu_tanh(x),
    "tanh": lambda x, a, b: 1.0 - np.tanh(x) ** 2,
    "exp": lambda x, a, b: np.exp(x),
    "log": lambda x, a, b: 1.0 / x,
    "sqrt": lambda x, a, b: 0.5 / np.sqrt(x),
    "rsqrt": lambda x, a, b: -0.5 * x**-1.5,
    "reciprocal": lambda x, a, b: -1.0 / (x * x),
    "abs": lambda x, a, b: np.sign(x),
    "neg": lambda x, a, b: -np.ones_like(x),
    "floor": lambda x, a, b: np.zeros_like(x),
    "ceil": lambda x, a, b: np.zeros_like(x),
    "round": lambda x, a, b: np.zeros_like(x),
    "sign": lambda x, a, b: np.zeros_like(x),
    "erf": lambda x, a, b: 2.0 / math.sqrt(math.pi) * np.exp(-x * x),
    "sin": lambda x, a, b: np.cos(x),
    "cos": lambda x, a, b: -np.sin(x),
    "softplus": lambda x, a, b: sigmoid(x),
    "mish": lambda x, a, b: _mish(x),
    "square": lambda x, a, b: 2.0 * x,
    "scale": lambda x, a, b: np.full_like(x, a),
    "scaled_hard_swish": lambda x, a, b: a * _hard_swish(x),
}

DIFFERENTIABLE = tuple(_SLOPES)


@final
@dataclass(frozen=True, slots=True)
class FunctionGradient(OpKind):
    """dx = dy * function'(x). Inputs: x, dy of one shape."""

    function: Function

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 2, 2)
        x = operand(self, types, 0, "x", "float")
        dy = operand(self, types, 1, "dy", "float")
        expect(self, "dy", dy.shape, x.shape)
        if self.function.name not in _SLOPES:
            fail(self, f"{self.function.name} has no slope; covered: {', '.join(_SLOPES)}")
        return (x,)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        dims = names(len(outputs[0].shape))
        over = loops(dims, outputs[0].shape)
        given = (self.function.alpha, self.function.beta)
        parameters = given if self.function.has_parameters else ()
        slope = access(-1, dims)
        return (
            Einsum(
                over, (access(0, dims),), slope, f"{self.function.name}'", "add", (), parameters
            ),
            Einsum(over, (slope, access(1, dims)), access(2, dims)),
        )

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        x, dy = arrays
        assert x is not None
        assert dy is not None
        with np.errstate(all="ignore"):
            return (dy * _SLOPES[self.function.name](x, self.function.alpha, self.function.beta),)


@final
@dataclass(frozen=True, slots=True)
class ScatterAdd(OpKind):
    """Zeros of `size` along `axis`, plus updates added at indices: the gradient of a gather.

    Inputs: indices [I...], updates [..., I..., ...] with those dims at `axis`. Output: the same
    with one dim of `size` in their place. A negative index counts from the end.
    """

    axis: int
    size: int

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 2, 2)
        indices = operand(self, types, 0, "indices", "int")
        updates = operand(self, types, 1, "updates", "float")
        rank = len(indices.shape)
        axis = axis_index(self, self.axis, len(updates.shape) - rank + 1)
        within = updates.shape[axis : axis + rank]
        expect(self, f"updates from dim {axis} on", within, indices.shape)
        rest = updates.shape[axis + rank :]
        return (TensorType((*updates.shape[:axis], self.size, *rest)),)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return ()

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        indices, updates = arrays
        assert indices is not None
        assert updates is not None
        if indices.size and (indices.min() < -self.size or indices.max() >= self.size):
            low, high = indices.min(), indices.max()
            raise GraphError(f"ScatterAdd: indices {low}..{high} are outside {self.size}")
        rank = indices.ndim
        axis = self.axis % (updates.ndim - rank + 1)
        before, after = updates.shape[:axis], updates.shape[axis + rank :]
        flat = np.moveaxis(updates.reshape(*before, indices.size, *after), axis, 0)
        total = np.zeros((self.size, *before, *after))
        np.add.at(total, indices.reshape(-1) % self.size, flat)
        return (np.ascontiguousarray(np.moveaxis(total, 0, axis)),)
