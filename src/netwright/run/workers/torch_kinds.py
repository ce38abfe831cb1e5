"""Operators in torch: the one explicit list of kinds that workers execute."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from netwright.errors import UnsupportedError
from netwright.graph.op import OpKind
from netwright.graph.ops.elementwise import Binary, Cast, Unary, Where
from netwright.graph.ops.gather import Gather, GatherElements
from netwright.graph.ops.gradient import FunctionGradient, ScatterAdd
from netwright.graph.ops.linear import Linear, MatMul
from netwright.graph.ops.movement import Concat, Expand, Pad, Reshape, Slice, Tile, Transpose
from netwright.graph.ops.norm import LayerNorm, RmsNorm
from netwright.graph.ops.position import StateUpdate
from netwright.graph.ops.reduce import Reduce
from netwright.graph.ops.softmax import Softmax
from netwright.run.workers.torch_functions import apply, slope

Operands: TypeAlias = Sequence[Tensor | None]
Run: TypeAlias = Callable[[Any, Operands], Tensor]

_OPERATORS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "pow": torch.pow,
    "max": torch.maximum,
    "min": torch.minimum,
    "equal": torch.eq,
    "less": torch.lt,
    "less_equal": torch.le,
    "greater": torch.gt,
    "greater_equal": torch.ge,
}
_DTYPES = {"float": torch.float32, "int": torch.int64, "bool": torch.bool}


def _present(operands: Operands) -> tuple[Tensor, ...]:
    return tuple(x for x in operands if x is not None)


def _cast(kind: Cast, operands: Operands) -> Tensor:
    return _present(operands)[0].to(_DTYPES[kind.element])


def _linear(kind: Linear, operands: Operands) -> Tensor:
    x, weight = _present(operands[:2])
    bias = operands[2] if len(operands) > 2 else None
    y = F.linear(x, weight.t() if kind.input_major else weight, bias)
    residual = operands[3] if len(operands) > 3 else None
    return apply(kind.function, y if residual is None else y + residual)


def _matmul(kind: MatMul, operands: Operands) -> Tensor:
    a, b = _present(operands)
    a = a.mT if kind.transpose_a else a
    y = torch.matmul(a, b.mT if kind.transpose_b else b)
    return y if kind.scale == 1.0 else y * kind.scale


def _binary(kind: Binary, operands: Operands) -> Tensor:
    if kind.operator not in _OPERATORS:
        raise UnsupportedError(f"workers: {kind.operator} is not one of {list(_OPERATORS)}")
    return apply(kind.function, _OPERATORS[kind.operator](*_present(operands)))


def _reduce(kind: Reduce, operands: Operands) -> Tensor:
    (x,) = _present(operands)
    if not kind.axes:
        return x
    axes, keep = kind.axes, kind.keepdims
    match kind.function:
        case "sum":
            return torch.sum(x, axes, keepdim=keep)
        case "mean":
            return torch.mean(x, axes, keepdim=keep)
        case "max":
            return torch.amax(x, axes, keepdim=keep)
        case "min":
            return torch.amin(x, axes, keepdim=keep)
        case "sum_square":
            return torch.sum(x * x, axes, keepdim=keep)
        case "l1":
            return torch.sum(x.abs(), axes, keepdim=keep)
        case "l2":
            return torch.sum(x * x, axes, keepdim=keep).sqrt()
        case other:
            raise UnsupportedError(f"workers: reduction {other!r} is not executed in torch")


def _softmax(kind: Softmax, operands: Operands) -> Tensor:
    (x,) = _present(operands)
    return F.log_softmax(x, kind.axis) if kind.log else torch.softmax(x, kind.axis)


def _slice(kind: Slice, operands: Operands) -> Tensor:
    (x,) = _present(operands)
    for axis, (start, stop, step) in enumerate(
        zip(kind.starts, kind.stops, kind.steps, strict=True)
    ):
        if not isinstance(start, int) or not isinstance(stop, int):
            raise UnsupportedError("workers: a slice of a symbolic size; bind the symbols first")
        if step > 0:
            whole = (start, stop, step) == (0, x.shape[axis], 1)
            x = x if whole else x[(slice(None),) * axis + (slice(start, stop, step),)]
        else:
            x = x.index_select(axis, torch.arange(start, stop, step))
    return x


def _pad(kind: Pad, operands: Operands) -> Tensor:
    (x,) = _present(operands)
    if kind.mode != "constant":
        raise UnsupportedError(f"workers: padding by {kind.mode} is not executed in torch")
    flat = [amount for pair in reversed(kind.pads) for amount in pair]
    return F.pad(x, flat, value=kind.value)


def _gather(kind: Gather, operands: Operands) -> Tensor:
    table, indices = _present(operands)
    axis = kind.axis % table.dim()
    if axis == 0 and table.dim() == 2:
        return F.embedding(indices % table.shape[0], table)
    picked = table.index_select(axis, indices.reshape(-1) % table.shape[axis])
    return picked.reshape(*table.shape[:axis], *indices.shape, *table.shape[axis + 1 :])


def _gather_elements(kind: GatherElements, operands: Operands) -> Tensor:
    x, indices = _present(operands)
    return torch.gather(x, kind.axis, indices % x.shape[kind.axis])


def _scatter_add(kind: ScatterAdd, operands: Operands) -> Tensor:
    indices, updates = _present(operands)
    rank = indices.dim()
    axis = kind.axis % (updates.dim() - rank + 1)
    before, after = updates.shape[:axis], updates.shape[axis + rank :]
    total = updates.new_zeros((*before, kind.size, *after))
    flat = updates.reshape(*before, indices.numel(), *after)
    return total.index_add_(axis, indices.reshape(-1) % kind.size, flat)


def _transpose(kind: Transpose, operands: Operands) -> Tensor:
    return _present(operands)[0].permute(kind.order)


def _where(kind: Where, operands: Operands) -> Tensor:
    condition, a, b = _present(operands)
    return torch.where(condition, a, b)


def _tile(kind: Tile, operands: Operands) -> Tensor:
    tile: Any = torch.tile  # pyright: ignore[reportUnknownMemberType]
    return tile(_present(operands)[0], kind.repeats)


def _layer_norm(kind: LayerNorm, operands: Operands) -> Tensor:
    x, scale = _present(operands[:2])
    bias = operands[2] if len(operands) > 2 else None
    return F.layer_norm(x, x.shape[-kind.dims :], scale, bias, kind.epsilon)


def _rms_norm(kind: RmsNorm, operands: Operands) -> Tensor:
    x, scale = _present(operands)
    return F.rms_norm(x, x.shape[-1:], scale, kind.epsilon)


RUNS: Mapping[type[OpKind], Run] = {
    Binary: _binary,
    Cast: _cast,
    Concat: lambda kind, xs: torch.cat(_present(xs), kind.axis),
    Expand: lambda kind, xs: _present(xs)[0].expand(kind.shape),
    FunctionGradient: lambda kind, xs: slope(kind.function, *_present(xs)),
    Gather: _gather,
    GatherElements: _gather_elements,
    LayerNorm: _layer_norm,
    Linear: _linear,
    MatMul: _matmul,
    Pad: _pad,
    Reduce: _reduce,
    Reshape: lambda kind, xs: _present(xs)[0].reshape(kind.shape),
    RmsNorm: _rms_norm,
    ScatterAdd: _scatter_add,
    Slice: _slice,
    Softmax: _softmax,
    StateUpdate: lambda kind, xs: _present(xs)[1],
    Tile: _tile,
    Transpose: _transpose,
    Unary: lambda kind, xs: apply(kind.function, _present(xs)[0]),
    Where: _where,
}
