"""Convolutions and pooling against torch in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.native import core

from .calls import channels_last, empty_channels_last, function, operand, run_all

size = st.integers(1, 3)
window_parameters = st.tuples(
    size,
    size,
    size,
    size,
    st.integers(0, 2),
    st.integers(0, 2),
    st.integers(1, 2),
    st.integers(1, 2),
)


def random(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)


def float64(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array).astype(np.float64))


def convolved(
    x: np.ndarray, weight: np.ndarray, window: tuple[int, ...], groups: int, bottom: int, right: int
) -> torch.Tensor:
    _, _, sh, sw, top, left, dh, dw = window
    padded = torch.nn.functional.pad(float64(x), (left, right, top, bottom))
    return torch.nn.functional.conv2d(padded, float64(weight), None, (sh, sw), 0, (dh, dw), groups)


def out_extent(extent: int, kernel: int, stride: int, pads: int, dilation: int) -> int:
    return (extent + pads - dilation * (kernel - 1) - 1) // stride + 1


@settings(max_examples=30, deadline=None)
@given(
    window=window_parameters,
    bottom=st.integers(0, 2),
    extents=st.tuples(st.integers(1, 2), st.integers(1, 12), st.integers(1, 19)),
    groups=st.sampled_from([1, 1, 1, 2, 3]),
    channels=st.sampled_from([1, 2, 5, 9, 24]),
    outputs=st.sampled_from([1, 4, 8, 15, 24, 33]),
    fused=st.booleans(),
    slice_of=st.integers(0, 3),
    seed=st.integers(0, 99),
)
def test_conv_packed(
    window: tuple[int, ...],
    bottom: int,
    extents: tuple[int, int, int],
    groups: int,
    channels: int,
    outputs: int,
    fused: bool,
    slice_of: int,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    kh, kw, sh, sw, top, left, dh, dw = window
    batch, height, width = extents
    out_height, out_width = (
        out_extent(height, kh, sh, top + bottom, dh),
        out_extent(width, kw, sw, left + bottom, dw),
    )
    if out_height < 1 or out_width < 1:
        return
    x = channels_last(random(rng, batch, channels * groups + slice_of, height, width))[:, slice_of:]
    weight = random(rng, outputs * groups, channels, kh, kw)
    exact = convolved(x, weight, window, groups, bottom, bottom)
    magnitude = convolved(np.abs(x), np.abs(weight), window, groups, bottom, bottom).numpy()
    bias = random(rng, outputs * groups) if fused else None
    residual = channels_last(random(rng, *exact.shape)) if fused else None
    if bias is not None and residual is not None:
        exact = torch.relu(exact + float64(bias)[:, None, None] + float64(residual))
    outs = run_all(
        "conv_packed",
        lambda: [
            empty_channels_last((*exact.shape[:1], exact.shape[1] + slice_of, *exact.shape[2:]))[
                :, slice_of:
            ]
        ],
        [x, core.pack_conv(weight, groups), bias, residual],
        [*window, groups, *function("relu" if fused else "identity")],
    )
    # k products and sums, each rounded at most twice.
    bound = (channels * kh * kw + 4) * 2.0**-23 * (magnitude + 4)
    for (out,) in outs:
        assert (np.abs(out - exact.numpy()) <= bound).all()


@settings(max_examples=30, deadline=None)
@given(
    window=window_parameters,
    big=st.booleans(),
    dilated=st.booleans(),
    extents=st.tuples(st.integers(1, 2), st.integers(1, 12), st.integers(1, 19)),
    channels=st.sampled_from([1, 3, 8, 13, 24]),
    name=st.sampled_from(["identity", "relu", "hard_swish"]),
    seed=st.integers(0, 99),
)
def test_conv_depthwise(
    window: tuple[int, ...],
    big: bool,
    dilated: bool,
    extents: tuple[int, int, int],
    channels: int,
    name: str,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    kernel = 5 if big else 3
    _, _, sh, sw, top, left, dh, dw = window
    window = (kernel, kernel, sh, sw, top, left, dh, dw if dilated else 1)
    batch, height, width = extents
    right = 2
    out_shape = (
        batch,
        channels,
        out_extent(height, kernel, sh, top + right, dh),
        out_extent(width, kernel, sw, left + right, window[7]),
    )
    if min(out_shape) < 1:
        return
    x, weight = (
        channels_last(random(rng, batch, channels, height, width)),
        random(rng, channels, 1, kernel, kernel),
    )
    bias, residual = random(rng, channels), channels_last(random(rng, *out_shape))
    exact = (
        convolved(x, weight, window, channels, right, right)
        + float64(bias)[:, None, None]
        + float64(residual)
    )
    exact = {
        "identity": lambda v: v,
        "relu": torch.relu,
        "hard_swish": torch.nn.functional.hardswish,
    }[name](exact)
    magnitude = convolved(np.abs(x), np.abs(weight), window, channels, right, right).numpy()
    taps = np.ascontiguousarray(weight.reshape(channels, kernel * kernel).T)
    outs = run_all(
        "conv_depthwise",
        lambda: [empty_channels_last(out_shape)],
        [x, taps, bias, residual],
        [*window, *function(name)],
    )
    for (out,) in outs:
        assert (
            np.abs(out - exact.numpy()) <= (kernel * kernel + 6) * 2.0**-22 * (magnitude + 4)
        ).all()


@settings(max_examples=30, deadline=None)
@given(
    window=window_parameters,
    extents=st.tuples(st.integers(1, 2), st.integers(1, 7), st.integers(1, 9)),
    groups=st.sampled_from([1, 1, 2]),
    channels=st.sampled_from([1, 5, 24]),
    outputs=st.sampled_from([1, 3, 24]),
    extra=st.integers(0, 1),
    seed=st.integers(0, 99),
)
def test_conv_transpose(
    window: tuple[int, ...],
    extents: tuple[int, int, int],
    groups: int,
    channels: int,
    outputs: int,
    extra: int,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    kh, kw, sh, sw, top, left, dh, dw = window
    extra = min(extra, max(sh, dh) - 1, max(sw, dw) - 1)
    out_height = (extents[1] - 1) * sh - 2 * top + dh * (kh - 1) + 1 + extra
    out_width = (extents[2] - 1) * sw - 2 * left + dw * (kw - 1) + 1 + extra
    if out_height < 1 or out_width < 1:
        return
    x = channels_last(random(rng, extents[0], channels * groups, *extents[1:]))
    weight, bias = random(rng, channels * groups, outputs, kh, kw), random(rng, outputs * groups)

    def exact(values: np.ndarray, weights: np.ndarray) -> torch.Tensor:
        return torch.nn.functional.conv_transpose2d(
            float64(values),
            float64(weights),
            float64(bias),
            (sh, sw),
            (top, left),
            extra,
            groups,
            (dh, dw),
        )

    outs = run_all(
        "conv_transpose",
        lambda: [empty_channels_last((extents[0], outputs * groups, out_height, out_width))],
        [x, core.pack_conv_transpose(weight, (sh, sw), (dh, dw), groups), bias, None],
        [*window, groups, *function("sigmoid")],
    )
    bound = (channels * kh * kw + 4) * 2.0**-23 * (exact(np.abs(x), np.abs(weight)).numpy() + 8)
    for (out,) in outs:
        assert (np.abs(out - torch.sigmoid(exact(x, weight)).numpy()) <= bound).all()


@pytest.mark.parametrize("pad", [0, 1])
@pytest.mark.parametrize("outputs", [1, 3, 24])
@pytest.mark.parametrize("kernel", [(2, 2), (1, 3)])
@pytest.mark.parametrize("inplace", [False, True])
def test_conv_transpose_without_overlap(
    kernel: tuple[int, int], outputs: int, pad: int, inplace: bool
) -> None:
    rng = np.random.default_rng(outputs)
    pads = (min(pad, kernel[0] - 1), min(pad, kernel[1] - 1))
    x, weight = channels_last(random(rng, 2, 5, 6, 7)), random(rng, 5, outputs, *kernel)
    bias = random(rng, outputs)
    exact = torch.nn.functional.conv_transpose2d(
        float64(x), float64(weight), float64(bias), kernel, pads, tuple(p // 2 for p in pads)
    )
    residual = channels_last(random(rng, *exact.shape)) if inplace else None
    exact = torch.tanh(exact + (0 if residual is None else float64(residual)))
    packed = core.pack_conv_transpose(weight, kernel, (1, 1))
    parameters = [*kernel, *kernel, *pads, 1, 1, 1, *function("tanh")]
    outs = run_all(
        "conv_transpose",
        lambda: [empty_channels_last(exact.shape)],
        [x, packed, bias, residual],
        parameters,
    )
    for (out,) in outs:
        np.testing.assert_allclose(out, exact.numpy(), rtol=0, atol=3e-6)
    if residual is not None:
        operands = [operand(each) for each in (residual, x, packed, bias, residual)]
        core.call("conv_transpose", operands, parameters)
        np.testing.assert_array_equal(residual, outs[1][0])


@settings(max_examples=20, deadline=None)
@given(
    window=window_parameters,
    extents=st.tuples(st.integers(1, 2), st.integers(3, 9), st.integers(3, 9)),
    channels=st.sampled_from([1, 7, 8, 20]),
    average=st.booleans(),
    count_pads=st.booleans(),
    seed=st.integers(0, 99),
)
def test_pool(
    window: tuple[int, ...],
    extents: tuple[int, int, int],
    channels: int,
    average: bool,
    count_pads: bool,
    seed: int,
) -> None:
    kh, kw, sh, sw, top, left, dh, dw = window
    top, left = min(top, kh // 2), min(left, kw // 2)
    if average:
        dh = dw = 1
    x = channels_last(random(np.random.default_rng(seed), extents[0], channels, *extents[1:]))
    if dh * (kh - 1) >= extents[1] or dw * (kw - 1) >= extents[2]:
        return
    if average:
        exact = torch.nn.functional.avg_pool2d(
            float64(x), (kh, kw), (sh, sw), (top, left), False, count_pads
        )
    else:
        exact = torch.nn.functional.max_pool2d(
            float64(x), (kh, kw), (sh, sw), (top, left), (dh, dw)
        )
    outs = run_all(
        "pool",
        lambda: [empty_channels_last(exact.shape)],
        [x],
        [int(average), kh, kw, sh, sw, top, left, dh, dw, int(count_pads)],
    )
    for (out,) in outs:
        np.testing.assert_allclose(out, exact.numpy(), rtol=0, atol=4e-6 if average else 0)


def test_a_wide_one_dimensional_kernel_over_one_channel() -> None:
    rng = np.random.default_rng(0)
    x, weight = channels_last(random(rng, 1, 1, 1, 900)), random(rng, 34, 1, 1, 256)
    exact = torch.nn.functional.conv2d(float64(x), float64(weight), None, (1, 64)).numpy()
    outs = run_all(
        "conv_packed",
        lambda: [empty_channels_last(exact.shape)],
        [x, core.pack_conv(weight), None, None],
        [1, 256, 1, 64, 0, 0, 1, 1, 1, *function("identity")],
    )
    for (out,) in outs:
        np.testing.assert_allclose(out, exact, rtol=0, atol=2e-4)


@pytest.mark.parametrize(
    ("index", "value", "message"),
    [
        (0, 0, "kernel"),
        (2, 0, "stride"),
        (4, -1, "pad"),
        (6, 0, "dilation"),
        (8, 3, "groups"),
        (8, 0, "groups"),
        (0, 300000, "taps"),
        (9, 40, "function"),
        (1, 4, "too short"),
    ],
)
@pytest.mark.parametrize("name", ["conv_packed", "conv_transpose"])
def test_refuses(name: str, index: int, value: int, message: str) -> None:
    parameters: list[int | float] = [3, 3, 1, 1, 1, 1, 1, 1, 1, *function("identity")]
    parameters[index] = value
    x, out = empty_channels_last((1, 4, 5, 5)), empty_channels_last((1, 8, 5, 5))
    packed = core.pack_conv(np.zeros((8, 4, 3, 3), np.float32))
    with pytest.raises(ValueError, match=message):
        core.call(name, [operand(out), operand(x), operand(packed)], parameters)


def test_refuses_channels_first() -> None:
    x, out = np.zeros((1, 4, 5, 5), np.float32), empty_channels_last((1, 8, 5, 5))
    packed = core.pack_conv(np.zeros((8, 4, 1, 1), np.float32))
    with pytest.raises(ValueError, match="channels-last"):
        core.call(
            "conv_packed",
            [operand(out), operand(x), operand(packed)],
            [1, 1, 1, 1, 0, 0, 1, 1, 1, *function("identity")],
        )
