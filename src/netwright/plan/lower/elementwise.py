"""Elementwise operators over strided views."""

from __future__ import annotations

from collections.abc import Sequence

from netwright.graph.extent import Extent
from netwright.graph.op import Op
from netwright.graph.ops.elementwise import (
    BINARY_CODES,
    Binary,
    Cast,
    Glu,
    Unary,
    Where,
)
from netwright.graph.ops.function import Function
from netwright.graph.ops.quantise import FakeQuantise
from netwright.graph.tensor import TensorId
from netwright.plan.lower.emitter import Emitter, unsupported
from netwright.plan.lower.epilogue import epilogue
from netwright.plan.lower.layout import broadcast, physical_order, squeezed
from netwright.plan.lower.step import Parameter, View
from netwright.plan.lower.token import lower_glu
from netwright.plan.lower.whole import arithmetic, settle, together

MAX_RANK = 6


def emit_elementwise(
    emitter: Emitter,
    opcode: str,
    output: TensorId,
    inputs: Sequence[View],
    parameters: Sequence[Parameter],
    source: str,
) -> View:
    """One elementwise step over the broadcast shape; the output lies as its largest input does."""
    value = emitter.graph[output]
    form = value.format.name
    # Kernels write what they read, but for tests; the graph may want another width.
    wide = form if opcode == "copy" or form == "bool" else inputs[-1].format
    out = fresh_like(emitter, value.shape, wide, inputs, source)
    emit_on(emitter, opcode, out, inputs, parameters, source)
    emitter.views[output] = out
    settle(emitter, output, source)
    return out


def fresh_like(
    emitter: Emitter, shape: tuple[Extent, ...], form: str, inputs: Sequence[View], source: str
) -> View:
    """New memory for a result, in the order of dims of the first input of the same shape."""
    same = [v for v in inputs if v.shape == shape and 0 not in v.stride_bytes]
    order = physical_order(same[0]) if same else None
    return emitter.scratch(shape, form, source, order)


def emit_on(
    emitter: Emitter,
    opcode: str,
    out: View,
    inputs: Sequence[View],
    parameters: Sequence[Parameter],
    source: str,
) -> None:
    """An elementwise step into a given view."""
    spread = [broadcast(v, out.shape) for v in inputs]
    order = physical_order(out)
    ordered = [_permuted(v, order) for v in (out, *spread)]
    first, *rest = squeezed(ordered, MAX_RANK, source)
    work = 4.0 * emitter.size_of(out.shape, 1)
    emitter.emit(opcode, [first], rest, parameters, source, work)


def _permuted(view: View, order: tuple[int, ...]) -> View:
    return View(
        view.buffer, view.offset_bytes, view.format,
        tuple(view.shape[d] for d in order), tuple(view.stride_bytes[d] for d in order),
    )  # fmt: skip


def _inputs(emitter: Emitter, op: Op) -> list[View]:
    views: list[View] = []
    for tensor in op.inputs:
        assert tensor is not None
        views.append(emitter.read(tensor))
    return views


def lower_unary(emitter: Emitter, op: Op) -> None:
    """Unary."""
    assert isinstance(op.kind, Unary)
    parameters = epilogue(op.kind.function)
    views = [arithmetic(emitter, view, op.name) for view in _inputs(emitter, op)]
    emit_elementwise(emitter, "unary", op.outputs[0], views, parameters, op.name)


def lower_binary(emitter: Emitter, op: Op) -> None:
    """Binary, with its fused function."""
    assert isinstance(op.kind, Binary)
    parameters = [BINARY_CODES[op.kind.operator], *epilogue(op.kind.function)]
    views = together(emitter, _inputs(emitter, op), op.name)
    emit_elementwise(emitter, "binary", op.outputs[0], views, parameters, op.name)


def lower_where(emitter: Emitter, op: Op) -> None:
    """Where."""
    assert isinstance(op.kind, Where)
    condition, *choices = _inputs(emitter, op)
    views = [condition, *together(emitter, choices, op.name)]
    emit_elementwise(emitter, "where", op.outputs[0], views, [], op.name)


def lower_cast(emitter: Emitter, op: Op) -> None:
    """Cast: a copy between formats, or nothing."""
    assert isinstance(op.kind, Cast)
    (view,) = _inputs(emitter, op)
    if view.format == emitter.graph[op.outputs[0]].format.name:
        emitter.views[op.outputs[0]] = view
        return
    emit_elementwise(emitter, "copy", op.outputs[0], [view], [], op.name)


def lower_gate(emitter: Emitter, op: Op) -> None:
    """Glu: rows when it has two or more dims."""
    assert isinstance(op.kind, Glu)
    lower_glu(emitter, op)


def lower_fake_quantise(emitter: Emitter, op: Op) -> None:
    """QONNX Quant, spelled out in the elementwise kernels that there are."""
    assert isinstance(op.kind, FakeQuantise)
    kind = op.kind
    if kind.rounding.upper() not in ("ROUND", "FLOOR", "CEIL"):
        raise unsupported(op, f"no kernel rounds by {kind.rounding!r}")
    x, scale, zero_point = _inputs(emitter, op)
    shape = emitter.graph[op.outputs[0]].shape
    high = 2.0 ** (kind.bits - 1) - 1 if kind.signed else 2.0**kind.bits - 1 - int(kind.narrow)
    low = -(2.0 ** (kind.bits - 1)) + int(kind.narrow) if kind.signed else 0.0
    rounding = {"ROUND": "round", "FLOOR": "floor", "CEIL": "ceil"}[kind.rounding.upper()]
    work = fresh_like(emitter, shape, "fp32", [x], op.name)
    none = epilogue(Function("identity"))
    emit_on(emitter, "binary", work, [x, scale], [BINARY_CODES["div"], *none], op.name)
    rounded = [BINARY_CODES["add"], *epilogue(Function(rounding))]
    emit_on(emitter, "binary", work, [work, zero_point], rounded, op.name)
    emit_on(emitter, "unary", work, [work], epilogue(Function("clip", low, high)), op.name)
    emit_on(emitter, "binary", work, [work, zero_point], [BINARY_CODES["sub"], *none], op.name)
    emit_on(emitter, "binary", work, [work, scale], [BINARY_CODES["mul"], *none], op.name)
    emitter.views[op.outputs[0]] = work
