"""Pooling and resizing of spatial dims (x [N, C, *spatial]). Global pooling is Reduce."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from netwright.graph.op import OpKind


@final
@dataclass(frozen=True, slots=True)
class Pool(OpKind):
    """`mode` is "max" or "average". Input: x."""

    mode: str
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    dilations: tuple[int, ...]
    count_include_pad: bool = False
    ceil_mode: bool = False


@final
@dataclass(frozen=True, slots=True)
class Resize(OpKind):
    """`mode` "nearest" or "linear"; `coordinates` and `rounding` as ONNX names them. Input: x."""

    sizes: tuple[int, ...]  # of every dim of the output
    scales: tuple[float, ...]
    mode: str
    coordinates: str
    rounding: str = "round_prefer_floor"
