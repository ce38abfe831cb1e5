"""Expand: fused operators as the plain ones that they are made of, so that each has one gradient.

Linear with bias keeps its bias; a residual, a function at the end, a gate and attention become
operators of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from netwright.errors import UnsupportedError
from netwright.graph.build import Builder
from netwright.graph.graph import Graph
from netwright.graph.op import Op, OpKind
from netwright.graph.ops.attention import Attention
from netwright.graph.ops.elementwise import Binary, Glu, Unary
from netwright.graph.ops.function import IDENTITY, Function
from netwright.graph.ops.linear import Linear, MatMul
from netwright.graph.ops.movement import Transpose
from netwright.graph.ops.softmax import Softmax
from netwright.graph.tensor import Role, TensorId
from netwright.transform.gradients.tape import Tape

# Writes the operator anew; False where it stays as it is.
Expansion: TypeAlias = Callable[[Tape, Op], bool]


def reopened(graph: Graph) -> Builder:
    """A builder with the graph's tensors at their places and no operators yet."""
    builder = Builder(graph.name)
    for symbol in graph.symbols:
        builder.symbol(symbol.name, symbol.low, symbol.high)
    for tensor in graph.tensors:
        dims = [(d.name, d.size) for d in tensor.dims]
        if tensor.role is Role.INPUT:
            builder.input(tensor.name, dims, tensor.format)
        else:
            builder.tensor(
                tensor.name, dims, tensor.format, tensor.role, tensor.data, tensor.density
            )
    return builder


def expanded(graph: Graph) -> Graph:
    """The same flat network, unfused; its tensors keep their places."""
    tape = Tape(reopened(graph), set())
    for op, _ in graph.ops():
        tape.name = op.name
        expansion = EXPANSIONS.get(type(op.kind))
        if expansion is None or not expansion(tape, op):
            tape.builder.append(op)
    return tape.builder.finish(graph.outputs)


def _linear(tape: Tape, op: Op) -> bool:
    assert isinstance(op.kind, Linear)
    residual = op.inputs[3] if len(op.inputs) > 3 else None
    if residual is None and op.kind.function == IDENTITY:
        return False
    plain = tape.add(Linear(op.kind.input_major), *op.inputs[:3])
    if residual is None:
        tape.write(Unary(op.kind.function), (plain,), op.outputs[0])
    elif op.kind.function == IDENTITY:
        tape.write(Binary("add"), (plain, residual), op.outputs[0])
    else:
        total = tape.add(Binary("add"), plain, residual)
        tape.write(Unary(op.kind.function), (total,), op.outputs[0])
    return True


def _binary(tape: Tape, op: Op) -> bool:
    assert isinstance(op.kind, Binary)
    if op.kind.function == IDENTITY:
        return False
    combined = tape.add(Binary(op.kind.operator), *op.inputs)
    tape.write(Unary(op.kind.function), (combined,), op.outputs[0])
    return True


def _glu(tape: Tape, op: Op) -> bool:
    assert isinstance(op.kind, Glu)
    active = tape.add(Unary(op.kind.function), op.inputs[0])
    tape.write(Binary("mul"), (active, op.inputs[1]), op.outputs[0])
    return True


def _heads_first(tape: Tape, x: TensorId) -> TensorId:
    rank = len(tape.shape(x))
    order = (*range(rank - 3), rank - 2, rank - 3, rank - 1)
    return tape.add(Transpose(order), x)


def _repeated(tape: Tape, x: TensorId, times: int) -> TensorId:
    """Every key head as often as query heads share it; x is [..., G, S, D]."""
    *batch, groups, rows, width = tape.shape(x)
    apart = tape.reshape(x, [*batch, groups, 1, rows, width])
    wide = tape.expand(apart, [*batch, groups, times, rows, width])
    return tape.reshape(wide, [*batch, groups * times, rows, width])


def _attention(tape: Tape, op: Op) -> bool:
    kind = op.kind
    assert isinstance(kind, Attention)
    q, k, v = op.inputs[:3]
    assert q is not None
    assert k is not None
    assert v is not None
    tokens, heads, _ = tape.shape(q)[-3:]
    keys, groups, _ = tape.shape(k)[-3:]
    if kind.causal and keys < tokens:
        raise UnsupportedError(
            f"differentiate: {op.name}: causal attention of {tokens} queries to {keys} keys leaves"
            " queries that see nothing"
        )
    q, k, v = (_heads_first(tape, x) for x in (q, k, v))
    if heads != groups:
        k, v = (_repeated(tape, x, heads // groups) for x in (k, v))
    scores = tape.add(MatMul(transpose_b=True, scale=kind.scale), q, k)
    if kind.softcap is not None:
        capped = tape.add(Unary(Function("tanh")), tape.scale(scores, 1.0 / kind.softcap))
        scores = tape.scale(capped, kind.softcap)
    if len(op.inputs) > 3 and op.inputs[3] is not None:
        scores = tape.add(Binary("add"), scores, op.inputs[3])
    if kind.causal:
        seen = tape.constant(np.where(kind.visible(tokens, keys), 0.0, -np.inf))
        scores = tape.add(Binary("add"), scores, seen)
    mixed = tape.add(MatMul(), tape.add(Softmax(-1), scores), v)
    rank = len(tape.shape(mixed))
    order = (*range(rank - 3), rank - 2, rank - 3, rank - 1)
    tape.write(Transpose(order), (mixed,), op.outputs[0])
    return True


EXPANSIONS: Mapping[type[OpKind], Expansion] = {
    Attention: _attention,
    Binary: _binary,
    Glu: _glu,
    Linear: _linear,
}
