"""ONNX operators that make data from sizes and numbers: constants, ranges, masks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from netwright.frontends.onnx_array import tensor_array
from netwright.frontends.onnx_call import Call, Reader
from netwright.frontends.onnx_movement import reshape, window
from netwright.frontends.onnx_tensor import OnnxTensor
from netwright.frontends.onnx_types import ELEMENT_TYPES
from netwright.frontends.onnx_value import BOOL, FLOAT, INT64, Constant, Value, element_class
from netwright.graph.ops.elementwise import Binary, Where


def initialiser(tensor: OnnxTensor, name: str) -> Constant:
    """A tensor of the file as a constant that knows where its bytes are."""
    values = tensor_array(tensor)
    element = ELEMENT_TYPES[tensor.type_code]
    as_shipped = element.bits >= 8 and element.name != "double"
    return Constant(values, element, name, tensor.data if as_shipped else None)


def _trilu(call: Call) -> Sequence[Value]:
    x = call.value(0)
    rows, columns = x.shape[-2:]
    offset = int(call.scalar(1) or 0)
    upper = call.integer("upper", 1)
    call.emit.claim(rows * columns, call.label)
    ones = np.ones((rows, columns), dtype=bool)
    kept = np.triu(ones, offset) if upper else np.tril(ones, offset)
    zero = call.emit.constant(np.zeros(()), x.element)
    return (call.add(Where(), call.emit.constant(kept, BOOL), x, zero),)


def _shape(call: Call) -> Sequence[Value]:
    shape = call.value(0).shape
    first = call.integer("start", 0)
    last = call.integer("end", len(shape))
    return (call.ints(shape[first:last]),)


def _size(call: Call) -> Sequence[Value]:
    return (call.ints(math.prod(call.value(0).shape)),)


def _constant(call: Call) -> Sequence[Value]:
    tensor = call.tensor("value")
    if tensor is not None:
        return (initialiser(tensor, call.label),)
    attributes = call.node.attributes
    if "value_float" in attributes:
        return (call.floats(call.number("value_float", 0.0)),)
    if "value_int" in attributes:
        return (call.ints(call.integer("value_int", 0)),)
    floats, ints = call.numbers("value_floats"), call.integers("value_ints")
    if floats is not None:
        return (call.floats(floats),)
    if ints is not None:
        return (call.ints(ints),)
    raise call.unsupported("its value is neither a tensor nor numbers", "store numbers")


def _constant_of_shape(call: Call) -> Sequence[Value]:
    shape = call.sizes(0) or ()
    tensor = call.tensor("value")
    element = FLOAT if tensor is None else ELEMENT_TYPES[tensor.type_code]
    fill = 0.0 if tensor is None else tensor_array(tensor).reshape(-1)[0]
    call.emit.claim(math.prod(shape) * element.values.itemsize, call.label)
    return (Constant(np.full(shape, fill, dtype=element.values), element, call.label),)


def _range(call: Call) -> Sequence[Value]:
    start, limit, delta = (call.constant(i) for i in range(3))
    if start is None or limit is None or delta is None or not float(delta):
        raise call.malformed("expected a start, a limit and a step that is not 0")
    count = max(0, math.ceil((float(limit) - float(start)) / float(delta)))
    call.emit.claim(count * start.itemsize, call.label)
    values = start + np.arange(count, dtype=start.dtype) * delta
    return (call.emit.constant(values, call.value(0).element, call.label),)


def _one_hot(call: Call) -> Sequence[Value]:
    """Where(indices == 0 .. depth - 1, on, off); negative indices count from the end."""
    from_end = call.value(0)
    depth, off_on = int(call.scalar(1) or 0), call.value(2)
    rank = len(from_end.shape) + 1
    axis = call.axis(call.integer("axis", -1), rank)
    if element_class(from_end.element) != "int":
        raise call.unsupported("indices that are no integers", "cast them to int64")
    indices = reshape(call, from_end, (*from_end.shape[:axis], 1, *from_end.shape[axis:]))
    call.emit.claim(2 * depth * indices.element.values.itemsize, call.label)
    steps = np.arange(depth).reshape((depth,) + (1,) * (rank - 1 - axis))
    places = call.emit.constant(steps, indices.element)
    negative = call.emit.constant(steps - depth, indices.element)
    hit = call.add(Binary("equal"), indices, places)
    hit = call.add(Binary("or"), hit, call.add(Binary("equal"), indices, negative))
    off = reshape(call, window(call, off_on, 0, 0, 1), ())
    on = reshape(call, window(call, off_on, 0, 1, 2), ())
    return (call.add(Where(), hit, on, off),)


def _non_zero(call: Call) -> Sequence[Value]:
    values = call.constant(0)
    if values is None:
        raise call.malformed("input 0 is absent; it is required")
    return (call.emit.constant(np.stack(np.nonzero(values)), INT64, call.label),)


READERS: dict[str, Reader] = {
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "NonZero": _non_zero,
    "OneHot": _one_hot,
    "Range": _range,
    "Shape": _shape,
    "Size": _size,
    "Trilu": _trilu,
}
