"""BatchNorm that no layer took in: a factor and a shift for each channel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from netwright.graph.op import Op
from netwright.graph.ops.elementwise import BINARY_CODES
from netwright.graph.ops.function import IDENTITY, Function
from netwright.graph.ops.norm import BatchNorm
from netwright.graph.tensor import TensorId
from netwright.plan.lower.elementwise import emit_on, fresh_like
from netwright.plan.lower.emitter import Emitter
from netwright.plan.lower.epilogue import epilogue
from netwright.plan.lower.step import View


def lower_batch_norm(emitter: Emitter, op: Op) -> None:
    """Computes x factor + shift; both known now where the statistics are constants."""
    assert isinstance(op.kind, BatchNorm)
    x_id, *rest = op.inputs
    assert x_id is not None
    parts = [tensor for tensor in rest if tensor is not None]
    constant = all(emitter.is_constant(tensor) for tensor in parts)
    make = _constants if constant else _computed
    factor, shift = make(emitter, op, op.kind.epsilon, parts)
    x = emitter.read(x_id)
    out = fresh_like(emitter, emitter.graph[op.outputs[0]].shape, "fp32", [x], op.name)
    _binary(emitter, op, "mul", out, (x, _over_channels(factor, len(x.shape))))
    _binary(emitter, op, "add", out, (out, _over_channels(shift, len(x.shape))))
    emitter.views[op.outputs[0]] = out


def _constants(
    emitter: Emitter, op: Op, epsilon: float, parts: list[TensorId]
) -> tuple[View, View]:
    scale, bias, mean, variance = (np.asarray(emitter.array(t), np.float64) for t in parts)
    with np.errstate(all="ignore"):  # a variance below zero gives NaN, as it would at run time
        factor: NDArray[np.float64] = scale / np.sqrt(variance + epsilon)
        shift = bias - mean * factor
        narrow = factor.astype(np.float32), shift.astype(np.float32)
    return (
        emitter.constant(narrow[0], "fp32", f"{op.name}.factor"),
        emitter.constant(narrow[1], "fp32", f"{op.name}.shift"),
    )


def _computed(emitter: Emitter, op: Op, epsilon: float, parts: list[TensorId]) -> tuple[View, View]:
    scale, bias, mean, variance = (emitter.read(tensor) for tensor in parts)
    factor = emitter.scratch(scale.shape, "fp32", op.name)
    shift = emitter.scratch(scale.shape, "fp32", op.name)
    more = epilogue(Function("scale", 1.0, epsilon))
    emit_on(emitter, "unary", factor, [variance], more, op.name)
    emit_on(emitter, "unary", factor, [factor], epilogue(Function("rsqrt")), op.name)
    _binary(emitter, op, "mul", factor, (factor, scale))
    _binary(emitter, op, "mul", shift, (mean, factor))
    _binary(emitter, op, "sub", shift, (bias, shift))
    return factor, shift


def _binary(emitter: Emitter, op: Op, operator: str, out: View, inputs: tuple[View, View]) -> None:
    parameters = [BINARY_CODES[operator], *epilogue(IDENTITY)]
    emit_on(emitter, "binary", out, list(inputs), parameters, op.name)


def _over_channels(vector: View, rank: int) -> View:
    """[C] as [C, 1 ...], which broadcasts along all dims but that of the channels."""
    ones = (1,) * (rank - 2)
    strides = (*vector.stride_bytes, *(0 for _ in ones))
    return replace(vector, shape=(*vector.shape, *ones), stride_bytes=strides)
