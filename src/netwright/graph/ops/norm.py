"""Normalisations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from netwright.graph.op import OpKind


@final
@dataclass(frozen=True, slots=True)
class LayerNorm(OpKind):
    """Over the last `dims` dims. Inputs: x, scale, bias or None."""

    dims: int
    epsilon: float


@final
@dataclass(frozen=True, slots=True)
class RmsNorm(OpKind):
    """y = x / sqrt(mean(x^2) + epsilon) * scale over the last dim. Inputs: x, scale."""

    epsilon: float


@final
@dataclass(frozen=True, slots=True)
class BatchNorm(OpKind):
    """Inference form over dim 1. Inputs: x, scale, bias, mean, variance."""

    epsilon: float


@final
@dataclass(frozen=True, slots=True)
class GroupNorm(OpKind):
    """Inputs: x [N, C, *spatial], scale [C], bias [C]; groups == C is instance norm."""

    groups: int
    epsilon: float


@final
@dataclass(frozen=True, slots=True)
class LpNorm(OpKind):
    """y = x / ||x||_p along `axis`. Input: x."""

    axis: int
    p: int
