"""Recurrent layers, in ONNX layouts and gate orders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from netwright.graph.op import OpKind


@final
@dataclass(frozen=True, slots=True)
class Lstm(OpKind):
    """X [S,B,I], W [D,4H,I], R [D,4H,H], B [D,8H] or None, h0 [D,B,H] or None, c0 or None (gates i o f c).

    Outputs: Y [S,D,B,H], Y_h [D,B,H], Y_c. `direction`: "forward", "reverse", "bidirectional".
    """

    hidden: int
    direction: str = "forward"


@final
@dataclass(frozen=True, slots=True)
class Gru(OpKind):
    """As Lstm with gates z r h and B [D,6H]. Outputs: Y, Y_h."""

    hidden: int
    direction: str = "forward"
    linear_before_reset: bool = False
