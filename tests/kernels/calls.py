"""Numpy arrays to kernel operands, and calls in every form that must agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.native import core

Array = NDArray[Any]

FORMATS = {
    "float32": 0,
    "float16": 1,
    "float64": 3,
    "int8": 4,
    "uint8": 5,
    "int16": 6,
    "int32": 7,
    "int64": 8,
    "bool": 9,
}
FUNCTIONS = [
    "identity", "relu", "clip", "leaky_relu", "elu", "selu", "sigmoid", "hard_sigmoid",
    "hard_swish", "silu", "gelu", "gelu_tanh", "tanh", "exp", "log", "sqrt", "rsqrt",
    "reciprocal", "abs", "neg", "floor", "ceil", "round", "erf", "sin", "cos", "softplus",
    "mish", "square", "sign", "not", "isnan", "scale",
    "scaled_hard_swish",
]  # fmt: skip


def operand(array: Array | bytes | None, format_code: int | None = None) -> Any:
    """What `core.call` takes: a view keeps its strides, packed bytes become one dim."""
    if array is None:
        return None
    if isinstance(array, bytes):
        packed = np.frombuffer(array, np.uint8)
        return (packed, 63, [packed.size], [1])
    code = FORMATS[array.dtype.name] if format_code is None else format_code
    return (array, code, list(array.shape), list(array.strides))


def function(name: str, alpha: float = 0.0, beta: float = 0.0) -> list[int | float]:
    """The three parameters of a fused function."""
    return [FUNCTIONS.index(name), float(alpha), float(beta)]


def channels_last(array: Array) -> Array:
    """The same [N, C, H, W] values with the channels of a pixel adjacent."""
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def empty_channels_last(shape: Sequence[int]) -> Array:
    """An [N, C, H, W] output full of NaN, channels-last."""
    n, c, h, w = shape
    return np.full((n, h, w, c), np.nan, np.float32).transpose(0, 3, 1, 2)


def run_all(
    name: str,
    make_outputs: Callable[[], list[Array]],
    inputs: Sequence[Array | bytes | None],
    parameters: Sequence[int | float],
    parts: int = 3,
) -> list[list[Array]]:
    """[scalar outputs, avx2 outputs]; a call cut into parts must give the same bits."""
    results: list[list[Array]] = []
    for avx2 in (False, True):
        whole, cut = make_outputs(), make_outputs()
        operands = [operand(each) for each in inputs]
        core.call(name, [operand(each) for each in whole] + operands, list(parameters), 0, 1, avx2)
        for part in range(parts):
            core.call(
                name, [operand(o) for o in cut] + operands, list(parameters), part, parts, avx2
            )
        for one, other in zip(whole, cut, strict=True):
            np.testing.assert_array_equal(one, other)
        results.append(whole)
    return results
