"""Normalisations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.graph.extent import Extent
from netwright.graph.op import Access, Einsum, OpKind, Projection, TensorType
from netwright.graph.ops.cascade import Loops, access, loops, names
from netwright.graph.ops.lp_norm import LpNorm
from netwright.graph.ops.shape import (
    count,
    expect,
    fail,
    operand,
    optional,
    rank_at_least,
)

__all__ = ["BatchNorm", "GroupNorm", "LayerNorm", "LpNorm", "RmsNorm"]

Array: TypeAlias = NDArray[Any]
Counts: TypeAlias = tuple[Extent, ...]


def _mean(
    over: Loops, kept: Loops, source: Access, first: int, square: bool, counts: Counts
) -> tuple[tuple[Einsum, ...], Access]:
    """Sum (of squares) over the loops that are not kept, then divide by their sizes."""
    row = [name for name, _ in kept]
    total, mean = access(first, row), access(first - 1, row)
    sources = (source, source) if square else (source,)
    return (
        Einsum(over, sources, total, "mul" if square else "identity"),
        Einsum(kept, (total,), mean, "div_by", parameters=counts),
    ), mean


def _inverse_deviation(
    kept: Loops, variance: Access, first: int, epsilon: float
) -> tuple[tuple[Einsum, ...], Access]:
    """1 / sqrt(variance + epsilon)."""
    row = [name for name, _ in kept]
    shifted, inverse = access(first, row), access(first - 1, row)
    return (
        Einsum(kept, (variance,), shifted, "scale", parameters=(1.0, epsilon)),
        Einsum(kept, (shifted,), inverse, "rsqrt"),
    ), inverse


def _standardise(
    over: Loops, kept: Loops, x: Access, epsilon: float, counts: Counts
) -> tuple[tuple[Einsum, ...], Access]:
    """(x - mean) / sqrt(variance + epsilon), variance from the centred values; uses -1 .. -8."""
    dims = [name for name, _ in over]
    means, mean = _mean(over, kept, x, -1, False, counts)
    centred = access(-3, dims)
    variances, variance = _mean(over, kept, centred, -4, True, counts)
    inverses, inverse = _inverse_deviation(kept, variance, -6, epsilon)
    standard = access(-8, dims)
    return (
        *means,
        Einsum(over, (x, mean), centred, "sub"),
        *variances,
        *inverses,
        Einsum(over, (centred, inverse), standard),
    ), standard


def _affine(
    over: Loops, standard: Access, scale: Access, bias: Access | None, output: Access
) -> tuple[Einsum, ...]:
    """Standard * scale + bias; uses -9."""
    if bias is None:
        return (Einsum(over, (standard, scale), output),)
    dims = [name for name, _ in over]
    return (
        Einsum(over, (standard, scale), access(-9, dims)),
        Einsum(over, (access(-9, dims), bias), output, "add"),
    )


@final
@dataclass(frozen=True, slots=True)
class LayerNorm(OpKind):
    """Over the last `dims` dims. Inputs: x, scale, bias or None."""

    dims: int
    epsilon: float

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 2, 3)
        x = operand(self, types, 0, "x", "float")
        if not 1 <= self.dims <= len(x.shape):
            fail(self, f"dims is {self.dims}, expected 1 to {len(x.shape)}")
        expect(self, "scale", operand(self, types, 1, "scale").shape, x.shape[-self.dims :])
        bias = optional(types, 2)
        if bias is not None:
            expect(self, "bias", bias.shape, x.shape[-self.dims :])
        return (x,)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        shape = outputs[0].shape
        dims = names(len(shape))
        over, inner = loops(dims, shape), dims[-self.dims :]
        steps, standard = _standardise(
            over, over[: -self.dims], access(0, dims), self.epsilon, shape[-self.dims :]
        )
        bias = None if optional(types, 2) is None else access(2, inner)
        output = access(len(types), dims)
        return (*steps, *_affine(over, standard, access(1, inner), bias, output))

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        x, scale = arrays[0], arrays[1]
        assert x is not None
        assert scale is not None
        axes = tuple(range(-self.dims, 0))
        y = _standard(x, axes, self.epsilon) * scale
        bias = arrays[2] if len(arrays) > 2 else None
        return (y if bias is None else y + bias,)


def _standard(x: Array, axes: tuple[int, ...], epsilon: float) -> Array:
    centred = x - np.mean(x, axis=axes, keepdims=True)
    variance = np.mean(centred * centred, axis=axes, keepdims=True)
    return centred / np.sqrt(variance + epsilon)


@final
@dataclass(frozen=True, slots=True)
class RmsNorm(OpKind):
    """y = x / sqrt(mean(x^2) + epsilon) * scale over the last dim. Inputs: x, scale.

    Source: Zhang and Sennrich, arXiv 1910.07467.
    """

    epsilon: float

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 2, 2)
        x = operand(self, types, 0, "x", "float")
        rank_at_least(self, x, 1, "x")
        expect(self, "scale", operand(self, types, 1, "scale").shape, x.shape[-1:])
        return (x,)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        shape = outputs[0].shape
        dims = names(len(shape))
        over, kept = loops(dims, shape), loops(dims[:-1], shape[:-1])
        means, mean = _mean(over, kept, access(0, dims), -1, True, shape[-1:])
        inverses, inverse = _inverse_deviation(kept, mean, -3, self.epsilon)
        standard = access(-5, dims)
        return (
            *means,
            *inverses,
            Einsum(over, (access(0, dims), inverse), standard),
            Einsum(over, (standard, access(1, dims[-1:])), access(2, dims)),
        )

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        x, scale = arrays
        assert x is not None
        assert scale is not None
        mean = np.mean(x * x, axis=-1, keepdims=True)
        return (x / np.sqrt(mean + self.epsilon) * scale,)


@final
@dataclass(frozen=True, slots=True)
class BatchNorm(OpKind):
    """Inference form over dim 1. Inputs: x, scale, bias, mean, variance."""

    epsilon: float

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 5, 5)
        x = operand(self, types, 0, "x", "float")
        rank_at_least(self, x, 2, "x")
        for index, name in enumerate(("scale", "bias", "mean", "variance"), start=1):
            expect(self, name, operand(self, types, index, name).shape, x.shape[1:2])
        return (x,)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        shape = outputs[0].shape
        dims = names(len(shape))
        over, kept = loops(dims, shape), loops(dims[1:2], shape[1:2])
        inverses, inverse = _inverse_deviation(kept, access(4, dims[1:2]), -1, self.epsilon)
        scale, bias, mean = (access(i, dims[1:2]) for i in (1, 2, 3))
        centred, standard = access(-3, dims), access(-8, dims)
        return (
            *inverses,
            Einsum(over, (access(0, dims), mean), centred, "sub"),
            Einsum(over, (centred, inverse), standard),
            *_affine(over, standard, scale, bias, access(5, dims)),
        )

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        x = arrays[0]
        assert x is not None
        over = (1, -1) + (1,) * (x.ndim - 2)
        scale, bias, mean, variance = (np.reshape(_given(a), over) for a in arrays[1:])
        return ((x - mean) / np.sqrt(variance + self.epsilon) * scale + bias,)


def _given(array: Array | None) -> Array:
    assert array is not None
    return array


@final
@dataclass(frozen=True, slots=True)
class GroupNorm(OpKind):
    """Inputs: x [N, C, *spatial], scale [C], bias [C]; groups == C is instance norm."""

    groups: int
    epsilon: float

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 3, 3)
        x = operand(self, types, 0, "x", "float")
        rank_at_least(self, x, 2, "x")
        channels = x.shape[1]
        if not isinstance(channels, int) or self.groups < 1 or channels % self.groups:
            fail(self, f"{channels} channels do not divide into {self.groups} groups")
        for index, name in ((1, "scale"), (2, "bias")):
            expect(self, name, operand(self, types, index, name).shape, x.shape[1:2])
        return (x,)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return _group_norm_einsums(self, outputs[0].shape)

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        x, scale, bias = (_given(a) for a in arrays)
        grouped = x.reshape(x.shape[0], self.groups, -1)
        y = _standard(grouped, (-1,), self.epsilon).reshape(x.shape)
        over = (1, -1) + (1,) * (x.ndim - 2)
        return (y * scale.reshape(over) + bias.reshape(over),)


def _group_norm_einsums(kind: GroupNorm, shape: Counts) -> tuple[Einsum, ...]:
    from_group, spatial = ("g", "c"), names(len(shape) - 2, "s")
    channels = shape[1]
    assert isinstance(channels, int)
    each = channels // kind.groups
    over: Loops = (
        ("n", shape[0]), ("g", kind.groups), ("c", each), *loops(spatial, shape[2:])
    )  # fmt: skip
    channel = Projection(((from_group[0], each), (from_group[1], 1)))
    x = access(0, ("n", channel, *spatial))
    steps, standard = _standardise(over, over[:2], x, kind.epsilon, (each, *shape[2:]))
    output = access(3, ("n", channel, *spatial))
    return (
        *steps,
        *_affine(over, standard, access(1, (channel,)), access(2, (channel,)), output),
    )
