"""3x3 convolutions in Winograd's form against torch in float64, within the bound that it states."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.native import core
from netwright.program.reference.winograd import TRANSFORMS, transformed

from .calls import Array, channels_last, empty_channels_last, function, operand, run_all


def random(rng: np.random.Generator, *shape: int) -> Array:
    return rng.standard_normal(shape).astype(np.float32)


def convolved(x: Array, weight: Array, pads: tuple[int, int, int, int]) -> Array:
    """Pads are left, right, top, bottom, as torch has them."""
    padded = torch.nn.functional.pad(torch.from_numpy(x.astype(np.float64)), pads)
    return torch.nn.functional.conv2d(padded, torch.from_numpy(weight.astype(np.float64))).numpy()


def magnitude(x: Array, weight: Array, m: int, box: tuple[int, int, int, int]) -> Array:
    """|A|^T [sum of (|G||g||G|^T) * (|B|^T|d||B|)] |A| over the tiles of an image."""
    top, left, height, width = box
    a, b, g = (np.abs(t) for t in (TRANSFORMS[m].output, TRANSFORMS[m].input, TRANSFORMS[m].weight))
    rows, columns = -(-height // m), -(-width // m)
    padded = np.zeros((*x.shape[:2], rows * m + 2 + x.shape[2], columns * m + 2 + x.shape[3]))
    padded[:, :, top : top + x.shape[2], left : left + x.shape[3]] = np.abs(x)
    windows = g @ np.abs(weight).astype(np.float64) @ g.T
    result = np.zeros((x.shape[0], weight.shape[0], rows * m, columns * m))
    for row in range(rows):
        for column in range(columns):
            y, z = row * m, column * m
            tile = b @ padded[:, :, y : y + m + 2, z : z + m + 2] @ b.T
            sums = np.einsum("ncij,ocij->noij", tile, windows)
            result[:, :, y : y + m, z : z + m] = a @ sums @ a.T
    return result[:, :, :height, :width]


@settings(max_examples=40, deadline=None)
@given(
    m=st.sampled_from([2, 4]),
    pads=st.tuples(*[st.integers(0, 2)] * 4),
    extents=st.tuples(st.integers(1, 2), st.integers(1, 14), st.integers(1, 19)),
    channels=st.sampled_from([1, 3, 8, 13, 24, 100]),
    outputs=st.sampled_from([1, 4, 8, 15, 24, 33, 40]),
    name=st.sampled_from(["identity", "relu", "hard_swish"]),
    fused=st.booleans(),
    slice_of=st.integers(0, 3),
    seed=st.integers(0, 99),
)
def test_conv_winograd(
    m: int,
    pads: tuple[int, int, int, int],
    extents: tuple[int, int, int],
    channels: int,
    outputs: int,
    name: str,
    fused: bool,
    slice_of: int,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    batch, height, width = extents
    left, right, top, bottom = pads
    if height + top + bottom < 3 or width + left + right < 3:
        return
    x = channels_last(random(rng, batch, channels + slice_of, height, width))[:, slice_of:]
    weight = random(rng, outputs, channels, 3, 3)
    exact = convolved(np.ascontiguousarray(x), weight, pads)
    # Two roundings a product in the plain form, as many sums, and those of the transforms.
    bound = (2 * channels + 48) * 2.0**-24 * magnitude(x, weight, m, (top, left, *exact.shape[2:]))
    bias = random(rng, outputs) if fused else None
    residual = channels_last(random(rng, *exact.shape)) if fused else None
    if bias is not None and residual is not None:
        exact = exact + bias[:, None, None] + residual
    exact = {
        "identity": lambda v: v,
        "relu": lambda v: np.maximum(v, 0),
        "hard_swish": lambda v: torch.nn.functional.hardswish(torch.from_numpy(v)).numpy(),
    }[name](exact)
    packed = core.pack_conv(transformed(weight, m).astype(np.float32))
    outs = run_all(
        "conv_winograd",
        lambda: [empty_channels_last((batch, outputs + slice_of, *exact.shape[2:]))[:, slice_of:]],
        [x, packed, bias, residual],
        [m, top, left, *function(name)],
    )
    for (out,) in outs:
        assert (np.abs(out - exact) <= 1.5 * bound + 2.0**-20 * (np.abs(exact) + 4)).all()


@pytest.mark.parametrize("m", [2, 4])
def test_typical_error_of_a_large_sum_is_far_below_the_bound_of_networks(m: int) -> None:
    rng = np.random.default_rng(m)
    x, weight = channels_last(random(rng, 1, 256, 12, 12)), random(rng, 32, 256, 3, 3)
    exact = convolved(np.ascontiguousarray(x), weight, (1, 1, 1, 1))
    packed = core.pack_conv(transformed(weight, m).astype(np.float32))
    for (out,) in run_all(
        "conv_winograd",
        lambda: [empty_channels_last(exact.shape)],
        [x, packed, None, None],
        [m, 1, 1, *function("identity")],
    ):
        assert np.abs(out - exact).max() <= 1e-4 * np.abs(exact).max()


@pytest.mark.parametrize("m", [2, 4])
def test_the_residual_may_lie_where_the_output_goes(m: int) -> None:
    rng = np.random.default_rng(5)
    x, residual = channels_last(random(rng, 1, 9, 7, 6)), channels_last(random(rng, 1, 11, 7, 6))
    weight = random(rng, 11, 9, 3, 3)
    packed = core.pack_conv(transformed(weight, m).astype(np.float32))
    parameters = [m, 1, 1, *function("relu")]
    ((_,), (apart,)) = run_all(
        "conv_winograd",
        lambda: [empty_channels_last(residual.shape)],
        [x, packed, None, residual],
        parameters,
    )
    core.call(
        "conv_winograd", [operand(o) for o in (residual, x, packed, None, residual)], parameters
    )
    np.testing.assert_array_equal(residual, apart)


@pytest.mark.parametrize(
    ("index", "value", "message"),
    [(0, 3, "2 or 4"), (1, -1, "pad"), (3, 40, "function"), (0, 4, "too short")],
)
def test_refuses(index: int, value: int, message: str) -> None:
    parameters: list[int | float] = [2, 1, 1, *function("identity")]
    parameters[index] = value
    x, out = empty_channels_last((1, 4, 5, 5)), empty_channels_last((1, 8, 5, 5))
    packed = core.pack_conv(np.zeros((8, 4, 4, 4), np.float32))
    with pytest.raises(ValueError, match=message):
        core.call("conv_winograd", [operand(out), operand(x), operand(packed)], parameters)
