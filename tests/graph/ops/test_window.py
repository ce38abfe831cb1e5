"""Convolution, pooling and resizing against torch and ONNX, over random shapes."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.graph.ops.onnx_oracle import by_runtime
from tests.graph.oracle import run

from netwright.errors import GraphError
from netwright.graph.extent import symbol
from netwright.graph.op import TensorType
from netwright.graph.ops.conv import Conv, ConvTranspose
from netwright.graph.ops.function import Function
from netwright.graph.ops.pool import Pool
from netwright.graph.ops.resize import COORDINATE_CODES, ROUNDING_CODES, Resize

FAST = settings(max_examples=25, deadline=None)
SMALL = st.integers(1, 3)


@st.composite
def windows(draw, rank):
    """kernel, stride, pad, dilation of every spatial dim."""
    pick = lambda low, high: tuple(draw(st.integers(low, high)) for _ in range(rank))  # noqa: E731
    return pick(1, 4), pick(1, 3), pick(0, 2), pick(1, 2)


def fits(sizes, pads, kernel, dilations):
    """Whether a window fits every padded dim."""
    every = zip(sizes, pads, kernel, dilations, strict=True)
    return all(n + 2 * p > (k - 1) * d for n, p, k, d in every)


@FAST
@given(st.data())
def test_conv_equals_torch(data):
    rank = data.draw(st.integers(1, 2))
    kernel, strides, pads, dilations = data.draw(windows(rank))
    groups, inputs, outputs = (data.draw(SMALL) for _ in range(3))
    sizes = [data.draw(st.integers(1, 9)) for _ in range(rank)]
    assume(
        all(
            n + 2 * p > (k - 1) * d
            for n, p, k, d in zip(sizes, pads, kernel, dilations, strict=True)
        )
    )
    random = np.random.default_rng(0)
    x = random.standard_normal((2, groups * inputs, *sizes))
    w = random.standard_normal((groups * outputs, inputs, *kernel))
    b = random.standard_normal(groups * outputs)
    kind = Conv(strides, tuple((p, p) for p in pads), dilations, groups, Function("relu"))
    conv = F.conv1d if rank == 1 else F.conv2d
    expected = conv(*map(torch.tensor, (x, w, b)), strides, pads, dilations, groups)
    np.testing.assert_allclose(run(kind, x, w, b)[0], F.relu(expected).numpy(), atol=1e-12)


@FAST
@given(st.data())
def test_conv_transpose_equals_torch(data):
    rank = data.draw(st.integers(1, 2))
    kernel, strides, pads, dilations = data.draw(windows(rank))
    groups, inputs, outputs = (data.draw(SMALL) for _ in range(3))
    sizes = [data.draw(st.integers(1, 6)) for _ in range(rank)]
    extra = tuple(
        data.draw(st.integers(0, max(s, d) - 1)) for s, d in zip(strides, dilations, strict=True)
    )
    reach = zip(sizes, strides, pads, kernel, dilations, extra, strict=True)
    assume(all((n - 1) * s - 2 * p + (k - 1) * d + e + 1 > 0 for n, s, p, k, d, e in reach))
    random = np.random.default_rng(0)
    x = random.standard_normal((2, groups * inputs, *sizes))
    w = random.standard_normal((groups * inputs, outputs, *kernel))
    kind = ConvTranspose(strides, tuple((p, p) for p in pads), dilations, extra, groups)
    conv = F.conv_transpose1d if rank == 1 else F.conv_transpose2d
    expected = conv(torch.tensor(x), torch.tensor(w), None, strides, pads, extra, groups, dilations)
    np.testing.assert_allclose(run(kind, x, w)[0], expected.numpy(), atol=1e-12)


def test_uneven_pads_equal_onnx():
    random = np.random.default_rng(0)
    x, w = random.standard_normal((1, 2, 7, 8)), random.standard_normal((3, 2, 3, 2))
    found = run(Conv((2, 1), ((0, 2), (1, 0)), (1, 2)), x, w)[0]
    expected = by_runtime("Conv", x, w, strides=[2, 1], pads=[0, 1, 2, 0], dilations=[1, 2])[0]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@FAST
@given(st.data())
def test_pool_equals_torch(data):
    kernel, strides, _, dilations = data.draw(windows(2))
    pads = tuple(data.draw(st.integers(0, k // 2)) for k in kernel)
    sizes = [data.draw(st.integers(2, 9)) for _ in range(2)]
    ceil, counted = data.draw(st.booleans()), data.draw(st.booleans())
    assume(
        all(
            n + 2 * p > (k - 1) * d
            for n, p, k, d in zip(sizes, pads, kernel, dilations, strict=True)
        )
    )
    x = np.random.default_rng(0).standard_normal((2, 3, *sizes))
    both = tuple((p, p) for p in pads)
    found = run(Pool("max", kernel, strides, both, dilations, ceil_mode=ceil), x)[0]
    expected = F.max_pool2d(torch.tensor(x), kernel, strides, pads, dilations, ceil)
    np.testing.assert_array_equal(found, expected.numpy())
    assume(all(n + 2 * p >= k for n, p, k in zip(sizes, pads, kernel, strict=True)))
    found = run(Pool("average", kernel, strides, both, (1, 1), counted, ceil), x)[0]
    expected = F.avg_pool2d(torch.tensor(x), kernel, strides, pads, ceil, counted)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-13)


@pytest.mark.parametrize("coordinates", COORDINATE_CODES)
@pytest.mark.parametrize("factors", [(2.0, 1.5), (0.7, 3.0), (0.5, 0.75)])
def test_resize_equals_onnx(coordinates, factors):
    x = np.random.default_rng(0).standard_normal((1, 2, 5, 8))
    scales = (1.0, 1.0, *(float(np.float32(f)) for f in factors))
    sizes = tuple(int(n * f) for n, f in zip(x.shape, (1, 1, *factors), strict=True))
    for mode, rounding in [("linear", "floor"), *(("nearest", r) for r in ROUNDING_CODES)]:
        found = run(Resize(sizes, scales, mode, coordinates, rounding), x)[0]
        expected = by_runtime(
            "Resize", x, None, np.array(scales, dtype=np.float32), mode=mode,
            coordinate_transformation_mode=coordinates, nearest_mode=rounding,
        )[0]  # fmt: skip
        np.testing.assert_allclose(
            found, expected, rtol=1e-5, atol=1e-5, err_msg=f"{mode} {rounding}"
        )


def test_symbolic_batch_goes_through_and_bad_shapes_are_named():
    n = symbol("n")
    x, w = TensorType((n, 4, 8, 8)), TensorType((6, 2, 3, 3))
    kind = Conv((2, 2), ((1, 1), (1, 1)), (1, 1), 2)
    assert kind.infer([x, w])[0].shape == (n, 6, 4, 4)
    with pytest.raises(GraphError, match="Conv: x has 4 channels, expected 2"):
        Conv((1, 1), ((0, 0),) * 2, (1, 1)).infer([x, w])
    with pytest.raises(GraphError, match="window of 9 does not fit a dim of 8 padded by 0"):
        Conv((1, 1), ((0, 0),) * 2, (4, 4), 2).infer([x, w])
    with pytest.raises(GraphError, match="bind the symbols first"):
        Pool("max", (2,), (2,), ((0, 0),), (1,)).infer([TensorType((1, 2, n))])
    assert Pool("max", (2,), (2,), ((0, 0),), (1,)).infer([TensorType((1, 2, 2 * n))])[0].shape == (
        1,
        2,
        n,
    )
