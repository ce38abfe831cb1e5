"""Scalar functions against torch, and the order of their codes."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from netwright.errors import GraphError
from netwright.graph.op import TensorType
from netwright.graph.ops.elementwise import BINARY_CODES, Binary, Unary
from netwright.graph.ops.function import FUNCTION_CODES, Function, apply
from netwright.graph.ops.reduce import REDUCE_CODES

ALPHA, BETA = 0.3, 0.6
ORACLES = {
    "identity": lambda x: x,
    "relu": F.relu,
    "clip": lambda x: x.clamp(ALPHA, BETA),
    "leaky_relu": lambda x: F.leaky_relu(x, ALPHA),
    "elu": lambda x: F.elu(x, ALPHA),
    "selu": F.selu,
    "sigmoid": torch.sigmoid,
    "hard_sigmoid": lambda x: (ALPHA * x + BETA).clamp(0, 1),
    "hard_swish": F.hardswish,
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "tanh": torch.tanh,
    "exp": torch.exp,
    "log": lambda x: torch.log(x),
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
    "reciprocal": torch.reciprocal,
    "abs": torch.abs,
    "neg": torch.neg,
    "floor": torch.floor,
    "ceil": torch.ceil,
    "round": torch.round,
    "erf": torch.erf,
    "sin": torch.sin,
    "cos": torch.cos,
    "softplus": lambda x: F.softplus(x, threshold=1e9),
    "mish": F.mish,
    "square": torch.square,
    "sign": torch.sign,
    "not": None,
    "isnan": torch.isnan,
    "scale": lambda x: ALPHA * x + BETA,
    "scaled_hard_swish": lambda x: ALPHA * F.hardswish(x) + BETA,
}


@pytest.mark.parametrize("name", [n for n in ORACLES if n != "not"])
def test_function_equals_torch(name):
    x = np.concatenate((np.linspace(-4, 4, 161), [0.0, -0.5, 0.5, 1.5, 2.5, 30.0, -30.0]))
    found = apply(Function(name, ALPHA, BETA), x)
    expected = ORACLES[name](torch.tensor(x)).numpy()
    # ONNX rounds SELU's constants to float32, torch does not.
    bound = 1e-7 if name == "selu" else 1e-12
    np.testing.assert_allclose(found, expected, rtol=bound, atol=1e-14, equal_nan=True)


def test_codes_are_the_docstring_order():
    words = Function.__doc__.partition("parameters.")[2]
    names = [part.split("(")[0].split()[0] for part in _commas(words)]
    assert names == list(FUNCTION_CODES) == list(ORACLES)
    assert FUNCTION_CODES["identity"] == 0
    assert list(FUNCTION_CODES.values()) == list(range(34))
    words = Binary.__doc__.partition("operator: ")[2].partition(".")[0]
    assert list(BINARY_CODES) == words.split()
    assert list(REDUCE_CODES) == ["sum", "mean", "max", "min", "prod", "l1", "l2", "sum_square"]


def _commas(text):
    """Split at commas that stand outside brackets."""
    depth, part, parts = 0, "", []
    for letter in text.strip().rstrip("."):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            parts.append(part)
            part = ""
        else:
            part += letter
    return [*parts, part]


def test_not_and_classes():
    np.testing.assert_array_equal(apply(Function("not"), np.array([True, False])), [False, True])
    assert apply(Function("relu"), np.array([-1, 2])).dtype == np.int64
    with pytest.raises(GraphError, match="function exp got int elements, expected float"):
        Unary(Function("exp")).infer([TensorType((2,), "int")])
    with pytest.raises(GraphError, match="function 'swish' is unknown"):
        Unary(Function("swish")).infer([TensorType((2,))])
    with pytest.raises(GraphError, match="function not got float elements"):
        Unary(Function("not")).infer([TensorType((2,))])
