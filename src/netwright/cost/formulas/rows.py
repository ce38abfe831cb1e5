"""Norms, softmax and what works row by row. Sizes: (R rows, K elements of a row)."""

from __future__ import annotations

from netwright.cost.formulas.build import (
    FUNCTION_OPERATIONS,
    Parameters,
    Views,
    function_operations,
    need,
    parameter,
    plain,
    size,
    weighted,
)
from netwright.cost.work import View, Work


def _rows(x: View) -> tuple[int, int]:
    inner = x.shape[-1] if x.shape else 1
    return x.elements // max(inner, 1), inner


def rms_norm(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """4 operations an element, 4 more when the output is quantised."""
    out, x = need(opcode, operands, 0), need(opcode, operands, 1)
    per = 4.0 if out.format == "fp32" else 8.0
    return _normal(opcode, operands, per, out.format, x)


def layer_norm(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """8 operations an element."""
    return _normal(opcode, operands, 8.0, "fp32", need(opcode, operands, 1))


def group_norm(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """8 operations an element. Sizes: (N groups, elements of a group)."""
    x = need(opcode, operands, 1)
    groups = x.shape[0] * int(parameter(opcode, parameters, 0))
    sizes = (groups, x.elements // max(groups, 1))
    out = need(opcode, operands, 0)
    return plain(opcode, "fp32", sizes, 8.0 * x.elements, size(*operands[1:]), out.num_bytes)


def _normal(opcode: str, operands: Views, per: float, variant: str, x: View) -> Work:
    out = need(opcode, operands, 0)
    operations = (("fp32", per * x.elements),)
    read = size(x, *operands[4:])
    return weighted(opcode, variant, _rows(x), operations, size(*operands[2:4]), read, size(out))


def quantize_rows(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """4 operations an element: largest magnitude, scale, round, sum."""
    out, x = need(opcode, operands, 0), need(opcode, operands, 1)
    return plain(opcode, out.format, _rows(x), 4.0 * x.elements, x.num_bytes, out.num_bytes)


def glu(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """A function and a product an element, 4 more when the output is quantised."""
    out, gate, up = (need(opcode, operands, i) for i in range(3))
    operations = function_operations(parameter(opcode, parameters, 0), gate.elements)
    operations += gate.elements * (1.0 if out.format == "fp32" else 5.0)
    return plain(opcode, out.format, _rows(gate), operations, size(gate, up), out.num_bytes)


def softmax(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """One exponential, and a maximum, a sum and a product an element."""
    out, x = need(opcode, operands, 0), need(opcode, operands, 1)
    operations = (FUNCTION_OPERATIONS + 3.0) * x.elements
    return plain(opcode, "fp32", _rows(x), operations, x.num_bytes, out.num_bytes)


def lp_norm(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """3 operations an element."""
    out, x = need(opcode, operands, 0), need(opcode, operands, 1)
    return plain(opcode, "fp32", _rows(x), 3.0 * x.elements, x.num_bytes, out.num_bytes)
