"""The kernels that can compute a convolution: direct, Winograd's form, a product of matrices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from netwright.graph.op import Op
from netwright.graph.ops.conv import Conv
from netwright.native import core
from netwright.plan.lower.emitter import Emitter
from netwright.plan.lower.epilogue import epilogue
from netwright.plan.lower.layout import grouped, permuted, times
from netwright.plan.lower.step import Offer, Parameter, View, Weight
from netwright.program.reference.winograd import TRANSFORMS, transformed

# out, x, bias, residual: [N, C, H, W] with channels last in memory.
Images: TypeAlias = tuple[View, View, View | None, View | None]
Window: TypeAlias = Sequence[Parameter]

MOST_WINOGRAD_CHANNELS = 65536  # the kernel refuses more: a block of tiles would fit no cache


def conv_offers(
    emitter: Emitter, op: Op, images: Images, window: Window, work: float
) -> list[Offer]:
    """Every kernel for a convolution that is not depthwise, the direct one first.

    `window` is kernel, strides, pads before, dilations, each for height and width; `work` counts
    the multiply-adds of the direct form.
    """
    assert isinstance(op.kind, Conv)
    out, x, *extra = images
    groups = op.kind.groups
    channels, outputs = emitter.most(x.shape[1]) // groups, emitter.most(out.shape[1])
    taps = emitter.most(window[0]) * emitter.most(window[1])  # pyright: ignore[reportArgumentType]
    ends = epilogue(op.kind.function)
    padded = -(-outputs // groups // 8) * 8 * groups
    table = _weight(
        emitter, op, ("conv", groups), 4 * padded * channels * taps,
        lambda w: core.pack_conv(w, groups),
    )  # fmt: skip
    direct = emitter.step(
        "conv_packed", [out], [x, table.seen, *extra], [*window, groups, *ends], op.name, work
    )
    offers = [Offer("direct", direct, table)]
    if groups == 1:
        unpadded = all(p == (0, 0) for p in op.kind.pads)
        rows = _as_rows(images, window) if unpadded else None
        if rows is not None:
            rows_out, rows_x, bias, residual = rows
            product = emitter.step(
                "gemm_packed", [rows_out], [rows_x, table.seen, bias, residual],
                [taps * channels, outputs, *ends], op.name, work,
            )  # fmt: skip
            offers.append(Offer("product of matrices", product, table))
        plain = tuple(window[:4]) == (3, 3, 1, 1) and tuple(window[6:]) == (1, 1)
        if plain and channels <= MOST_WINOGRAD_CHANNELS:
            offers += _winograd(emitter, op, images, (window[4], window[5]), work)
    return offers


def _winograd(
    emitter: Emitter, op: Op, images: Images, pads: tuple[Parameter, Parameter], work: float
) -> Iterator[Offer]:
    """Tiles of 2x2 and 4x4 outputs."""
    assert isinstance(op.kind, Conv)
    out, x, *extra = images
    padded = -(-emitter.most(out.shape[1]) // 8) * 8
    for m in TRANSFORMS:
        taps = (m + 2) ** 2
        table = _weight(
            emitter, op, ("winograd", m), 4 * padded * emitter.most(x.shape[1]) * taps,
            lambda w, m=m: core.pack_conv(transformed(w, m).astype(np.float32), 1),
        )  # fmt: skip
        step = emitter.step(
            "conv_winograd", [out], [x, table.seen, *extra],
            [m, *pads, *epilogue(op.kind.function)], op.name, work * taps / (9 * m * m),
        )  # fmt: skip
        yield Offer(f"Winograd, tiles of {m}x{m}", step, table)


def _weight(
    emitter: Emitter,
    op: Op,
    key: tuple[object, ...],
    size_bytes: int,
    pack: Callable[[NDArray[np.float32]], NDArray[Any]],
) -> Weight:
    tensor = op.inputs[1]
    assert tensor is not None

    def make() -> NDArray[Any]:
        array = np.ascontiguousarray(emitter.array(tensor), np.float32)
        return pack(array[:, :, None, :] if array.ndim == 3 else array)

    return emitter.packed((*key, tensor), size_bytes, make, emitter.graph[tensor].name)


def _as_rows(images: Images, window: Window) -> Images | None:
    """The same as a product of matrices: out [P, O], x [P, taps C]; None where it is none.

    A window's inputs must lie side by side: one pixel, or pixels along the one axis of an image
    that is a line. Neighbouring rows of x then share bytes. There are no pads.
    """
    out, x, bias, residual = images
    kernel, strides, dilations = (tuple(window[i : i + 2]) for i in (0, 2, 6))
    if kernel == (1, 1) and strides == (1, 1):
        rows = _pixels(x), _pixels(out), None if residual is None else _pixels(residual)
    else:
        axis = next((a for a in (0, 1) if kernel[1 - a] == 1 and x.shape[3 - a] == 1), None)
        if axis is None or dilations[axis] != 1 or x.shape[0] != 1:
            return None
        rows = (
            _windows(x, axis, (kernel[axis], strides[axis]), out),
            _pixels(out),
            None if residual is None else _pixels(residual),
        )
    if rows[0] is None or rows[1] is None or (residual is not None and rows[2] is None):
        return None
    return rows[1], rows[0], bias, rows[2]


def _pixels(image: View) -> View | None:
    """[N, C, H, W] as [N H W, C]."""
    return grouped(permuted(image, (0, 2, 3, 1)), ((0, 1, 2), (3,)))


def _windows(line: View, axis: int, window: tuple[Parameter, Parameter], out: View) -> View | None:
    """The windows of a line of pixels, one a row; None where its pixels are not side by side."""
    size, step = window
    assert isinstance(size, int) and isinstance(step, int)
    channels, pixel_bytes = line.shape[1], line.stride_bytes[2 + axis]
    if pixel_bytes != times(channels, line.item_bytes):
        return None
    return View(
        line.buffer, line.offset_bytes, line.format,
        (out.shape[2 + axis], times(channels, size)), (times(pixel_bytes, step), line.item_bytes),
    )  # fmt: skip
