"""Resizing of any dims, with the coordinate modes of ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.graph.op import Einsum, OpKind, TensorType
from netwright.graph.ops.cascade import access, loops, names
from netwright.graph.ops.shape import count, fail, operand, text

Array: TypeAlias = NDArray[Any]

COORDINATE_CODES = {
    "half_pixel": 0,
    "half_pixel_symmetric": 1,
    "pytorch_half_pixel": 2,
    "align_corners": 3,
    "asymmetric": 4,
}
ROUNDING_CODES = {"round_prefer_floor": 0, "round_prefer_ceil": 1, "floor": 2, "ceil": 3}


def source_coordinates(coordinates: str, size: int, output: int, scale: float) -> Array:
    """Where each of `output` elements lies in a dim of `size` elements (ONNX Resize; float64)."""
    at = np.arange(output, dtype=np.float64)
    if coordinates == "align_corners":
        return at * ((size - 1) / (output - 1)) if output > 1 else at * 0.0
    if coordinates == "asymmetric":
        return at / scale
    if coordinates == "pytorch_half_pixel" and output <= 1:
        return at * 0.0
    if coordinates == "half_pixel_symmetric":
        # Centres fall on centres; written so that exact halves stay exact for floor and ceil.
        return (at + (0.5 - output / 2)) / scale + (size / 2 - 0.5)
    return (at + 0.5) / scale - 0.5


def nearest_index(rounding: str, at: Array, size: int) -> NDArray[np.int64]:
    """The element that a coordinate picks, kept inside the dim."""
    if rounding == "round_prefer_floor":
        picked = np.ceil(at - 0.5)
    elif rounding == "round_prefer_ceil":
        picked = np.floor(at + 0.5)
    else:
        picked = np.floor(at) if rounding == "floor" else np.ceil(at)
    return np.clip(picked, 0, size - 1).astype(np.int64)


@final
@dataclass(frozen=True, slots=True)
class Resize(OpKind):
    """`mode` "nearest" or "linear"; `coordinates` and `rounding` as ONNX names them. Input: x."""

    sizes: tuple[int, ...]  # of every dim of the output
    scales: tuple[float, ...]
    mode: str
    coordinates: str
    rounding: str = "round_prefer_floor"

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 1, 1)
        x = operand(self, types, 0, "x", "float")
        if not len(self.sizes) == len(self.scales) == len(x.shape):
            fail(self, f"sizes and scales must name all dims of x, {text(x.shape)}")
        if min(self.scales, default=1.0) <= 0:
            fail(self, f"scales {self.scales} must be positive")
        if self.mode not in ("nearest", "linear"):
            fail(self, f"mode {self.mode!r} is not covered; expected nearest or linear")
        if self.coordinates not in COORDINATE_CODES:
            fail(
                self,
                f"coordinates {self.coordinates!r} are not covered; "
                f"expected one of {', '.join(COORDINATE_CODES)}",
            )
        if self.rounding not in ROUNDING_CODES:
            fail(
                self,
                f"rounding {self.rounding!r} is unknown; "
                f"expected one of {', '.join(ROUNDING_CODES)}",
            )
        return (TensorType(tuple(self.sizes)),)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        x = operand(self, types, 0, "x")
        if self.mode == "nearest":
            return ()
        # Each resized dim is a product with a two-banded matrix: a lerp of two neighbours.
        dims = names(len(x.shape))
        over = loops(dims, outputs[0].shape)
        resized = [d for d, s in enumerate(x.shape) if s != self.sizes[d]]
        taps = tuple((f"tap{d}", 2) for d in resized)
        return (Einsum((*over, *taps), (access(0, dims),), access(1, dims), "interpolate"),)

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        y = arrays[0]
        assert y is not None
        for dim, (output, scale) in enumerate(zip(self.sizes, self.scales, strict=True)):
            size = y.shape[dim]
            if output == size and scale == 1.0:
                continue
            at = source_coordinates(self.coordinates, size, output, scale)
            if self.mode == "nearest":
                y = np.take(y, nearest_index(self.rounding, at, size), axis=dim)
                continue
            at = np.clip(at, 0.0, size - 1)
            low = np.floor(at).astype(np.int64)
            high = np.minimum(low + 1, size - 1)
            weight = (at - low).reshape((-1,) + (1,) * (y.ndim - dim - 1))
            y = np.take(y, low, axis=dim) * (1 - weight) + np.take(y, high, axis=dim) * weight
        return (y,)
