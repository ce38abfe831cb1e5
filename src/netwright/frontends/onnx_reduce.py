"""ONNX reductions → Reduce, ArgReduce, CumulativeSum, TopK."""

from __future__ import annotations

from collections.abc import Sequence

from netwright.frontends.onnx_call import Call, Reader
from netwright.frontends.onnx_movement import axes_of
from netwright.frontends.onnx_value import INT64, Value
from netwright.graph.ops.elementwise import Binary, Unary
from netwright.graph.ops.function import Function
from netwright.graph.ops.reduce import ArgReduce, CumulativeSum, Reduce, TopK


def _axes(call: Call, opset: int) -> tuple[int, ...]:
    rank = len(call.value(0).shape)
    axes = axes_of(call, 1, opset)
    if not axes:
        return () if call.integer("noop_with_empty_axes", 0) else tuple(range(rank))
    return tuple(call.axis(a, rank) for a in axes)


def _reduce(function: str, opset: int = 18) -> Reader:
    """A reduction whose axes are an input from this opset on."""

    def read(call: Call) -> Sequence[Value]:
        x, axes = call.value(0), _axes(call, opset)
        keep = bool(call.integer("keepdims", 1))
        return (call.add(Reduce(function, axes, keep), x) if axes else x,)

    return read


def _log_sum(call: Call) -> Sequence[Value]:
    (total,) = _reduce("sum")(call)
    return (call.add(Unary(Function("log")), total),)


def _log_sum_exp(call: Call) -> Sequence[Value]:
    """log(sum(exp(x - max))) + max, so that nothing overflows."""
    x, axes = call.value(0), _axes(call, 18)
    keep = bool(call.integer("keepdims", 1))
    peak = call.add(Reduce("max", axes, keepdims=True), x)
    powers = call.add(Unary(Function("exp")), call.add(Binary("sub"), x, peak))
    total = call.add(Unary(Function("log")), call.add(Reduce("sum", axes, keep), powers))
    return (call.add(Binary("add"), total, call.add(Reduce("max", axes, keep), x)),)


def _arg(function: str) -> Reader:
    def read(call: Call) -> Sequence[Value]:
        x = call.value(0)
        if call.integer("select_last_index", 0):
            raise call.unsupported("select_last_index", "take the first of equal elements")
        axis = call.axis(call.integer("axis", 0), len(x.shape))
        kind = ArgReduce(function, axis, bool(call.integer("keepdims", 1)))
        return (call.add(kind, x, element=INT64),)

    return read


def _cumulative_sum(call: Call) -> Sequence[Value]:
    x = call.value(0)
    axis = call.axis(int(call.scalar(1) or 0), len(x.shape))
    exclusive, reverse = call.integer("exclusive", 0), call.integer("reverse", 0)
    return (call.add(CumulativeSum(axis, bool(exclusive), bool(reverse)), x),)


def _top_k(call: Call) -> Sequence[Value]:
    x = call.value(0)
    k = call.integer("k", 0) if call.opset < 10 else int(call.scalar(1) or 0)
    axis = call.axis(call.integer("axis", -1), len(x.shape))
    kind = TopK(k, axis, bool(call.integer("largest", 1)))
    return call.add_all(kind, x, element=INT64 if x.element.values.kind == "f" else None)


READERS: dict[str, Reader] = {
    "ArgMax": _arg("max"),
    "ArgMin": _arg("min"),
    "CumSum": _cumulative_sum,
    "ReduceL1": _reduce("l1"),
    "ReduceL2": _reduce("l2"),
    "ReduceLogSum": _log_sum,
    "ReduceLogSumExp": _log_sum_exp,
    "ReduceMax": _reduce("max"),
    "ReduceMean": _reduce("mean"),
    "ReduceMin": _reduce("min"),
    "ReduceProd": _reduce("prod"),
    "ReduceSum": _reduce("sum", 13),
    "ReduceSumSquare": _reduce("sum_square"),
    "TopK": _top_k,
}
