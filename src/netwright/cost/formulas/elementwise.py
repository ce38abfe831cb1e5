"""Element by element, reductions and choices. Sizes: (elements of the larger side,)."""

from __future__ import annotations

import math

from netwright.cost.formulas.build import (
    Parameters,
    Views,
    function_operations,
    need,
    parameter,
    plain,
    size,
)
from netwright.cost.formulas.walk import runs
from netwright.cost.work import Work


def unary(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """The function's operations an element. Variant: the function's code."""
    out, x = need(opcode, operands, 0), need(opcode, operands, 1)
    code = int(parameter(opcode, parameters, 0))
    operations = function_operations(code, out.elements)
    return plain(opcode, str(code), (out.elements,), operations, x.num_bytes, out.num_bytes)


def binary(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """One operation an element, and the fused function's. Sizes: (runs, elements of a run)."""
    out, a, b = (need(opcode, operands, i) for i in range(3))
    code = parameter(opcode, parameters, 1)
    operations = out.elements + function_operations(code, out.elements)
    found = runs((out, a, b))
    sizes = (1, out.elements) if found is None else found[:2]
    return plain(opcode, "fp32", sizes, operations, size(a, b), out.num_bytes)


def where(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """One operation an element."""
    out = need(opcode, operands, 0)
    elements = float(out.elements)
    return plain(opcode, out.format, (out.elements,), elements, size(*operands[1:]), out.num_bytes)


def reduce(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """One operation for each element that is reduced. Sizes: (outer, middle, inner)."""
    out, x = need(opcode, operands, 0), need(opcode, operands, 1)
    return plain(opcode, "fp32", x.shape, float(x.elements), x.num_bytes, out.num_bytes)


def cumulative_sum(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """One operation an element."""
    out, x = need(opcode, operands, 0), need(opcode, operands, 1)
    return plain(opcode, "fp32", (x.elements,), float(x.elements), x.num_bytes, out.num_bytes)


def top_k(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """About log2 K comparisons an element. Operands: values, indices; x. Sizes: (R, K)."""
    x = need(opcode, operands, 2)
    inner = x.shape[-1] if x.shape else 1
    operations = x.elements * max(1.0, math.log2(max(inner, 2)))
    sizes = (x.elements // max(inner, 1), inner)
    return plain(opcode, "fp32", sizes, operations, x.num_bytes, size(*operands[:2]))
