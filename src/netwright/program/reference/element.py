"""References of elementwise opcodes, reductions and norms."""

from __future__ import annotations

import numpy as np

from netwright.errors import ProgramError
from netwright.graph.ops.elementwise import BINARY_CODES, Binary, Unary
from netwright.graph.ops.lp_norm import LpNorm
from netwright.graph.ops.norm import GroupNorm, LayerNorm
from netwright.graph.ops.reduce import REDUCE_CODES, ArgReduce, CumulativeSum, Reduce, TopK
from netwright.graph.ops.softmax import Softmax
from netwright.program.reference.call import Array, Call

_OPERATORS = tuple(BINARY_CODES)
_REDUCTIONS = tuple(REDUCE_CODES)


def _named(names: tuple[str, ...], code: int) -> str:
    if not 0 <= code < len(names):
        raise ProgramError(f"no function has code {code}; there are {len(names)}")
    return names[code]


def unary(call: Call) -> tuple[Array, ...]:
    """f(x)."""
    return Unary(call.function(0)).reference((call.given(0),))


def binary(call: Call) -> tuple[Array, ...]:
    """f(a operator b)."""
    kind = Binary(_named(_OPERATORS, call.whole(0)), call.function(1))
    return kind.reference((call.given(0), call.given(1)))


def where(call: Call) -> tuple[Array, ...]:
    """Condition ? a : b."""
    return (np.where(call.given(0), call.given(1), call.given(2)),)


def copy(call: Call) -> tuple[Array, ...]:
    """The values themselves: writing them casts."""
    return (call.given(0),)


def fill(call: Call) -> tuple[Array, ...]:
    """One value everywhere."""
    return (np.full(call.shape, call.real(0)),)


def softmax(call: Call) -> tuple[Array, ...]:
    """Softmax or its logarithm over the last dim."""
    return Softmax(-1, bool(call.whole(0))).reference((call.given(0),))


def layer_norm(call: Call) -> tuple[Array, ...]:
    """LayerNorm of rows, a residual added first."""
    x, residual = call.given(0), call.optional(3)
    x = x if residual is None else x + residual
    return LayerNorm(1, call.real(0)).reference((x, call.given(1), call.optional(2)))


def reduce(call: Call) -> tuple[Array, ...]:
    """The middle dim reduced."""
    name = _named(_REDUCTIONS, call.whole(0))
    return Reduce(name, (1,)).reference((call.given(0),))


def arg_reduce(call: Call) -> tuple[Array, ...]:
    """First place of the largest (code 2) or smallest (3) along the middle dim."""
    name = _named(_REDUCTIONS, call.whole(0))
    return ArgReduce(name, 1).reference((call.given(0),))


def group_norm(call: Call) -> tuple[Array, ...]:
    """GroupNorm of [N, C, S]."""
    kind = GroupNorm(call.whole(0), call.real(1))
    return kind.reference((call.given(0), call.given(1), call.given(2)))


def cumulative_sum(call: Call) -> tuple[Array, ...]:
    """Running sum along an axis."""
    kind = CumulativeSum(call.whole(0), bool(call.whole(1)), bool(call.whole(2)))
    return kind.reference((call.given(0),))


def top_k(call: Call) -> tuple[Array, ...]:
    """Values and places; k is the extent of the values."""
    axis = call.whole(0)
    return TopK(call.shape[axis], axis, bool(call.whole(1))).reference((call.given(0),))


def lp_norm(call: Call) -> tuple[Array, ...]:
    """X over its norm along an axis."""
    return LpNorm(call.whole(0), call.whole(1)).reference((call.given(0),))
