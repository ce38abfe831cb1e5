"""Pooling and resizing of spatial dims (x [N, C, *spatial]). Global pooling is Reduce."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.graph.extent import Extent
from netwright.graph.op import Einsum, OpKind, TensorType
from netwright.graph.ops.cascade import Loops, access, loops, names
from netwright.graph.ops.resize import Resize
from netwright.graph.ops.shape import count, fail, floor_divide, operand, rank_at_least
from netwright.graph.ops.window import check_window, pad_spatial, taps, window_projection

__all__ = ["Pool", "Resize"]

Array: TypeAlias = NDArray[Any]


@final
@dataclass(frozen=True, slots=True)
class Pool(OpKind):
    """`mode` is "max" or "average". Input: x.

    With `ceil_mode` a window may hang over the end, but must start inside x or its left pad. An
    average divides by the elements of x under the window, or, with `count_include_pad`, by those
    of the padded x (as torch and ONNX since opset 19; never by what hangs over).
    """

    mode: str
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    dilations: tuple[int, ...]
    count_include_pad: bool = False
    ceil_mode: bool = False

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 1, 1)
        x = operand(self, types, 0, "x", "float")
        rank_at_least(self, x, 3, "x")
        if self.mode not in ("max", "average"):
            fail(self, f"mode {self.mode!r} is unknown; expected max or average")
        check_window(self, len(x.shape) - 2, self.kernel, self.strides, self.pads, self.dilations)
        return (TensorType((*x.shape[:2], *self._sizes(x.shape[2:]))),)

    def _sizes(self, spatial: Sequence[Extent]) -> tuple[Extent, ...]:
        result: list[Extent] = []
        for i, size in enumerate(spatial):
            stride, (before, after) = self.strides[i], self.pads[i]
            reach = (self.kernel[i] - 1) * self.dilations[i] + 1
            room = size + (before + after - reach)
            if stride < 1 or (isinstance(room, int) and room < 0):
                fail(
                    self,
                    f"spatial dim {i}: a window of {reach} does not fit {size} padded by "
                    f"{before}, {after} at stride {stride}",
                )
            windows = floor_divide(self, room, stride) + 1
            if self.ceil_mode:
                windows = floor_divide(self, room + (stride - 1), stride) + 1
                if isinstance(windows, int) and isinstance(size, int):
                    windows -= (windows - 1) * stride >= size + before
            result.append(windows)
        return tuple(result)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        shape = outputs[0].shape
        positions, kernel = names(len(self.kernel), "p"), names(len(self.kernel), "r")
        over: Loops = (("n", shape[0]), ("c", shape[1]), *loops(positions, shape[2:]))
        places = [
            window_projection(p, r, s, d, pad[0])
            for p, r, s, d, pad in zip(
                positions, kernel, self.strides, self.dilations, self.pads, strict=True
            )
        ]
        dims = ("n", "c", *positions)
        average = self.mode == "average"
        gathered = Einsum(
            (*over, *loops(kernel, self.kernel)),
            (access(0, ("n", "c", *places)),),
            access(-1 if average else 1, dims),
            "identity",
            "add" if average else "max",
        )
        if not average:
            return (gathered,)
        # The divisor is that of a whole window; at borders the reference divides by what it covers.
        whole = Einsum(over, (access(-1, dims),), access(1, dims), "div_by", parameters=self.kernel)
        return (gathered, whole)

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        x = arrays[0]
        assert x is not None
        sizes = [s for s in self._sizes(x.shape[2:]) if isinstance(s, int)]
        hang = [
            max(0, (o - 1) * s + (k - 1) * d + 1 - n - sum(p))
            for o, s, k, d, n, p in zip(
                sizes,
                self.strides,
                self.kernel,
                self.dilations,
                x.shape[2:],
                self.pads,
                strict=True,
            )
        ]
        reach = tuple((b, a + h) for (b, a), h in zip(self.pads, hang, strict=True))
        window = (self.kernel, self.strides, self.dilations, sizes)
        if self.mode == "max":
            views = [v for _, v in taps(pad_spatial(x, reach, -np.inf), *window)]
            return (np.max(np.stack(views), axis=0),)
        inside = np.ones((1, 1, *x.shape[2:]))
        counted = pad_spatial(inside, self.pads, 1.0 if self.count_include_pad else 0.0)
        counted = pad_spatial(counted, tuple((0, h) for h in hang), 0.0)
        total = np.sum([v for _, v in taps(pad_spatial(x, reach, 0.0), *window)], axis=0)
        divisor = np.sum([v for _, v in taps(counted, *window)], axis=0)
        return (total / divisor,)
