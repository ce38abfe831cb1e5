"""Convolutions of the probe's own grid: pointwise, windows, depthwise, transposed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from netwright.machine.probe.points import (
    KernelPoint,
    ProbeOperand,
    dense,
    image,
    packed,
    point,
)

SIDES = (3, 6, 12, 24, 48, 96, 192)
CHANNELS = (
    (8, 32), (16, 16), (16, 96), (48, 16), (32, 64), (96, 24), (64, 64), (64, 256), (128, 128),
    (192, 48), (256, 64), (40, 240), (256, 256), (512, 128), (160, 640), (512, 512), (1024, 256),
)  # fmt: skip
LARGEST_POINTWISE = 2**26  # multiply-adds
PLACES = ((1, 4), (1, 48), (8, 8), (32, 32), (48, 160), (128, 128))  # height, width of the output
WINDOWS = ((1, 3), (1, 5), (3, 3), (5, 5), (7, 7), (3, 33))
INPUTS = (16, 32, 64, 256)
FEW_INPUTS = (1, 2, 4, 6)  # of these a row of taps is read in one run
LINE_PLACES = ((1, 64), (10, 10), (24, 40), (48, 160), (128, 128))
LINE_WINDOWS = ((1, 3), (1, 9), (3, 3), (5, 5), (9, 3), (3, 21), (5, 35))
OUTPUTS = (8, 16, 32, 64, 256)
LARGEST_WINDOW = 2**26
WINOGRAD_SIDES = (8, 16, 40, 80)  # of the output, whole tiles
WINOGRAD_CHANNELS = ((1, 32), (16, 16), (48, 8), (32, 96), (96, 32), (128, 128), (256, 256))
LARGEST_WINOGRAD = 2**27  # multiply-adds of the direct form
DEPTHWISE_SIDES = (4, 8, 16, 32, 64, 128)
DEPTHWISE_CHANNELS = (16, 64, 192, 640)
LARGEST_DEPTHWISE = 2**21  # elements


def _parameters(kernel: tuple[int, int], stride: int, last: tuple[int, ...]) -> tuple[int, ...]:
    return (*kernel, stride, stride, kernel[0] // 2, kernel[1] // 2, 1, 1, *last)


def _operands(
    place: tuple[int, int], stride: int, channels: tuple[int, int], weight: ProbeOperand
) -> tuple[ProbeOperand | None, ...]:
    height, width = place
    return (
        image(1, channels[1], height, width),
        image(1, channels[0], height * stride, width * stride),
        weight,
        dense("fp32", channels[1]),
        None,
    )


def convolutions() -> Iterator[KernelPoint]:
    """All of them."""
    yield from _pointwise()
    yield from _windows()
    yield from _winograd()
    yield from _depthwise()
    yield from _transposed()


def _pointwise() -> Iterator[KernelPoint]:
    for side, (inputs, outputs) in product(SIDES, CHANNELS):
        if side * side * inputs * outputs <= LARGEST_POINTWISE:
            operands = _operands((side, side), 1, (inputs, outputs), packed(outputs, inputs, 1, 1))
            sizes = (side * side, 1, inputs, outputs)
            parameters = (*_parameters((1, 1), 1, (1, 0)), 0.0, 0.0)
            yield point("conv_packed", "pointwise", sizes, operands, parameters)


def _windows() -> Iterator[KernelPoint]:
    """Every second point of two grids; one size of image with a stride of 2."""
    yield from _grid("window", (PLACES, WINDOWS), INPUTS, OUTPUTS)
    yield from _grid("lines", (LINE_PLACES, LINE_WINDOWS), FEW_INPUTS, OUTPUTS[:-1])


def _grid(
    variant: str,
    planes: tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]],
    depths: tuple[int, ...],
    widths: tuple[int, ...],
) -> Iterator[KernelPoint]:
    places_of, windows = planes
    grid = product(enumerate(places_of), enumerate(windows), enumerate(depths), enumerate(widths))
    for (a, place), (b, kernel), (c, inputs), (d, outputs) in grid:
        taps, places = kernel[0] * kernel[1], place[0] * place[1]
        work = places * taps * inputs * outputs
        if (a + b + c + d) % 2 or work > LARGEST_WINDOW or taps * inputs * outputs > 2**20:
            continue
        stride = 2 if a == 2 else 1
        operands = _operands(place, stride, (inputs, outputs), packed(outputs, inputs, taps, 1))
        parameters = (*_parameters(kernel, stride, (1, 0)), 0.0, 0.0)
        inner = (kernel[0], kernel[1] * inputs) if variant == "lines" else (taps, inputs)
        yield point("conv_packed", variant, (places, *inner, outputs), operands, parameters)


def _winograd() -> Iterator[KernelPoint]:
    """Tiles of 2x2 and 4x4, with a pad of 1."""
    for tile, side, (inputs, outputs) in product((2, 4), WINOGRAD_SIDES, WINOGRAD_CHANNELS):
        if 9 * side * side * inputs * outputs <= LARGEST_WINOGRAD:
            weight = packed(outputs, inputs, (tile + 2) ** 2, 1)
            operands = _operands((side, side), 1, (inputs, outputs), weight)
            sizes = ((side // tile) ** 2, inputs, outputs)
            parameters = (tile, 1, 1, 0, 0.0, 0.0)
            yield point("conv_winograd", f"{tile}x{tile}", sizes, operands, parameters)


def _depthwise() -> Iterator[KernelPoint]:
    for side, channels, kernel, stride in product(
        DEPTHWISE_SIDES, DEPTHWISE_CHANNELS, (3, 5), (1, 2)
    ):
        if side * side * channels > LARGEST_DEPTHWISE:
            continue
        weight = dense("fp32", kernel * kernel, channels, resident=True)
        operands = _operands((side, side), stride, (channels, channels), weight)
        parameters = (*_parameters((kernel, kernel), stride, (0,)), 0.0, 0.0)
        met = sum(
            0 <= y * stride - kernel // 2 + i < side * stride
            for y in range(side)
            for i in range(kernel)
        )
        sizes = (side * -(-side // 8) * 8, round(kernel * met / side), channels)
        variant = "unit" if stride == 1 else "strided"
        yield point("conv_depthwise", variant, sizes, operands, parameters)


def _transposed() -> Iterator[KernelPoint]:
    """A window of 2 with a stride of 2."""
    for side, inputs, outputs in product((8, 24, 64, 128), (8, 24, 64), (1, 8, 24)):
        operands = (
            image(1, outputs, side * 2, side * 2),
            image(1, inputs, side, side),
            packed(outputs, inputs, 4, 1),
            dense("fp32", outputs),
            None,
        )
        parameters = (2, 2, 2, 2, 0, 0, 1, 1, 1, 0, 0.0, 0.0)
        sizes = (4 * side * side, 4, inputs, outputs)
        yield point("conv_transpose", "fp32", sizes, operands, parameters)
