"""Quantisers of ONNX and QONNX → FakeQuantise.

Source: QONNX (Pappalardo et al., arXiv 2206.07527); ONNX QuantizeLinear.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from netwright.frontends.onnx_call import Call, Reader
from netwright.frontends.onnx_elementwise import cast
from netwright.frontends.onnx_movement import reshape
from netwright.frontends.onnx_types import ELEMENT_TYPES, ElementType
from netwright.frontends.onnx_value import FLOAT, Computed, Constant, Value
from netwright.graph.ops.elementwise import Binary, Cast, FakeQuantise, Unary, Where
from netwright.graph.ops.function import Function

_FLOAT_CODE = 1


def _quant(call: Call) -> Sequence[Value]:
    """Inputs: x, scale, zero point, bit width."""
    bits = call.scalar(3)
    if bits is None:
        raise call.malformed("input 3 (the bit width) is absent")
    kind = FakeQuantise(
        bits,
        bool(call.integer("signed", 1)),
        bool(call.integer("narrow", 0)),
        call.text("rounding_mode", "ROUND").upper(),
    )
    return (call.add(kind, call.value(0), call.value(1), call.value(2)),)


def _bipolar_quant(call: Call) -> Sequence[Value]:
    """The scale where x >= 0, else -scale."""
    x, scale = call.value(0), call.value(1)
    positive = call.add(Binary("greater_equal"), x, call.floats(0.0))
    return (call.add(Where(), positive, scale, call.add(Unary(Function("neg")), scale)),)


def _along(call: Call, value: Value, rank: int) -> Value:
    """A scale or zero point, one a slice of `axis`, in a shape that broadcasts to x."""
    if len(value.shape) > 1:
        raise call.unsupported("blocked scales", "use one scale a tensor or a channel")
    if value.shape in ((), (1,)):
        return reshape(call, value, ())
    axis = call.axis(call.integer("axis", 1), rank)
    return reshape(call, value, (math.prod(value.shape),) + (1,) * (rank - 1 - axis))


def _bounds(element: ElementType) -> tuple[int, int]:
    top = 1 << element.bits
    return (-top // 2, top // 2 - 1) if element.values.kind == "i" else (0, top - 1)


def _quantize_linear(call: Call) -> Sequence[Value]:
    """clip(round(x / scale) + zero point), as integers."""
    x = call.value(0)
    scale = _along(call, call.value(1), len(x.shape))
    zero = call.optional(2)
    element = ELEMENT_TYPES[2] if zero is None else zero.element
    if element.values.kind == "f":
        raise call.unsupported(f"quantisation to {element.name}", "quantise to integers")
    y = call.add(Unary(Function("round")), call.add(Binary("div"), x, scale))
    if zero is not None:
        y = call.add(Binary("add"), y, cast(call, _along(call, zero, len(x.shape)), _FLOAT_CODE))
    low, high = _bounds(element)
    y = call.add(Unary(Function("clip", float(low), float(high))), y)
    quantised = call.add(Cast("int"), y, element=element)
    if isinstance(quantised, Computed):
        call.emit.quantised[quantised.tensor] = (x, call.value(1), zero)
    return (quantised,)


def _dequantize_linear(call: Call) -> Sequence[Value]:
    """(x - zero point) * scale."""
    x, scale, zero = call.value(0), call.value(1), call.optional(2)
    original = call.emit.quantised.get(x.tensor) if isinstance(x, Computed) else None
    if original is not None and _same(original[1], scale) and _same(original[2], zero):
        return (_fake(call, original[0]),)
    y = call.add(Cast("float"), x, element=FLOAT)
    if zero is not None and not _is_zero(zero):
        y = call.add(Binary("sub"), y, cast(call, _along(call, zero, len(x.shape)), _FLOAT_CODE))
    return (call.add(Binary("mul"), y, _along(call, scale, len(x.shape))),)


def _fake(call: Call, x: Value) -> Value:
    """Quantised and straight back: one operator on the original value."""
    integers, scale, zero = call.value(0), call.value(1), call.optional(2)
    rank = len(x.shape)
    offset = call.floats(0.0) if zero is None else cast(call, _along(call, zero, rank), _FLOAT_CODE)
    element = integers.element
    kind = FakeQuantise(float(element.bits), element.values.kind == "i", narrow=False)
    return call.add(kind, x, _along(call, scale, rank), offset)


def _same(a: Value | None, b: Value | None) -> bool:
    if isinstance(a, Constant) and isinstance(b, Constant):
        return np.array_equal(a.values, b.values)
    return a == b


def _is_zero(value: Value) -> bool:
    return isinstance(value, Constant) and not np.any(value.values)


READERS: dict[str, Reader] = {
    "DequantizeLinear": _dequantize_linear,
    "QuantizeLinear": _quantize_linear,
}

QONNX_DOMAINS = ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")

QONNX_READERS: dict[str, Reader] = {
    "BipolarQuant": _bipolar_quant,
    "Quant": _quant,
}
