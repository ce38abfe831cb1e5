"""unary, binary, where, copy and fill against numpy or torch in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.native import core

from .calls import FORMATS, FUNCTIONS, Array, function, operand, run_all

OPERATORS = [
    "add",
    "sub",
    "mul",
    "div",
    "pow",
    "max",
    "min",
    "mod",
    "equal",
    "less",
    "less_equal",
    "greater",
    "greater_equal",
    "and",
    "or",
    "xor",
]


def through_torch(apply: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Array], Array]:
    return lambda x: apply(torch.from_numpy(np.ascontiguousarray(x))).numpy()


functional = torch.nn.functional
# name: (float64 reference at alpha = 0.3, beta = 0.6; inputs; relative bound; absolute bound)
UNARY: dict[str, tuple[Callable[[Array], Array], tuple[float, float], float, float]] = {
    "identity": (lambda x: x, (-9, 9), 0, 0),
    "relu": (lambda x: np.maximum(x, 0), (-9, 9), 0, 0),
    "clip": (lambda x: np.clip(x, np.float32(0.3), np.float32(0.6)), (-1, 1), 0, 0),
    "leaky_relu": (lambda x: np.where(x < 0, np.float32(0.3) * x, x), (-9, 9), 1e-7, 0),
    "elu": (lambda x: np.where(x < 0, np.float32(0.3) * np.expm1(x), x), (-99, 9), 0, 1e-7),
    "selu": (through_torch(functional.selu), (-99, 9), 2e-7, 4e-7),
    "sigmoid": (through_torch(torch.sigmoid), (-80, 80), 5e-7, 1e-38),
    "hard_sigmoid": (
        lambda x: np.clip(np.float32(0.3) * x + np.float32(0.6), 0, 1),
        (-9, 9),
        0,
        2e-7,
    ),
    "hard_swish": (through_torch(functional.hardswish), (-9, 9), 0, 1e-6),
    "scaled_hard_swish": (
        lambda x: np.float32(0.3) * x * np.clip(x / 6 + 0.5, 0, 1) + np.float32(0.6),
        (-9, 9),
        0,
        1e-6,
    ),
    "silu": (through_torch(functional.silu), (-80, 80), 5e-7, 1e-37),
    "gelu": (through_torch(functional.gelu), (-9, 9), 4e-7, 1e-6),
    "gelu_tanh": (
        through_torch(lambda x: functional.gelu(x, approximate="tanh")),
        (-9, 9),
        5e-7,
        1e-6,
    ),
    "tanh": (np.tanh, (-20, 20), 3e-7, 0),
    "exp": (np.exp, (-86, 88.7), 2.5e-7, 0),
    "log": (np.log, (1e-38, 1e6), 2.5e-7, 1e-7),
    "sqrt": (np.sqrt, (0, 1e6), 1e-7, 0),
    "rsqrt": (lambda x: 1 / np.sqrt(x), (1e-6, 1e6), 2e-7, 0),
    "reciprocal": (lambda x: 1 / x, (0.1, 9), 1e-7, 0),
    "abs": (np.abs, (-9, 9), 0, 0),
    "neg": (lambda x: -x, (-9, 9), 0, 0),
    "floor": (np.floor, (-1e5, 1e5), 0, 0),
    "ceil": (np.ceil, (-1e5, 1e5), 0, 0),
    "round": (np.round, (-9, 9), 0, 0),
    "erf": (through_torch(torch.erf), (-6, 6), 2e-7, 3e-7),
    "sin": (np.sin, (-50, 50), 0, 1e-7),
    "cos": (np.cos, (-50, 50), 0, 1e-7),
    "softplus": (through_torch(functional.softplus), (-20, 20), 3e-7, 3e-9),
    "mish": (through_torch(functional.mish), (-20, 20), 5e-7, 1e-7),
    "square": (np.square, (-9, 9), 1e-7, 0),
    "sign": (np.sign, (-9, 9), 0, 0),
    "scale": (lambda x: np.float32(0.3) * x + np.float32(0.6), (-9, 9), 0, 4e-7),
}


@pytest.mark.parametrize("name", UNARY)
def test_unary_on_a_grid(name: str) -> None:
    exact, (low, high), relative, absolute = UNARY[name]
    x = np.linspace(low, high, 4003).astype(np.float32)
    if name in ("relu", "round"):
        x = np.round(x * 2) / 2  # ties
    expected = exact(x.astype(np.float64))
    for (out,) in run_all(
        "unary", lambda: [np.full_like(x, np.nan)], [x], function(name, 0.3, 0.6)
    ):
        assert (np.abs(out - expected) <= relative * np.abs(expected) + absolute).all()


@pytest.mark.parametrize(
    "name", ["identity", "relu", "sigmoid", "tanh", "exp", "log", "gelu", "abs", "clip"]
)
def test_unary_at_the_edges(name: str) -> None:
    x = np.array(
        [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, 3e38, -3e38, 89.0, -104.0, -88.0], np.float32
    )
    with np.errstate(all="ignore"):
        expected = UNARY[name][0](x.astype(np.float64)).astype(np.float32)
    if name == "gelu":
        x, expected = (
            x[[0, 1, 3, 4]],
            expected[[0, 1, 3, 4]],
        )  # -inf * 0 is NaN in every float form of it
    for (out,) in run_all("unary", lambda: [np.full_like(x, 7)], [x], function(name, 0.3, 0.6)):
        np.testing.assert_allclose(out, expected, rtol=5e-7, atol=1e-37)


def views(data: st.DataObject, shape: tuple[int, ...], values: Array) -> Array:
    """`values` of `shape` seen through some strides: permuted, stepped, or broadcast."""
    kind = data.draw(st.sampled_from(["plain", "permuted", "stepped", "broadcast"]))
    full = np.resize(values, (*shape[:-1], shape[-1] * 2) if kind == "stepped" else shape)
    if kind == "stepped":
        return full[..., ::2]
    if kind == "permuted":
        order = data.draw(st.permutations(range(len(shape))))
        return np.ascontiguousarray(full.transpose(order)).transpose(np.argsort(order))
    if kind == "broadcast":
        axis = data.draw(st.integers(0, len(shape) - 1))
        return np.broadcast_to(full.take([0], axis), shape)
    return full


shapes = st.lists(st.integers(1, 9), min_size=1, max_size=4).map(tuple)


@settings(max_examples=60, deadline=None)
@given(
    data=st.data(),
    shape=shapes,
    name=st.sampled_from(OPERATORS),
    kind=st.sampled_from(["float32", "int32", "int64", "bool"]),
)
def test_binary(data: st.DataObject, shape: tuple[int, ...], name: str, kind: str) -> None:
    logical = name in ("and", "or", "xor")
    kind = "bool" if logical else "int32" if kind == "bool" and name != "equal" else kind
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    values = rng.uniform(-6, 6, 7 * 9**4)
    values = values > 0 if kind == "bool" else values.astype(kind)
    if name == "pow":
        values = np.abs(values).astype(kind)
    a, b = views(data, shape, values), views(data, shape, np.roll(values, 3))
    if kind != "float32" and name in ("div", "mod"):
        b = np.where(b == 0, b.dtype.type(2), b)
    wide = (a.astype(np.float64), b.astype(np.float64)) if kind == "float32" else (a, b)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = {
            "div": lambda p, q: p / q if kind == "float32" else np.trunc(p / q).astype(kind),
            "mod": np.fmod if kind == "float32" else np.mod,
            "max": np.maximum,
            "min": np.minimum,
            "add": np.add,
            "sub": np.subtract,
            "mul": np.multiply,
            "pow": np.power,
            "and": np.logical_and,
            "or": np.logical_or,
            "xor": np.logical_xor,
            "equal": np.equal,
            "less": np.less,
            "less_equal": np.less_equal,
            "greater": np.greater,
            "greater_equal": np.greater_equal,
        }[name](*wide)
    result = "bool" if OPERATORS.index(name) >= 8 else kind
    outs = run_all(
        "binary",
        lambda: [np.zeros(shape, result)],
        [a, b],
        [OPERATORS.index(name), *function("identity")],
    )
    for (out,) in outs:
        if result == "float32":
            np.testing.assert_allclose(out, expected, rtol=2e-7, atol=1e-37)
        else:
            np.testing.assert_array_equal(out, expected)


def test_binary_fuses_a_function_over_long_broadcast_runs() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((3, 1300)).astype(np.float32), np.float32(0.5)
    outs = run_all(
        "binary",
        lambda: [np.empty_like(a)],
        [a, np.broadcast_to(b, a.shape)],
        [OPERATORS.index("sub"), *function("relu")],
    )
    for (out,) in outs:
        np.testing.assert_array_equal(out, np.maximum(a - b, 0))


def test_whole_numbers_never_trap() -> None:
    a = np.array([np.iinfo(np.int64).min, 5, 2**62], np.int64)
    b = np.array([-1, 0, 4], np.int64)
    for name, expected in (("div", [a[0], 0, 2**60]), ("mod", [0, 0, 0]), ("mul", [a[0], 0, 0])):
        for (out,) in run_all(
            "binary",
            lambda: [np.zeros(3, np.int64)],
            [a, b],
            [OPERATORS.index(name), *function("identity")],
        ):
            np.testing.assert_array_equal(out, expected)


@settings(max_examples=30, deadline=None)
@given(data=st.data(), shape=shapes, kind=st.sampled_from(["float32", "int32", "int64", "bool"]))
def test_where(data: st.DataObject, shape: tuple[int, ...], kind: str) -> None:
    values = np.arange(9**4 * 2)
    condition = views(data, shape, values % 3 == 0)
    a, b = (
        views(data, shape, (values % 7).astype(kind)),
        views(data, shape, (values % 5).astype(kind)),
    )
    for (out,) in run_all("where", lambda: [np.zeros(shape, kind)], [condition, a, b], []):
        np.testing.assert_array_equal(out, np.where(condition, a, b))


@settings(max_examples=100, deadline=None)
@given(
    data=st.data(),
    shape=st.lists(st.integers(1, 23), min_size=1, max_size=4).map(tuple),
    source=st.sampled_from(sorted(FORMATS)),
    target=st.sampled_from([None, *sorted(FORMATS)]),
)
def test_copy(data: st.DataObject, shape: tuple[int, ...], source: str, target: str | None) -> None:
    target = target or source
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    values = rng.uniform(0, 100, int(np.prod(shape)) * 2)
    x = views(data, shape, values > 50 if source == "bool" else values.astype(source))
    order = data.draw(st.permutations(range(len(shape))))

    def outputs() -> list[Array]:
        return [np.zeros([shape[d] for d in order], target).transpose(np.argsort(order))]

    for (out,) in run_all("copy", outputs, [x], []):
        np.testing.assert_array_equal(out, x.astype(target))


def test_half_and_bfloat_round_to_nearest_even() -> None:
    halves = np.arange(65536, dtype=np.uint16).view(np.float16)
    between = np.concatenate(
        [
            halves[:31743].astype(np.float32),
            np.random.default_rng(0).uniform(-7e4, 7e4, 9999).astype(np.float32),
        ]
    )
    between = np.concatenate(
        [
            between,
            between[:31742] + np.diff(between[:31743]) / 2,
            np.float32([np.inf, -np.inf, np.nan, 65519, 65520]),
        ]
    )
    with np.errstate(over="ignore"):
        expected = between.astype(np.float16)
    for (out,) in run_all("copy", lambda: [np.zeros(between.shape, np.float16)], [between], []):
        np.testing.assert_array_equal(out, expected)
    for (out,) in run_all("copy", lambda: [np.zeros(halves.shape, np.float32)], [halves], []):
        np.testing.assert_array_equal(out, halves.astype(np.float32))
    bfloat = np.zeros(between.shape, np.uint16)
    core.call("copy", [operand(bfloat, 2), operand(between)], [])
    expected = (
        torch.from_numpy(between).to(torch.bfloat16).view(torch.int16).numpy().view(np.uint16)
    )
    finite = ~np.isnan(between)
    np.testing.assert_array_equal(bfloat[finite], expected[finite])


def test_a_double_rounds_to_half_once() -> None:
    x = np.random.default_rng(0).uniform(-100, 100, 30_000)
    for (out,) in run_all("copy", lambda: [np.zeros(x.shape, np.float16)], [x], []):
        np.testing.assert_array_equal(out, x.astype(np.float16))


def test_casts_saturate_instead_of_undefined() -> None:
    x = np.array([np.nan, 1e30, -1e30, -1.9, 2.9], np.float32)
    for (out,) in run_all("copy", lambda: [np.zeros(5, np.int64)], [x], []):
        np.testing.assert_array_equal(out, [0, 2**63 - 1, -(2**63), -1, 2])


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_fill(kind: str) -> None:
    for (out,) in run_all("fill", lambda: [np.zeros((3, 70, 2), kind)[:, :, 1]], [], [1.0]):
        np.testing.assert_array_equal(out, np.ones((3, 70), kind))


@pytest.mark.parametrize(
    ("name", "arrays", "parameters", "message"),
    [
        ("unary", ["f3", "f4"], [0, 0.0, 0.0], "shapes"),
        ("unary", ["f3", "i3"], [0, 0.0, 0.0], "format"),
        ("unary", ["f3", "f3"], [FUNCTIONS.index("isnan"), 0.0, 0.0], "format"),
        ("unary", ["f3", "f3"], [-1, 0.0, 0.0], "function"),
        ("unary", ["f3"], [0, 0.0, 0.0], "operands"),
        ("unary", ["f3", "f3"], [0], "parameters"),
        ("binary", ["f3", "f3", "i3"], [0, 0, 0.0, 0.0], "format"),
        ("binary", ["i3", "i3", "i3"], [0, 1, 0.0, 0.0], "fp32"),
        ("binary", ["f3", "f3", "f3"], [16, 0, 0.0, 0.0], "operator"),
        ("binary", ["f3", "f3", "f3"], [8, 0, 0.0, 0.0], "format"),
        ("where", ["f3", "f3", "f3", "f3"], [], "format"),
        ("copy", ["f3", "f4"], [], "shapes"),
    ],
)
def test_refuses(name: str, arrays: list[str], parameters: list[int | float], message: str) -> None:
    made = [np.zeros(int(each[1]), {"f": np.float32, "i": np.int32}[each[0]]) for each in arrays]
    with pytest.raises(ValueError, match=message):
        core.call(name, [operand(each) for each in made], parameters)
