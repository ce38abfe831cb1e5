"""Layer and RMS norms that a file spells with means, squares and roots, as one operator.

Source: Ba et al., arXiv 1607.06450; Zhang and Sennrich, arXiv 1910.07467.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from netwright.graph.op import Op
from netwright.graph.ops.function import Function
from netwright.graph.ops.norm import LayerNorm, RmsNorm
from netwright.graph.tensor import TensorId
from netwright.transform.draft import Draft, Rule
from netwright.transform.match import (
    argument_of,
    axes_of,
    binary_operands,
    both_ways,
    function_of,
    operands,
    reduced,
)


def _quotient(draft: Draft, op: Op) -> tuple[TensorId, TensorId] | None:
    """Numerator x and radicand v of x / sqrt(v) or x * rsqrt(v)."""
    pair = binary_operands(op, "div")
    if pair is not None:
        root = argument_of(draft, pair[1], Function("sqrt"))
        return None if root is None else (pair[0], root)
    product = binary_operands(op, "mul")
    for x, inverse in both_ways(product) if product is not None else ():
        root = argument_of(draft, inverse, Function("rsqrt"))
        if root is not None:
            return x, root
    return None


def _mean_square(
    draft: Draft, radicand: TensorId
) -> tuple[tuple[int, ...], TensorId, float] | None:
    """Axes, x and epsilon of mean(x^2) + epsilon."""
    shifted = function_of(draft, radicand, "scale")
    epsilon = 0.0
    if shifted is not None:
        if shifted[0].alpha != 1.0:
            return None
        epsilon, radicand = shifted[0].beta, shifted[1]
    mean = reduced(draft, radicand, "mean")
    if mean is None:
        return None
    x = argument_of(draft, mean[1], Function("square"))
    return None if x is None else (axes_of(mean[0], len(draft.shape(mean[1]))), x, epsilon)


def _trailing(axes: tuple[int, ...], rank: int) -> bool:
    return bool(axes) and axes == tuple(range(rank - len(axes), rank))


def _sizes(draft: Draft, tensor: TensorId, dims: int) -> tuple[int, ...] | None:
    sizes = tuple(e for e in draft.shape(tensor)[-dims:] if isinstance(e, int))
    return sizes if len(sizes) == dims else None


def _layer_norm(draft: Draft, op: Op) -> Sequence[Op] | None:
    """Finds d / sqrt(mean(d^2) + epsilon) with d = x - mean(x), or without d the RMS norm."""
    found = _quotient(draft, op)
    square = None if found is None else _mean_square(draft, found[1])
    if found is None or square is None or square[1] != found[0]:
        return None
    (axes, centred, epsilon), rank = square, len(draft.shape(found[0]))
    if not _trailing(axes, rank):
        return None
    sizes = _sizes(draft, centred, len(axes))
    if sizes is None:
        return None
    ones = draft.weight(f"{op.name}.scale", np.ones(sizes))
    pair = operands(draft, centred, "sub")
    mean = None if pair is None else reduced(draft, pair[1], "mean")
    if pair is not None and mean is not None and mean[1] == pair[0]:
        kind = LayerNorm(len(axes), epsilon)
        same = axes_of(mean[0], rank) == axes
        return (replace(op, kind=kind, inputs=(pair[0], ones)),) if same else None
    if len(axes) == 1:
        return (replace(op, kind=RmsNorm(epsilon), inputs=(centred, ones)),)
    return None


def _folded_norm(draft: Draft, op: Op) -> Sequence[Op] | None:
    """Finds x * g + (b - mean * g) with g = rsqrt(var + epsilon) * gamma, as in TensorFlow."""
    pair = binary_operands(op, "add")
    for scaled, shift in both_ways(pair) if pair is not None else ():
        product, rest = operands(draft, scaled, "mul"), operands(draft, shift, "sub")
        if product is None or rest is None:
            continue
        for x, gain in both_ways(product):
            new = _match_folded(draft, op, x, gain, rest)
            if new is not None:
                return new
    return None


def _match_folded(
    draft: Draft, op: Op, x: TensorId, gain: TensorId, rest: tuple[TensorId, TensorId]
) -> Sequence[Op] | None:
    moved, parts = operands(draft, rest[1], "mul"), operands(draft, gain, "mul")
    if moved is None or gain not in moved or parts is None:
        return None
    mean = moved[0] if moved[1] == gain else moved[1]
    rank = len(draft.shape(x))
    centre = reduced(draft, mean, "mean")
    if centre is None or centre[1] != x or not _trailing(axes_of(centre[0], rank), rank):
        return None
    axes = axes_of(centre[0], rank)
    for inverse, gamma in both_ways(parts):
        root = argument_of(draft, inverse, Function("rsqrt"))
        square = None if root is None else _mean_square(draft, root)
        if square is None or square[0] != axes:
            continue
        if operands(draft, square[1], "sub") != (x, mean):
            continue
        scale, bias = _whole(draft, gamma, x, axes), _whole(draft, rest[0], x, axes)
        if scale is not None and bias is not None:
            kind = LayerNorm(len(axes), square[2])
            return (replace(op, kind=kind, inputs=(x, scale, bias)),)
    return None


def _whole(draft: Draft, tensor: TensorId, x: TensorId, axes: tuple[int, ...]) -> TensorId | None:
    """A constant over exactly the normalised dims, in their shape."""
    shape, sizes = draft.shape(tensor), _sizes(draft, x, len(axes))
    if sizes is None or not draft.is_constant(tensor):
        return None
    if shape[-len(sizes) :] != sizes or any(e != 1 for e in shape[: -len(sizes)]):
        return None
    return tensor if shape == sizes else draft.viewed(tensor, sizes)


def _scale(draft: Draft, op: Op) -> Sequence[Op] | None:
    """A norm times a constant is a norm with that scale; plus a constant, with that bias."""
    for operator in ("mul", "add"):
        pair = binary_operands(op, operator)
        for normal, constant in both_ways(pair) if pair is not None else ():
            new = _with_constant(draft, op, operator, normal, constant)
            if new is not None:
                return new
    return None


def _with_constant(
    draft: Draft, op: Op, operator: str, normal: TensorId, constant: TensorId
) -> Sequence[Op] | None:
    maker = draft.maker(normal)
    if maker is None or not isinstance(maker.kind, LayerNorm | RmsNorm) or not draft.alone(normal):
        return None
    x, scale, bias = (*maker.inputs, None)[:3]
    dims = maker.kind.dims if isinstance(maker.kind, LayerNorm) else 1
    if x is None or bias is not None:
        return None
    axes = tuple(range(len(draft.shape(x)) - dims, len(draft.shape(x))))
    whole = _whole(draft, constant, x, axes)
    if whole is None:
        return None
    if operator == "add":
        if not isinstance(maker.kind, LayerNorm):
            return None
        return (replace(op, kind=maker.kind, inputs=(x, scale, whole)),)
    before = draft.values(scale)
    if before is None or not np.all(before == 1.0):
        return None
    return (replace(op, kind=maker.kind, inputs=(x, whole)),)


RULES = (
    Rule("norms recognised", _layer_norm),
    Rule("norms in two products recognised", _folded_norm),
    Rule("scales and biases of norms taken in", _scale),
)
