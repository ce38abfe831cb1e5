"""Convolutions, in ONNX layouts (x [N, C, *spatial]); 1-D and 2-D."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from netwright.graph.op import OpKind
from netwright.graph.ops.function import IDENTITY, Function


@final
@dataclass(frozen=True, slots=True)
class Conv(OpKind):
    """Inputs: x, weight [O, C/groups, *kernel], bias [O] or None, residual or None; y = f(conv + bias + residual)."""

    strides: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]  # (before, after) a spatial dim
    dilations: tuple[int, ...]
    groups: int = 1
    function: Function = IDENTITY


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
