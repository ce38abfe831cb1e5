"""Convolutions, in ONNX layouts (x [N, C, *spatial]); 1-D and 2-D."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.graph.extent import Extent
from netwright.graph.op import Einsum, OpKind, Projection, TensorType
from netwright.graph.ops.cascade import Loops, access, broadcast_access, finish, loops, names
from netwright.graph.ops.function import IDENTITY, Function, apply, function_element
from netwright.graph.ops.shape import (
    broadcasts_to,
    count,
    expect,
    fail,
    operand,
    optional,
    rank_at_least,
    text,
)
from netwright.graph.ops.window import (
    check_window,
    pad_spatial,
    taps,
    window_count,
    window_projection,
)

Array: TypeAlias = NDArray[Any]


def _static(kind: OpKind, name: str, shape: tuple[Extent, ...]) -> tuple[int, ...]:
    sizes = tuple(e for e in shape if isinstance(e, int))
    if len(sizes) != len(shape):
        fail(kind, f"{name} has shape {text(shape)}; its sizes cannot be symbolic")
    return sizes


def _epilogue(array: Array, arrays: Sequence[Array | None], function: Function) -> Array:
    """Add bias [O] (operand 2) and residual (operand 3), then apply the function."""
    bias = arrays[2] if len(arrays) > 2 else None
    residual = arrays[3] if len(arrays) > 3 else None
    if bias is not None:
        array = array + bias.reshape((-1,) + (1,) * (array.ndim - 2))
    if residual is not None:
        array = array + residual
    return apply(function, array)


@final
@dataclass(frozen=True, slots=True)
class Conv(OpKind):
    """y = f(conv(x, weight) + bias + residual).

    Inputs: x, weight [O, C/groups, *kernel], bias [O] or None, residual or None.
    """

    strides: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]  # (before, after) a spatial dim
    dilations: tuple[int, ...]
    groups: int = 1
    function: Function = IDENTITY

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 2, 4)
        x, w = operand(self, types, 0, "x", "float"), operand(self, types, 1, "weight", "float")
        rank_at_least(self, x, 3, "x")
        weight = _static(self, "weight", w.shape)
        if len(weight) != len(x.shape):
            fail(self, f"x has shape {text(x.shape)} and weight {text(w.shape)}: ranks differ")
        check_window(self, len(weight) - 2, self.strides, self.pads, self.dilations)
        if self.groups < 1 or weight[0] % self.groups:
            fail(self, f"{weight[0]} outputs do not divide into {self.groups} groups")
        if x.shape[1] != weight[1] * self.groups:
            fail(self, f"x has {x.shape[1]} channels, expected {weight[1] * self.groups}")
        spatial = tuple(
            window_count(self, size, (k - 1) * d + 1, s, sum(p))
            for size, k, d, s, p in zip(
                x.shape[2:], weight[2:], self.dilations, self.strides, self.pads, strict=True
            )
        )
        shape = (x.shape[0], weight[0], *spatial)
        bias, residual = optional(types, 2), optional(types, 3)
        if bias is not None:
            expect(self, "bias", bias.shape, (weight[0],))
        if residual is not None:
            broadcasts_to(self, "residual", residual.shape, shape)
        return (TensorType(shape, function_element(self.function, "float")),)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        weight = operand(self, types, 1, "weight").shape
        shape = outputs[0].shape
        positions, kernel = names(len(shape) - 2, "p"), names(len(shape) - 2, "r")
        each, inner = _static(self, "weight", weight)[0] // self.groups, weight[1]
        assert isinstance(inner, int)
        first: Loops = (("n", shape[0]), ("g", self.groups), ("o", each))
        over = (*first, *loops(positions, shape[2:]))
        channel = Projection((("g", inner), ("c", 1)))
        unit = Projection((("g", each), ("o", 1)))
        places = [
            window_projection(p, r, s, d, pad[0])
            for p, r, s, d, pad in zip(
                positions, kernel, self.strides, self.dilations, self.pads, strict=True
            )
        ]
        dims = ("n", unit, *positions)
        product = Einsum(
            (*over, ("c", inner), *loops(kernel, weight[2:])),
            (access(0, ("n", channel, *places)), access(1, (unit, "c", *kernel))),
            access(-1, dims),
        )
        return (product, *_ends(self.function, over, positions, unit, types))

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        x, w = arrays[0], arrays[1]
        assert x is not None
        assert w is not None
        padded = pad_spatial(x, self.pads, 0.0)
        kernel = w.shape[2:]
        sizes = [
            (n - (k - 1) * d - 1) // s + 1
            for n, k, d, s in zip(
                padded.shape[2:], kernel, self.dilations, self.strides, strict=True
            )
        ]
        batch, each = x.shape[0], w.shape[1]
        grouped = w.reshape(self.groups, -1, each, *kernel)
        y = np.zeros((batch, self.groups, w.shape[0] // self.groups, int(np.prod(sizes))))
        for offsets, view in taps(padded, kernel, self.strides, self.dilations, sizes):
            columns = view.reshape(batch, self.groups, each, -1)
            tap = grouped[(..., *offsets)]
            y += tap * columns if each == 1 else tap @ columns
        return (_epilogue(y.reshape(batch, w.shape[0], *sizes), arrays, self.function),)


def _ends(
    function: Function,
    over: Loops,
    positions: Sequence[str],
    unit: Projection,
    types: Sequence[TensorType | None],
) -> tuple[Einsum, ...]:
    """The epilogue from intermediate -1, over batch, group, output and positions."""
    dims = ("n", unit, *positions)
    added = [access(-1, dims)]
    if optional(types, 2) is not None:
        added.append(access(2, (unit,)))
    residual = optional(types, 3)
    if residual is not None:
        flat = broadcast_access(3, residual.shape, ("n", "o", *positions))
        channel = len(residual.shape) - len(positions) - 1
        projections = list(flat.projections)
        if channel >= 0 and residual.shape[channel] != 1:
            projections[channel] = unit
        added.append(access(3, projections))
    return finish(over, dims, added, function, len(types))


@final
@dataclass(frozen=True, slots=True)
class ConvTranspose(OpKind):
    """Inputs: x, weight [C, O/groups, *kernel], bias [O] or None; y = f(transposed conv + bias)."""

    strides: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    dilations: tuple[int, ...]
    output_padding: tuple[int, ...]
    groups: int = 1
    function: Function = IDENTITY

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 2, 3)
        x, w = operand(self, types, 0, "x", "float"), operand(self, types, 1, "weight", "float")
        rank_at_least(self, x, 3, "x")
        weight = _static(self, "weight", w.shape)
        if len(weight) != len(x.shape):
            fail(self, f"x has shape {text(x.shape)} and weight {text(w.shape)}: ranks differ")
        rank = len(weight) - 2
        check_window(self, rank, self.strides, self.pads, self.dilations, self.output_padding)
        if self.groups < 1 or weight[0] % self.groups or x.shape[1] != weight[0]:
            fail(
                self,
                f"x has {x.shape[1]} channels, weight takes {weight[0]} in {self.groups} groups",
            )
        spatial: list[Extent] = []
        for i, size in enumerate(x.shape[2:]):
            reach = (weight[2 + i] - 1) * self.dilations[i] + 1
            spatial.append(
                (size - 1) * self.strides[i] + (reach + self.output_padding[i] - sum(self.pads[i]))
            )
            if isinstance(spatial[-1], int) and spatial[-1] < 0:
                fail(self, f"pads {self.pads[i]} leave nothing of spatial dim {i}")
        units = weight[1] * self.groups
        bias = optional(types, 2)
        if bias is not None:
            expect(self, "bias", bias.shape, (units,))
        shape = (x.shape[0], units, *spatial)
        return (TensorType(shape, function_element(self.function, "float")),)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        x, weight = operand(self, types, 0, "x"), operand(self, types, 1, "weight").shape
        shape = outputs[0].shape
        positions, kernel = names(len(shape) - 2, "p"), names(len(shape) - 2, "r")
        each, inner = weight[1], _static(self, "weight", weight)[0] // self.groups
        assert isinstance(each, int)
        channel = Projection((("g", inner), ("c", 1)))
        unit = Projection((("g", each), ("o", 1)))
        places = [
            window_projection(p, r, s, d, pad[0])
            for p, r, s, d, pad in zip(
                positions, kernel, self.strides, self.dilations, self.pads, strict=True
            )
        ]
        first: Loops = (("n", shape[0]), ("g", self.groups), ("o", each))
        product = Einsum(
            (*first, *loops(positions, x.shape[2:]), ("c", inner), *loops(kernel, weight[2:])),
            (access(0, ("n", channel, *positions)), access(1, (channel, "o", *kernel))),
            access(-1, ("n", unit, *places)),
        )
        over = (*first, *loops(positions, shape[2:]))
        return (product, *_ends(self.function, over, positions, unit, types))

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        x, w = arrays[0], arrays[1]
        assert x is not None
        assert w is not None
        batch, kernel, sizes = x.shape[0], w.shape[2:], x.shape[2:]
        full = [
            (n - 1) * s + (k - 1) * d + 1 + extra
            for n, s, k, d, extra in zip(
                sizes, self.strides, kernel, self.dilations, self.output_padding, strict=True
            )
        ]
        units = w.shape[1] * self.groups
        y = np.zeros((batch, units, *full))
        columns = x.reshape(batch, self.groups, -1, int(np.prod(sizes)))
        grouped = w.reshape(self.groups, -1, *w.shape[1:])
        for offsets, view in taps(y, kernel, self.strides, self.dilations, sizes):
            tap = np.swapaxes(grouped[(..., *offsets)], 1, 2)
            view += (tap @ columns).reshape(batch, units, *sizes)
        crop = tuple(slice(b, n - a) for n, (b, a) in zip(full, self.pads, strict=True))
        return (_epilogue(y[(..., *crop)], arrays, self.function),)
