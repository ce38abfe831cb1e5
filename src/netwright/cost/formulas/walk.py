"""Runs: how the core walks several strided views of one shape together.

As native/kernels/float_walk.hpp does it: dims in the order of the first view's strides, merged
where every view allows; each innermost run costs a step of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from netwright.cost.work import View


class Runs(NamedTuple):
    """`num` innermost runs of `length` elements; bytes from one element to the next, by view."""

    num: int
    length: int
    inner_bytes: tuple[int, ...]


def runs(views: Sequence[View]) -> Runs | None:
    """The runs of these views, the written one first; None when a view's strides are not known.

    A view of fewer dims than the first, or of an other shape, has no strides of its own: None.
    """
    first = views[0]
    if any(v.shape != first.shape or len(v.stride_bytes) != len(v.shape) for v in views):
        return None
    dims = [
        (size, tuple(v.stride_bytes[d] for v in views))
        for d, size in enumerate(first.shape)
        if size != 1
    ]
    dims.sort(key=lambda dim: -abs(dim[1][0]))
    merged: list[tuple[int, tuple[int, ...]]] = []
    for size, strides in dims:
        if merged and all(
            outer == stride * size for outer, stride in zip(merged[-1][1], strides, strict=True)
        ):
            merged[-1] = (merged[-1][0] * size, strides)
        else:
            merged.append((size, strides))
    if not merged:
        return Runs(1, 1, tuple(0 for _ in views))
    length, inner = merged[-1]
    return Runs(first.elements // max(length, 1), length, inner)
