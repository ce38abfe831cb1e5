"""ONNX layers → Linear, MatMul, Softmax, norms, Lstm, Gru."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from netwright.frontends.onnx_call import Call, Reader
from netwright.frontends.onnx_movement import reshape
from netwright.frontends.onnx_value import Constant, Value
from netwright.graph.ops.elementwise import Binary, Unary
from netwright.graph.ops.function import Function
from netwright.graph.ops.linear import Linear, MatMul
from netwright.graph.ops.movement import Expand, Transpose
from netwright.graph.ops.norm import BatchNorm, GroupNorm, LayerNorm, LpNorm, RmsNorm
from netwright.graph.ops.pool import Pool
from netwright.graph.ops.recurrent import Gru, Lstm
from netwright.graph.ops.softmax import Softmax


def _matmul(call: Call) -> Sequence[Value]:
    return (call.add(MatMul(), call.value(0), call.value(1)),)


def _gemm(call: Call) -> Sequence[Value]:
    """Computes alpha a b + beta c; with a constant b this is Linear."""
    a, b, c = call.value(0), call.value(1), call.optional(2)
    if call.integer("transA", 0):
        a = call.add(Transpose((1, 0)), a)
    transposed = bool(call.integer("transB", 0))
    alpha, beta = call.number("alpha", 1.0), call.number("beta", 1.0)
    if c is not None and beta != 1.0:
        c = call.add(Binary("mul"), c, call.floats(beta))
    if not isinstance(b, Constant):
        product = call.add(MatMul(transpose_b=transposed, scale=alpha), a, b)
        return (product if c is None else call.add(Binary("add"), product, c),)
    if alpha != 1.0:
        b = call.add(Binary("mul"), b, call.floats(alpha))
    kind = Linear(input_major=not transposed)
    units = b.shape[0 if transposed else 1]
    if c is None:
        return (call.add(kind, a, b),)
    if isinstance(c, Constant) and c.shape in ((units,), (1, units)):
        return (call.add(kind, a, b, reshape(call, c, (units,))),)
    return (call.add(Binary("add"), call.add(kind, a, b), c),)


def _softmax(log: bool) -> Reader:
    def read(call: Call) -> Sequence[Value]:
        x = call.value(0)
        rank = len(x.shape)
        axis = call.axis(call.integer("axis", 1 if call.opset < 13 else -1), rank)
        if call.opset >= 13 or math.prod(x.shape[axis:]) == x.shape[axis]:
            return (call.add(Softmax(axis, log), x),)
        # Before opset 13 everything from `axis` on is one row.
        rows = reshape(call, x, (math.prod(x.shape[:axis]), math.prod(x.shape[axis:])))
        return (reshape(call, call.add(Softmax(1, log), rows), x.shape),)

    return read


def _batch_norm(call: Call) -> Sequence[Value]:
    if call.integer("training_mode", 0) or not call.integer("spatial", 1):
        raise call.unsupported("training mode", "export the network for inference")
    kind = BatchNorm(call.number("epsilon", 1e-5))
    return (call.add(kind, *(call.value(i) for i in range(5))),)


def _instance_norm(call: Call) -> Sequence[Value]:
    x = call.value(0)
    kind = GroupNorm(x.shape[1], call.number("epsilon", 1e-5))
    return (call.add(kind, x, call.value(1), call.value(2)),)


def _group_norm(call: Call) -> Sequence[Value]:
    """Before opset 21 scale and bias are one a group."""
    x, scale, bias = (call.value(i) for i in range(3))
    groups = call.integer("num_groups", 1)
    channels = x.shape[1]

    def per_channel(value: Value) -> Value:
        if call.opset >= 21 or value.shape == (channels,):
            return value
        wide = call.add(Expand((groups, channels // groups)), reshape(call, value, (groups, 1)))
        return reshape(call, wide, (channels,))

    kind = GroupNorm(groups, call.number("epsilon", 1e-5))
    return (call.add(kind, x, per_channel(scale), per_channel(bias)),)


def _layer_norm(call: Call) -> Sequence[Value]:
    x, scale, bias = call.value(0), call.value(1), call.optional(2)
    if any(call.node.outputs[1:]):
        raise call.unsupported("the outputs of mean and deviation", "use only the first output")
    axis = call.axis(call.integer("axis", -1), len(x.shape))
    normal = x.shape[axis:]

    def full(value: Value) -> Value:
        return value if value.shape == normal else call.add(Expand(normal), value)

    kind = LayerNorm(len(normal), call.number("epsilon", 1e-5))
    return (call.add(kind, x, full(scale), None if bias is None else full(bias)),)


def _rms_norm(call: Call) -> Sequence[Value]:
    x, scale = call.value(0), call.value(1)
    if call.axis(call.integer("axis", -1), len(x.shape)) != len(x.shape) - 1:
        raise call.unsupported("more than one normalised dim", "normalise the last dim")
    return (call.add(RmsNorm(call.number("epsilon", 1e-5)), x, scale),)


def _lp_norm(call: Call) -> Sequence[Value]:
    x = call.value(0)
    axis = call.axis(call.integer("axis", -1), len(x.shape))
    return (call.add(LpNorm(axis, call.integer("p", 2)), x),)


def _local_response_norm(call: Call) -> Sequence[Value]:
    """Computes x / (bias + alpha * mean over a window of channels of x^2) ^ beta."""
    x, size = call.value(0), call.integer("size", 1)
    rows = (x.shape[0], 1, x.shape[1], math.prod(x.shape[2:]))
    square = reshape(call, call.add(Unary(Function("square")), x), rows)
    pads = (((size - 1) // 2, size // 2), (0, 0))
    ones = (1, 1)
    mean = call.add(Pool("average", (size, 1), ones, pads, ones, count_include_pad=True), square)
    scale = Function("scale", call.number("alpha", 1e-4), call.number("bias", 1.0))
    power = call.floats(-call.number("beta", 0.75))
    factor = call.add(Binary("pow"), call.add(Unary(scale), mean), power)
    return (call.add(Binary("mul"), x, reshape(call, factor, x.shape)),)


def _recurrent(call: Call, activations: tuple[str, ...]) -> tuple[int, str, bool]:
    """The hidden size, direction and whether the batch comes first; refuses what kinds lack."""
    direction = call.text("direction", "forward")
    given = tuple(a.lower() for a in call.texts("activations"))
    standard = activations * (2 if direction == "bidirectional" else 1)
    if given and given != tuple(a.lower() for a in standard):
        raise call.unsupported(f"activations {given}", f"the standard {standard} are covered")
    if call.node.attributes.get("clip") is not None:
        raise call.unsupported("clipped gates", "export without clip")
    x = call.value(0)
    batch_first = bool(call.integer("layout", 0))
    steps = x.shape[1 if batch_first else 0]
    lengths = call.constant(4)
    if lengths is not None and not np.all(lengths == steps):
        raise call.unsupported("sequences of unequal lengths", f"all must have {steps} steps")
    hidden = call.integer("hidden_size", call.value(2).shape[-1])
    return hidden, direction, batch_first


def _run(
    call: Call, kind: Lstm | Gru, batch_first: bool, states: Sequence[Value | None]
) -> Sequence[Value]:
    """The layer, with the batch moved to where kinds expect it and back."""
    x, weight, recurrence, bias = call.value(0), call.value(1), call.value(2), call.optional(3)
    if batch_first:
        swap = Transpose((1, 0, 2))
        x = call.add(swap, x)
        states = [None if s is None else call.add(swap, s) for s in states]
    outputs = call.add_all(kind, x, weight, recurrence, bias, *states)
    if not batch_first:
        return outputs
    first = call.add(Transpose((2, 0, 1, 3)), outputs[0])
    return [first, *(call.add(Transpose((1, 0, 2)), state) for state in outputs[1:])]


def _lstm(call: Call) -> Sequence[Value]:
    hidden, direction, batch_first = _recurrent(call, ("Sigmoid", "Tanh", "Tanh"))
    if call.integer("input_forget", 0) or call.optional(7) is not None:
        raise call.unsupported("peepholes or coupled gates", "export a plain LSTM")
    states = (call.optional(5), call.optional(6))
    return _run(call, Lstm(hidden, direction), batch_first, states)


def _gru(call: Call) -> Sequence[Value]:
    hidden, direction, batch_first = _recurrent(call, ("Sigmoid", "Tanh"))
    kind = Gru(hidden, direction, bool(call.integer("linear_before_reset", 0)))
    return _run(call, kind, batch_first, (call.optional(5),))


READERS: dict[str, Reader] = {
    "BatchNormalization": _batch_norm,
    "GRU": _gru,
    "Gemm": _gemm,
    "GroupNormalization": _group_norm,
    "InstanceNormalization": _instance_norm,
    "LRN": _local_response_norm,
    "LSTM": _lstm,
    "LayerNormalization": _layer_norm,
    "LogSoftmax": _softmax(log=True),
    "LpNormalization": _lp_norm,
    "MatMul": _matmul,
    "RMSNormalization": _rms_norm,
    "Softmax": _softmax(log=False),
}
