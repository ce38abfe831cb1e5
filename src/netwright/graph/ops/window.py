"""Sliding windows over spatial dims: output sizes, projections and tap views."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from netwright.graph.extent import Extent
from netwright.graph.op import OpKind, Projection
from netwright.graph.ops.shape import fail, floor_divide

Array: TypeAlias = NDArray[Any]
Pads: TypeAlias = tuple[tuple[int, int], ...]


def check_window(kind: OpKind, rank: int, *attributes: Sequence[object]) -> None:
    """Every attribute names each of the `rank` spatial dims."""
    for attribute in attributes:
        if len(attribute) != rank:
            fail(
                kind, f"attribute {tuple(attribute)} names {len(attribute)} of {rank} spatial dims"
            )


def window_count(kind: OpKind, size: Extent, reach: int, stride: int, pad: int) -> Extent:
    """How many windows of `reach` elements fit in `size + pad` at this stride."""
    if stride < 1:
        fail(kind, f"stride is {stride}, expected at least 1")
    room = size + pad - reach
    if isinstance(room, int) and room < 0:
        fail(kind, f"a window of {reach} does not fit a dim of {size} padded by {pad}")
    return floor_divide(kind, room, stride) + 1


def window_projection(position: str, tap: str, stride: int, dilation: int, pad: int) -> Projection:
    """`stride * position + dilation * tap - pad`."""
    return Projection(((position, stride), (tap, dilation)), -pad)


def taps(
    padded: Array,
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    sizes: Sequence[int],
) -> Iterator[tuple[tuple[int, ...], Array]]:
    """For every kernel position the view [..., *sizes] of `padded` that it multiplies."""
    for offsets in itertools.product(*(range(k) for k in kernel)):
        spans = tuple(
            slice(o * d, o * d + (n - 1) * s + 1, s)
            for o, d, s, n in zip(offsets, dilations, strides, sizes, strict=True)
        )
        yield offsets, padded[(..., *spans)]


def pad_spatial(x: Array, pads: Pads, value: float) -> Array:
    """X [N, C, *spatial] padded by a constant."""
    return np.pad(x, ((0, 0), (0, 0), *pads), constant_values=value)
