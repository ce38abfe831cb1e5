"""Elementwise ONNX operators → Unary, Binary, Where, Cast."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from netwright.frontends.onnx_call import Call, Reader
from netwright.frontends.onnx_types import ELEMENT_TYPES, type_name
from netwright.frontends.onnx_value import BOOL, Constant, Value, element_class
from netwright.graph.ops.elementwise import Binary, Cast, Unary, Where
from netwright.graph.ops.function import Function


def _unary(name: str, *, alpha: float | None = None, beta: float | None = None) -> Reader:
    """A function whose attributes `alpha` and `beta` default to these."""

    def read(call: Call) -> Sequence[Value]:
        function = Function(
            name,
            0.0 if alpha is None else call.number("alpha", alpha),
            0.0 if beta is None else call.number("beta", beta),
        )
        return (call.add(Unary(function), call.value(0)),)

    return read


def _selu(call: Call) -> Sequence[Value]:
    for name, standard in (("alpha", 1.6732632), ("gamma", 1.0507010)):
        if abs(call.number(name, standard) - standard) > 1e-5:
            raise call.unsupported(f"{name} is not the standard {standard}", "use the standard one")
    return (call.add(Unary(Function("selu")), call.value(0)),)


def _gelu(call: Call) -> Sequence[Value]:
    name = {"none": "gelu", "tanh": "gelu_tanh"}.get(call.text("approximate", "none"))
    if name is None:
        raise call.malformed("attribute 'approximate': expected 'none' or 'tanh'")
    return (call.add(Unary(Function(name)), call.value(0)),)


def _softsign(call: Call) -> Sequence[Value]:
    x = call.value(0)
    size = call.add(Unary(Function("abs")), x)
    return (call.add(Binary("div"), x, call.add(Unary(Function("scale", 1.0, 1.0)), size)),)


def _clip(call: Call) -> Sequence[Value]:
    x = call.value(0)
    if call.opset < 11:
        low: float | None = call.number("min", -math.inf)
        high: float | None = call.number("max", math.inf)
    else:
        low, high = call.scalar(1), call.scalar(2)
    if element_class(x.element) == "int":
        for operator, bound in (("max", low), ("min", high)):
            if bound is not None:
                values = np.asarray(int(bound))
                x = call.add(Binary(operator), x, call.emit.constant(values, x.element))
        return (x,)
    low = -math.inf if low is None else low
    high = math.inf if high is None else high
    if (low, high) == (0.0, math.inf):
        return (call.add(Unary(Function("relu")), x),)
    return (call.add(Unary(Function("clip", low, high)), x),)


def _identity(call: Call) -> Sequence[Value]:
    return (call.value(0),)


def _dropout(call: Call) -> Sequence[Value]:
    """Inference: nothing is dropped."""
    if call.opset >= 12 and call.scalar(2):
        raise call.unsupported("it is in training mode", "export the network for inference")
    x = call.value(0)
    if not any(call.node.outputs[1:]):
        return (x,)
    call.emit.claim(math.prod(x.shape), call.label)
    return (x, Constant(np.ones(x.shape, dtype=bool), BOOL, call.label))


def _binary(operator: str) -> Reader:
    def read(call: Call) -> Sequence[Value]:
        return (call.add(Binary(operator), call.value(0), call.value(1)),)

    return read


def _pow(call: Call) -> Sequence[Value]:
    base, exponent = call.value(0), call.value(1)
    if isinstance(exponent, Constant) and element_class(base.element) == "float":
        exponent = call.add(Cast("float"), exponent)
    return (call.add(Binary("pow"), base, exponent),)


def _mod(call: Call) -> Sequence[Value]:
    a, b = call.value(0), call.value(1)
    if element_class(a.element) == "int" and call.integer("fmod", 0):
        raise call.unsupported("fmod = 1 on integers", "use fmod = 0")
    if element_class(a.element) == "float" and not call.integer("fmod", 0):
        raise call.unsupported("fmod = 0 on floats", "use fmod = 1")
    return (call.add(Binary("mod"), a, b),)


def _many(operator: str) -> Reader:
    """A binary operator over any number of inputs."""

    def read(call: Call) -> Sequence[Value]:
        total, *rest = call.given()
        for value in rest:
            total = call.add(Binary(operator), total, value)
        return (total,)

    return read


def _mean(call: Call) -> Sequence[Value]:
    (total,) = _many("add")(call)
    return (call.add(Unary(Function("scale", 1.0 / len(call.inputs))), total),)


def _prelu(call: Call) -> Sequence[Value]:
    """max(x, 0) + slope min(x, 0)."""
    x, slope = call.value(0), call.value(1)
    if isinstance(slope, Constant) and slope.values.size == 1:
        function = Function("leaky_relu", float(slope.values.reshape(-1)[0]))
        return (call.add(Unary(function), x),)
    below = call.add(Unary(Function("clip", -math.inf, 0.0)), x)
    above = call.add(Unary(Function("relu")), x)
    return (call.add(Binary("add"), above, call.add(Binary("mul"), below, slope)),)


def _where(call: Call) -> Sequence[Value]:
    return (call.add(Where(), call.value(0), call.value(1), call.value(2)),)


def _cast(call: Call) -> Sequence[Value]:
    code = call.integer("to", 0)
    element = ELEMENT_TYPES.get(code)
    if element is None:
        raise call.unsupported(f"a cast to {type_name(code)}", "cast to a number type")
    return (cast(call, call.value(0), code),)


def _cast_like(call: Call) -> Sequence[Value]:
    like = call.value(1).element
    code = next(code for code, element in ELEMENT_TYPES.items() if element is like)
    return (cast(call, call.value(0), code),)


def cast(call: Call, x: Value, code: int) -> Value:
    """The value as this element type; floats of any type are computed in fp32 all along."""
    element = ELEMENT_TYPES[code]
    if element is x.element:
        return x
    if (
        not isinstance(x, Constant)
        and element_class(element) == element_class(x.element) == "float"
    ):
        return x
    return call.add(Cast(element_class(element)), x, element=element)


READERS: dict[str, Reader] = {
    "Abs": _unary("abs"),
    "Add": _binary("add"),
    "And": _binary("and"),
    "Cast": _cast,
    "CastLike": _cast_like,
    "Ceil": _unary("ceil"),
    "Clip": _clip,
    "Cos": _unary("cos"),
    "Div": _binary("div"),
    "Dropout": _dropout,
    "Elu": _unary("elu", alpha=1.0),
    "Equal": _binary("equal"),
    "Erf": _unary("erf"),
    "Exp": _unary("exp"),
    "Floor": _unary("floor"),
    "Gelu": _gelu,
    "Greater": _binary("greater"),
    "GreaterOrEqual": _binary("greater_equal"),
    "HardSigmoid": _unary("hard_sigmoid", alpha=0.2, beta=0.5),
    "HardSwish": _unary("hard_swish"),
    "Identity": _identity,
    "IsNaN": _unary("isnan"),
    "LeakyRelu": _unary("leaky_relu", alpha=0.01),
    "Less": _binary("less"),
    "LessOrEqual": _binary("less_equal"),
    "Log": _unary("log"),
    "Max": _many("max"),
    "Mean": _mean,
    "Min": _many("min"),
    "Mish": _unary("mish"),
    "Mod": _mod,
    "Mul": _binary("mul"),
    "Neg": _unary("neg"),
    "Not": _unary("not"),
    "Or": _binary("or"),
    "PRelu": _prelu,
    "Pow": _pow,
    "Reciprocal": _unary("reciprocal"),
    "Relu": _unary("relu"),
    "Round": _unary("round"),
    "Selu": _selu,
    "Sigmoid": _unary("sigmoid"),
    "Sign": _unary("sign"),
    "Sin": _unary("sin"),
    "Softplus": _unary("softplus"),
    "Softsign": _softsign,
    "Sqrt": _unary("sqrt"),
    "Sub": _binary("sub"),
    "Sum": _many("add"),
    "Tanh": _unary("tanh"),
    "Where": _where,
    "Xor": _binary("xor"),
}
