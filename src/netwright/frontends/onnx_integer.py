"""ONNX operators on quantised integers → the same arithmetic on whole numbers or reals.

Sums of products of 8-bit integers are exact in fp32 up to 2^24 (258 products at their largest,
in practice thousands); beyond it the last place is rounded. MatMulInteger is exact throughout.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from netwright.frontends.onnx_call import Call, Reader
from netwright.frontends.onnx_elementwise import cast
from netwright.frontends.onnx_movement import reshape
from netwright.frontends.onnx_spatial import convolution
from netwright.frontends.onnx_types import ELEMENT_TYPES, ElementType
from netwright.frontends.onnx_value import Value
from netwright.graph.ops.elementwise import Binary, Cast, Unary
from netwright.graph.ops.function import Function
from netwright.graph.ops.linear import MatMul
from netwright.graph.ops.reduce import Reduce

_FLOAT_CODE, _UINT8_CODE, _INT32_CODE = 1, 2, 6
_TINY = 1e-30  # the scale of a tensor of zeros


def _placed(call: Call, value: Value, rank: int, axis: int) -> Value:
    """One number, or one for each place of `axis`, in a shape that broadcasts to `rank` dims."""
    if math.prod(value.shape) == 1:
        return reshape(call, value, ())
    if len(value.shape) != 1:
        raise call.unsupported(f"scales of shape {value.shape}", "use one a tensor or a channel")
    return reshape(call, value, (*value.shape, *(1,) * (rank - 1 - axis % rank)))


def _centred(call: Call, value: Value, zero: Value | None, code: int, axis: int) -> Value:
    """The value less its zero point, as this element type."""
    wide = cast(call, value, code)
    if zero is None:
        return wide
    offset = cast(call, _placed(call, zero, len(value.shape), axis), code)
    return call.add(Binary("sub"), wide, offset)


def _matmul_integer(call: Call) -> Sequence[Value]:
    """Computes (a - zero) (b - zero) in int32."""
    a = _centred(call, call.value(0), call.optional(2), _INT32_CODE, -2)
    b = _centred(call, call.value(1), call.optional(3), _INT32_CODE, -1)
    return (call.add(MatMul(), a, b, element=ELEMENT_TYPES[_INT32_CODE]),)


def _conv_integer(call: Call) -> Sequence[Value]:
    """Computes a convolution of x - zero with w - zero, in int32."""
    x = _centred(call, call.value(0), call.optional(2), _FLOAT_CODE, 1)
    weight = _centred(call, call.value(1), call.optional(3), _FLOAT_CODE, 0)
    return (cast(call, convolution(call, x, weight, ()), _INT32_CODE),)


def _requantised(call: Call, y: Value, scale: Value, zero: Value | None) -> Value:
    """clip(round(y * scale) + zero) in the zero point's type."""
    element: ElementType = ELEMENT_TYPES[_UINT8_CODE] if zero is None else zero.element
    y = call.add(Unary(Function("round")), call.add(Binary("mul"), y, scale))
    if zero is not None:
        y = call.add(Binary("add"), y, cast(call, reshape(call, zero, ()), _FLOAT_CODE))
    low, high = (-128.0, 127.0) if element.values.kind == "i" else (0.0, 255.0)
    y = call.add(Unary(Function("clip", low, high)), y)
    return call.add(Cast("int"), y, element=element)


def _quantised_scale(call: Call, first: Value, second: Value, result: Value) -> Value:
    product = call.add(Binary("mul"), first, second)
    return call.add(Binary("div"), product, reshape(call, result, ()))


def _qlinear_matmul(call: Call) -> Sequence[Value]:
    """Inputs: a, scale, zero, b, scale, zero, scale and zero of the result."""
    a, b = call.value(0), call.value(3)
    product = call.add(
        MatMul(),
        _centred(call, a, call.value(2), _FLOAT_CODE, -2),
        _centred(call, b, call.value(5), _FLOAT_CODE, -1),
    )
    rank = len(product.shape)
    left = _placed(call, call.value(1), rank, -2)
    scale = _quantised_scale(call, left, _placed(call, call.value(4), rank, -1), call.value(6))
    return (_requantised(call, product, scale, call.value(7)),)


def _qlinear_conv(call: Call) -> Sequence[Value]:
    """Inputs: x, scale, zero, w, scale, zero, scale and zero of the result, bias in int32."""
    x = _centred(call, call.value(0), call.value(2), _FLOAT_CODE, 1)
    weight = _centred(call, call.value(3), call.value(5), _FLOAT_CODE, 0)
    bias = call.optional(8)
    added = () if bias is None else (cast(call, bias, _FLOAT_CODE),)
    y = convolution(call, x, weight, added)
    channels = _placed(call, call.value(4), len(y.shape), 1)
    scale = _quantised_scale(call, reshape(call, call.value(1), ()), channels, call.value(6))
    return (_requantised(call, y, scale, call.value(7)),)


def _dynamic_quantize_linear(call: Call) -> Sequence[Value]:
    """uint8 over the range of x and zero; its scale and zero point."""
    x = call.value(0)
    axes = tuple(range(len(x.shape)))
    zero = call.floats(0.0)
    low = call.add(Binary("min"), call.add(Reduce("min", axes), x), zero)
    high = call.add(Binary("max"), call.add(Reduce("max", axes), x), zero)
    span = call.add(Unary(Function("scale", 1.0 / 255.0)), call.add(Binary("sub"), high, low))
    scale = call.add(Binary("max"), span, call.floats(_TINY))
    start = call.add(Unary(Function("neg")), call.add(Binary("div"), low, scale))
    bounded = call.add(Unary(Function("clip", 0.0, 255.0)), start)
    offset = call.add(Unary(Function("round")), bounded)
    y = call.add(Unary(Function("round")), call.add(Binary("div"), x, scale))
    y = call.add(Unary(Function("clip", 0.0, 255.0)), call.add(Binary("add"), y, offset))
    element = ELEMENT_TYPES[_UINT8_CODE]
    return (
        call.add(Cast("int"), y, element=element),
        scale,
        call.add(Cast("int"), offset, element=element),
    )


READERS: dict[str, Reader] = {
    "ConvInteger": _conv_integer,
    "DynamicQuantizeLinear": _dynamic_quantize_linear,
    "MatMulInteger": _matmul_integer,
    "QLinearConv": _qlinear_conv,
    "QLinearMatMul": _qlinear_matmul,
}
