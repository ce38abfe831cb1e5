"""Give symbols values: Graph × {symbol: value} → Graph without those symbols."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, cast

from netwright.errors import GraphError
from netwright.graph.extent import Affine, Extent, affine
from netwright.graph.graph import Block, Graph
from netwright.graph.op import Op, OpKind
from netwright.graph.tensor import Dim


def bind(graph: Graph, symbols: Mapping[str, int]) -> Graph:
    """The graph with these symbols replaced by numbers; other symbols stay.

    Raises:
        GraphError: a symbol is not one of the graph's, or its value is out of its range.
    """
    known = {s.name: s for s in graph.symbols}
    for name, value in symbols.items():
        if name not in known:
            raise GraphError(
                f"{graph.name}: symbol {name!r} is not declared; it has {sorted(known)}"
            )
        low, high = known[name].low, known[name].high
        if not low <= value <= high:
            raise GraphError(f"{graph.name}: symbol {name} is {value}, expected {low} to {high}")
    if not symbols:
        return graph
    tensors = tuple(
        replace(t, dims=tuple(Dim(d.name, bind_extent(d.size, symbols)) for d in t.dims))
        for t in graph.tensors
    )
    body = tuple(
        replace(node, body=tuple(bind_op(op, symbols) for op in node.body))
        if isinstance(node, Block)
        else bind_op(node, symbols)
        for node in graph.body
    )
    rest = tuple(s for s in graph.symbols if s.name not in symbols)
    return replace(graph, tensors=tensors, body=body, symbols=rest)


def bind_extent(extent: Extent, symbols: Mapping[str, int]) -> Extent:
    """An extent with these symbols replaced."""
    if isinstance(extent, int):
        return extent
    constant = extent.constant + sum(c * symbols[s] for s, c in extent.terms if s in symbols)
    return affine(constant, {s: c for s, c in extent.terms if s not in symbols})


def bind_op(op: Op, symbols: Mapping[str, int]) -> Op:
    """An operator with the symbols of its attributes replaced."""
    return replace(op, kind=bind_kind(op.kind, symbols))


def bind_kind(kind: OpKind, symbols: Mapping[str, int]) -> OpKind:
    """A kind with the symbols of its attributes replaced."""
    changed = {
        name: _bind_value(value, symbols)
        for name, value in attributes(kind).items()
        if value_symbols(value)
    }
    return cast(OpKind, replace(cast(Any, kind), **changed)) if changed else kind


def attributes(kind: OpKind) -> dict[str, Any]:
    """The fields of a kind and their values."""
    return {f.name: getattr(kind, f.name) for f in fields(cast(Any, kind))}


def value_symbols(value: object) -> frozenset[str]:
    """The symbols in an attribute: an extent, or a tuple that holds some."""
    if isinstance(value, Affine):
        return frozenset(s for s, _ in value.terms)
    if isinstance(value, tuple):
        parts = cast("tuple[object, ...]", value)
        return frozenset(name for part in parts for name in value_symbols(part))
    return frozenset()


def _bind_value(value: object, symbols: Mapping[str, int]) -> object:
    if isinstance(value, Affine):
        return bind_extent(value, symbols)
    if isinstance(value, tuple):
        return tuple(_bind_value(v, symbols) for v in cast("tuple[object, ...]", value))
    return value
