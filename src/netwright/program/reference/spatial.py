"""References of convolution, pooling and resizing on [N, C, H, W]."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netwright.errors import ProgramError
from netwright.graph.ops.conv import Conv, ConvTranspose
from netwright.graph.ops.resize import COORDINATE_CODES, ROUNDING_CODES, Resize
from netwright.graph.ops.window import taps
from netwright.program.reference.call import Array, Call
from netwright.program.reference.packed import unpack


def _padded(x: Array, window: tuple[int, ...], sizes: Sequence[int], value: float) -> Array:
    """X with the border that windows of these counts read: cut or padded after, padded before.

    `window` is kernel, strides, pads before, dilations, each for height and width.
    """
    for axis in range(2):
        kernel, stride, before, dilation = window[axis::2]
        needed = (sizes[axis] - 1) * stride + (kernel - 1) * dilation + 1
        dim = axis + 2
        kept: int = min(int(x.shape[dim]), max(0, needed - before))
        x = np.take(x, np.arange(kept), axis=dim)
        border: list[tuple[int, int]] = [(0, 0)] * 4
        border[dim] = (before, max(0, needed - before - x.shape[dim]))
        x = np.pad(x, border, constant_values=value)
    return x


def _window(call: Call, first: int) -> tuple[int, ...]:
    return tuple(call.whole(first + i) for i in range(8))


def _epilogue(call: Call, product: Array, function: int) -> tuple[Array, ...]:
    """Bias along channels, residual of the output's shape, then the function."""
    last = np.moveaxis(product, 1, -1)
    residual = call.optional(3)
    moved = None if residual is None else np.moveaxis(residual, 1, -1)
    ends = Call(call.shapes, (call.optional(2), moved), call.parameters)
    return (np.moveaxis(ends.finish(last, 0, 1, function), -1, 1),)


def _convolve(call: Call, weight: Array, groups: int, function: int) -> tuple[Array, ...]:
    window = _window(call, 0)
    x = _padded(call.given(0), window, call.shape[2:], 0.0)
    kind = Conv(window[2:4], ((0, 0), (0, 0)), window[6:8], groups)
    (product,) = kind.reference((x, weight, None, None))
    return _epilogue(call, product, function)


def conv_packed(call: Call) -> tuple[Array, ...]:
    """A convolution whose weight is in panels."""
    groups = call.whole(8)
    outputs, inputs = call.shape[1] // groups, call.given(0).shape[1] // groups
    kernel = call.pair(0)
    weight = unpack(call.given(1), outputs, inputs, kernel[0] * kernel[1], groups)
    return _convolve(call, weight.reshape(-1, inputs, *kernel), groups, 9)


def conv_depthwise(call: Call) -> tuple[Array, ...]:
    """One filter a channel, weight [taps, C]."""
    channels = call.shape[1]
    weight = call.given(1).T.reshape(channels, 1, *call.pair(0))
    return _convolve(call, weight, channels, 8)


def _transpose_weight(
    raw: Array, sizes: tuple[int, int], window: tuple[int, ...], groups: int
) -> Array:
    """[groups, outputs, inputs, taps]; windows that tile the output are columns of one product."""
    (outputs, inputs), taps_of_kernel = sizes, window[0] * window[1]
    tiles = window[0:2] == window[2:4] and window[6:8] == (1, 1) and groups == 1
    if not tiles or taps_of_kernel == 1:
        return unpack(raw, outputs, inputs, taps_of_kernel, groups)
    flat = unpack(raw, taps_of_kernel * outputs, inputs, 1, 1)
    return flat.reshape(1, taps_of_kernel, outputs, inputs).transpose(0, 2, 3, 1)


def conv_transpose(call: Call) -> tuple[Array, ...]:
    """A transposed convolution whose weight is in panels."""
    x, groups, window = call.given(0), call.whole(8), _window(call, 0)
    outputs, inputs = call.shape[1] // groups, x.shape[1] // groups
    kernel, strides, before, dilations = (window[i : i + 2] for i in (0, 2, 4, 6))
    weight = _transpose_weight(call.given(1), (outputs, inputs), window, groups)
    weight = weight.transpose(0, 2, 1, 3).reshape(-1, outputs, *kernel)
    reach = [
        (n - 1) * s + (k - 1) * d + 1
        for n, s, k, d in zip(x.shape[2:], strides, kernel, dilations, strict=True)
    ]
    extra = tuple(max(0, b + o - r) for b, o, r in zip(before, call.shape[2:], reach, strict=True))
    kind = ConvTranspose(strides, ((0, 0), (0, 0)), dilations, extra, groups)
    (full,) = kind.reference((x, weight, None))
    crop = tuple(slice(b, b + o) for b, o in zip(before, call.shape[2:], strict=True))
    return _epilogue(call, full[(..., *crop)], 9)


def pool(call: Call) -> tuple[Array, ...]:
    """Largest or average; an average divides by the elements of x, or by the whole window."""
    x, window, sizes = call.given(0), _window(call, 1), call.shape[2:]
    over = (window[0:2], window[2:4], window[6:8], sizes)
    if call.whole(0) == 0:
        views = [v for _, v in taps(_padded(x, window, sizes, -np.inf), *over)]
        return (np.max(np.stack(views), axis=0),)
    total = np.sum([v for _, v in taps(_padded(x, window, sizes, 0.0), *over)], axis=0)
    if call.whole(9):
        return (total / (window[0] * window[1]),)
    ones = _padded(np.ones((1, 1, *x.shape[2:])), window, sizes, 0.0)
    return (total / np.sum([v for _, v in taps(ones, *over)], axis=0),)


def resize(call: Call) -> tuple[Array, ...]:
    """Nearest or linear over height and width."""
    codes = (call.whole(1), call.whole(2))
    coordinates = {code: name for name, code in COORDINATE_CODES.items()}.get(codes[0])
    rounding = {code: name for name, code in ROUNDING_CODES.items()}.get(codes[1])
    if coordinates is None or rounding is None:
        raise ProgramError(f"no coordinates or rounding have codes {codes}")
    scales = (1.0, 1.0, call.real(3), call.real(4))
    mode = "linear" if call.whole(0) else "nearest"
    return Resize(call.shape, scales, mode, coordinates, rounding).reference((call.given(0),))
