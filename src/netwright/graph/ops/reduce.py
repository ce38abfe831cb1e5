"""Reductions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from netwright.graph.op import OpKind


@final
@dataclass(frozen=True, slots=True)
class Reduce(OpKind):
    """function: sum mean max min prod l1 l2 sum_square. Input: x."""

    function: str
    axes: tuple[int, ...]
    keepdims: bool = False


@final
@dataclass(frozen=True, slots=True)
class ArgReduce(OpKind):
    """function "max" or "min"; first occurrence. Input: x."""

    function: str
    axis: int
    keepdims: bool = False


@final
@dataclass(frozen=True, slots=True)
class CumulativeSum(OpKind):
    """Input: x."""

    axis: int
    exclusive: bool = False
    reverse: bool = False


@final
@dataclass(frozen=True, slots=True)
class TopK(OpKind):
    """Outputs: values, indices; sorted, ties to the lower index. Input: x."""

    k: int
    axis: int
    largest: bool = True
