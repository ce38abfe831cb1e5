"""Elementwise operators, numpy broadcasting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from netwright.graph.op import OpKind
from netwright.graph.ops.function import IDENTITY, Function


@final
@dataclass(frozen=True, slots=True)
class Unary(OpKind):
    """y = function(x)."""

    function: Function


@final
@dataclass(frozen=True, slots=True)
class Binary(OpKind):
    """y = f(operator(a, b)); operator: add sub mul div pow max min mod equal less less_equal greater greater_equal and or xor."""

    operator: str
    function: Function = IDENTITY


@final
@dataclass(frozen=True, slots=True)
class Glu(OpKind):
    """y = function(gate) * up. Inputs: gate, up."""

    function: Function


@final
@dataclass(frozen=True, slots=True)
class Where(OpKind):
    """Inputs: condition (bool), a, b."""


@final
@dataclass(frozen=True, slots=True)
class Cast(OpKind):
    """To element class "float", "int" or "bool"."""

    element: str


@final
@dataclass(frozen=True, slots=True)
class FakeQuantise(OpKind):
    """QONNX Quant: (clip(round(x / scale + zero_point)) - zero_point) * scale. Inputs: x, scale, zero_point."""

    bits: float
    signed: bool
    narrow: bool
    rounding: str = "ROUND"
