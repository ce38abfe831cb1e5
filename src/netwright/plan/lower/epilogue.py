"""The parameters that a fused function takes in every kernel that has one."""

from __future__ import annotations

from netwright.graph.ops.function import FUNCTION_CODES, Function
from netwright.plan.lower.step import Parameter


def epilogue(function: Function) -> list[Parameter]:
    """Its code and its two reals."""
    return [FUNCTION_CODES[function.name], float(function.alpha), float(function.beta)]
