"""Softmax."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from netwright.graph.op import OpKind


@final
@dataclass(frozen=True, slots=True)
class Softmax(OpKind):
    """exp(x - max) / sum along `axis`; its logarithm when `log`. Input: x."""

    axis: int
    log: bool = False
