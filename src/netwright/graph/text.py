"""Graphs as text for people: tensors, operators and their einsums."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, cast

from netwright.graph.element import type_of
from netwright.graph.op import Access, Einsum, Op, OpKind, Projection
from netwright.graph.ops.function import IDENTITY, Function
from netwright.graph.tensor import Role, Tensor

if TYPE_CHECKING:
    from netwright.graph.graph import Graph

_SIGNS = {"mul": " * ", "add": " + ", "sub": " - ", "div": " / "}
_REDUCTIONS = {"add": "sum", "mul": "product"}


def graph_text(graph: Graph) -> str:
    """The whole graph: symbols, inputs, weights, operators with einsums, outputs."""
    return "\n".join(_lines(graph))


def _lines(graph: Graph) -> Iterator[str]:
    yield f"graph {graph.name}"
    for s in graph.symbols:
        yield f"  symbol {s.name} in {s.low}..{s.high}"
    for tensor in graph.tensors:
        if tensor.role is not Role.ACTIVATION:
            yield f"  {tensor.role.value} {tensor.name}: {tensor_text(tensor)}"
    for node in graph.body:
        if isinstance(node, Op):
            yield from _op_lines(graph, node, "  ")
            continue
        yield f"  block {node.name} x {node.repeat}"
        for c in node.carries:
            first, inside, updated, last = (
                graph[i].name for i in (c.first, c.inside, c.updated, c.last)
            )
            yield f"    carry {inside} = {first}, then {updated}; after it {last}"
        for op in node.body:
            yield from _op_lines(graph, op, "    ")
    yield "  output " + ", ".join(graph[i].name for i in graph.outputs)


def tensor_text(tensor: Tensor) -> str:
    """`q4_1 [out=576, in=1536] 5.00 bits`: true bits an element, block overhead included."""
    dims = ", ".join(f"{d.name}={d.size}" for d in tensor.dims)
    found = f"{tensor.format.name} [{dims}]"
    if tensor.role is Role.WEIGHT:
        found += f" {tensor.format.bits_per_element:.2f} bits"
    if tensor.density != 1.0:
        found += f" density {tensor.density:g}"
    if tensor.role is Role.WEIGHT and not tensor.data:
        found += " without data"
    return found


def _op_lines(graph: Graph, op: Op, indent: str) -> Iterator[str]:
    made = ", ".join(f"{graph[i].name}: {tensor_text(graph[i])}" for i in op.outputs)
    given = ", ".join("none" if i is None else graph[i].name for i in op.inputs)
    yield f"{indent}{made} = {kind_text(op.kind)}({given})"
    names = [f"none{i}" if t is None else graph[t].name for i, t in enumerate(op.inputs)]
    names += [graph[i].name for i in op.outputs]
    for einsum in op_einsums(graph, op):
        yield f"{indent}    {einsum_text(einsum, names)}"


def op_einsums(graph: Graph, op: Op) -> tuple[Einsum, ...]:
    """The cascade of one operator of the graph."""
    types = [None if i is None else type_of(graph[i]) for i in op.inputs]
    return op.kind.einsums(types, op.kind.infer(types))


def kind_text(kind: OpKind) -> str:
    """`Linear[input_major=True, function=relu]`: only attributes that are not at their default."""
    parts: list[str] = []
    for f in fields(cast(Any, kind)):
        value = getattr(kind, f.name)
        if value != f.default:
            parts.append(f"{f.name}={_value_text(value)}")
    name = type(kind).__name__
    return f"{name}[{', '.join(parts)}]" if parts else name


def _value_text(value: object) -> str:
    if isinstance(value, Function):
        rest = f"({value.alpha:g}, {value.beta:g})" if value.has_parameters else ""
        return value.name + rest
    if isinstance(value, tuple):
        return f"({', '.join(_value_text(v) for v in cast('tuple[object, ...]', value))})"
    return str(value)


def einsum_text(einsum: Einsum, operands: Sequence[str]) -> str:
    """`y[m, n] = sum(k: 64) x[m, k] * w[n, k]`; t1, t2, ... are intermediates of the cascade."""
    inputs = [_access_text(a, operands) for a in einsum.inputs]
    parameters = ", ".join(f"{p:g}" if isinstance(p, float) else str(p) for p in einsum.parameters)
    if einsum.map == IDENTITY.name:
        mapped = inputs[0]
    elif einsum.map in _SIGNS and len(inputs) > 1:
        mapped = _SIGNS[einsum.map].join(inputs)
    else:
        mapped = f"{einsum.map}({', '.join([*inputs, *([parameters] if parameters else [])])})"
    used = {n for p in einsum.output.projections for n, _ in p.terms}
    reduced = [f"{n}: {size}" for n, size in einsum.loops if n not in used]
    reduction = _REDUCTIONS.get(einsum.reduce, einsum.reduce)
    over = f"{reduction}({', '.join(reduced)}) " if reduced else ""
    carried = f" carrying {', '.join(einsum.carry)}" if einsum.carry else ""
    return f"{_access_text(einsum.output, operands)} = {over}{mapped}{carried}"


def _access_text(access: Access, operands: Sequence[str]) -> str:
    index = access.operand
    name = operands[index] if index >= 0 else f"t{-index}"
    return f"{name}[{', '.join(_projection_text(p) for p in access.projections)}]"


def _projection_text(projection: Projection) -> str:
    parts = [n if c == 1 else f"{c}*{n}" for n, c in projection.terms]
    if projection.offset or not parts:
        parts.append(str(projection.offset))
    return "+".join(parts).replace("+-", "-")
