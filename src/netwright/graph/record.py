"""Graphs as plain JSON values and back, checked field by field.

A kind's attributes are read against the types that its dataclass declares, so a file can make
nothing but the values that code could.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Any, NoReturn, TypeAlias, Union, cast, get_args, get_origin, get_type_hints

from netwright.errors import FormatError, GraphError, UnsupportedError
from netwright.graph.bind import attributes
from netwright.graph.extent import Affine, Extent, affine
from netwright.graph.format import format_of
from netwright.graph.graph import Block, Carry, Graph, Node, Symbol
from netwright.graph.op import Op, OpKind
from netwright.graph.ops.function import Function
from netwright.graph.ops.kinds import KINDS
from netwright.graph.tensor import Data, Dim, Role, Tensor, TensorId

Json: TypeAlias = Any
WriteData: TypeAlias = Callable[[Data], Json]
ReadData: TypeAlias = Callable[[Json, str], Data]

_LARGEST = 1 << 62
_BY_NAME = {kind.__name__: kind for kind in KINDS}
_HINTS: dict[str, Mapping[str, Any]] = {k.__name__: get_type_hints(k) for k in KINDS}
_NOT_FINITE = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


def write_graph(graph: Graph, write_data: WriteData) -> Json:
    """The graph as JSON values; `write_data` says where the bytes of a weight are."""
    return {
        "name": graph.name,
        "symbols": [[s.name, s.low, s.high] for s in graph.symbols],
        "metadata": [list(pair) for pair in graph.metadata],
        "tensors": [_write_tensor(t, write_data) for t in graph.tensors],
        "body": [_write_node(n) for n in graph.body],
        "inputs": list(graph.inputs),
        "outputs": list(graph.outputs),
    }


def _write_tensor(tensor: Tensor, write_data: WriteData) -> Json:
    return {
        "name": tensor.name,
        "dims": [[d.name, _write_value(d.size)] for d in tensor.dims],
        "format": tensor.format.name,
        "role": tensor.role.value,
        "density": tensor.density,
        "data": [write_data(entry) for entry in tensor.data],
    }


def _write_node(node: Node) -> Json:
    if isinstance(node, Op):
        values = {name: _write_value(v) for name, v in attributes(node.kind).items()}
        return {
            "op": node.name,
            "kind": type(node.kind).__name__,
            "attributes": values,
            "inputs": list(node.inputs),
            "outputs": list(node.outputs),
        }
    return {
        "block": node.name,
        "repeat": node.repeat,
        "carries": [[c.first, c.inside, c.updated, c.last] for c in node.carries],
        "body": [_write_node(op) for op in node.body],
    }


def _write_value(value: object) -> Json:
    if isinstance(value, Affine):
        return {"constant": value.constant, "terms": [list(t) for t in value.terms]}
    if isinstance(value, Function):
        return [value.name, _write_value(float(value.alpha)), _write_value(float(value.beta))]
    if isinstance(value, tuple):
        return [_write_value(v) for v in cast("tuple[object, ...]", value)]
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value):
        return {f.name: _write_value(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    return value


def read_graph(record: Json, read_data: ReadData, where: str) -> Graph:
    """The graph of a record; not yet verified.

    Raises:
        FormatError: a field is missing, of the wrong type or out of range; `where` names the file.
        UnsupportedError: an operator kind or format that this version does not know.
    """
    reader = _Reader(where, read_data)
    return reader.graph(record)


class _Reader:
    """Reads one record; every failure names the file and the field."""

    def __init__(self, where: str, read_data: ReadData) -> None:
        self.where = where
        self.read_data = read_data

    def fail(self, field: str, got: object, expected: str) -> NoReturn:
        shown = repr(got)
        shown = shown if len(shown) <= 80 else shown[:77] + "..."
        raise FormatError(f"{self.where}: {field}: got {shown}, expected {expected}")

    def record(self, value: Json, keys: tuple[str, ...], field: str) -> dict[str, Json]:
        found = cast("dict[str, Json]", value) if isinstance(value, dict) else None
        if found is None or set(found) != set(keys):
            self.fail(field, cast(object, value), f"an object with {', '.join(keys)}")
        return found

    def items(self, value: Json, field: str, size: int | None = None) -> list[Json]:
        if not isinstance(value, list):
            self.fail(field, value, "a list")
        found = cast("list[Json]", value)
        if size is not None and len(found) != size:
            self.fail(field, found, f"a list of {size}")
        return found

    def text(self, value: Json, field: str) -> str:
        if not isinstance(value, str):
            self.fail(field, value, "a string")
        return value

    def integer(self, value: Json, field: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _LARGEST:
            self.fail(field, value, "an integer below 2^62")
        return value

    def real(self, value: Json, field: str) -> float:
        if isinstance(value, str) and value in _NOT_FINITE:
            return _NOT_FINITE[value]
        if isinstance(value, float):
            return value
        return float(self.integer(value, field))

    def extent(self, value: Json, field: str) -> Extent:
        if not isinstance(value, dict):
            return self.integer(value, field)
        found = self.record(cast(Json, value), ("constant", "terms"), field)
        terms: dict[str, int] = {}
        for term in self.items(found["terms"], field):
            name, coefficient = self.items(term, field, 2)
            terms[self.text(name, field)] = self.integer(coefficient, field)
        return affine(self.integer(found["constant"], field), terms)

    def ids(self, value: Json, field: str) -> tuple[TensorId, ...]:
        return tuple(TensorId(self.integer(v, field)) for v in self.items(value, field))

    def graph(self, value: Json) -> Graph:
        keys = ("name", "symbols", "metadata", "tensors", "body", "inputs", "outputs")
        found = self.record(value, keys, "graph")
        symbols: list[Symbol] = []
        for entry in self.items(found["symbols"], "symbols"):
            name, low, high = self.items(entry, "symbols", 3)
            numbers = self.integer(low, "symbols"), self.integer(high, "symbols")
            symbols.append(Symbol(self.text(name, "symbols"), *numbers))
        metadata: list[tuple[str, str]] = []
        for entry in self.items(found["metadata"], "metadata"):
            key, text = self.items(entry, "metadata", 2)
            metadata.append((self.text(key, "metadata"), self.text(text, "metadata")))
        tensors = self.items(found["tensors"], "tensors")
        return Graph(
            self.text(found["name"], "name"),
            tuple(self.tensor(t, f"tensors[{i}]") for i, t in enumerate(tensors)),
            tuple(self.node(n) for n in self.items(found["body"], "body")),
            self.ids(found["inputs"], "inputs"),
            self.ids(found["outputs"], "outputs"),
            tuple(symbols),
            tuple(metadata),
        )

    def tensor(self, value: Json, field: str) -> Tensor:
        keys = ("name", "dims", "format", "role", "density", "data")
        found = self.record(value, keys, field)
        name = self.text(found["name"], f"{field}.name")
        field = f"tensor {name}"
        dims: list[Dim] = []
        for dim in self.items(found["dims"], f"{field}.dims"):
            label, size = self.items(dim, f"{field}.dims", 2)
            dims.append(Dim(self.text(label, f"{field}.dims"), self.extent(size, f"{field}.dims")))
        if len(dims) > 16:
            self.fail(f"{field}.dims", len(dims), "at most 16")
        role = self.text(found["role"], f"{field}.role")
        if role not in {r.value for r in Role}:
            self.fail(f"{field}.role", role, "a role of tensors")
        return Tensor(
            name,
            tuple(dims),
            format_of(self.text(found["format"], f"{field}.format")),
            Role(role),
            self.real(found["density"], f"{field}.density"),
            tuple(self.read_data(d, field) for d in self.items(found["data"], f"{field}.data")),
        )

    def node(self, value: Json) -> Node:
        if isinstance(value, dict) and "op" in value:
            return self.op(cast(Json, value))
        found = self.record(value, ("block", "repeat", "carries", "body"), "body")
        name = self.text(found["block"], "body.block")
        carries = [self.ids(c, f"block {name}") for c in self.items(found["carries"], name)]
        for carry in carries:
            if len(carry) != 4:
                self.fail(f"block {name}, carry", carry, "4 tensors")
        return Block(
            name,
            self.integer(found["repeat"], f"block {name}.repeat"),
            tuple(self.op(op) for op in self.items(found["body"], f"block {name}.body")),
            tuple(Carry(*carry) for carry in carries),
        )

    def op(self, value: Json) -> Op:
        keys = ("op", "kind", "attributes", "inputs", "outputs")
        found = self.record(value, keys, "operator")
        name = self.text(found["op"], "operator.op")
        field = f"operator {name}"
        inputs = self.items(found["inputs"], f"{field}.inputs")
        places = tuple(
            None if i is None else TensorId(self.integer(i, f"{field}.inputs")) for i in inputs
        )
        kind = self.kind(self.text(found["kind"], f"{field}.kind"), found["attributes"], field)
        return Op(name, kind, places, self.ids(found["outputs"], f"{field}.outputs"))

    def kind(self, name: str, value: Json, field: str) -> OpKind:
        if name not in _BY_NAME:
            raise UnsupportedError(
                f"{self.where}: {field}: no operator kind is called {name!r}; "
                f"known: {', '.join(_BY_NAME)}"
            )
        made = cast(Any, _BY_NAME[name])
        found = self.record(value, tuple(f.name for f in fields(made)), f"{field}.attributes")
        hints = _HINTS[name]
        return made(**{k: self.value(v, hints[k], f"{field}.{k}") for k, v in found.items()})

    def value(self, value: Json, hint: Any, field: str) -> object:
        """One attribute, of the type that the dataclass declares."""
        origin, parts = get_origin(hint), get_args(hint)
        if hint == Extent:
            return self.extent(value, field)
        if origin in (Union, UnionType):
            rest = [p for p in parts if p is not NoneType]
            return None if value is None else self.value(value, rest[0], field)
        if origin is tuple:
            items = self.items(value, field)
            if parts[-1] is Ellipsis:
                return tuple(self.value(v, parts[0], field) for v in items)
            self.items(value, field, len(parts))
            return tuple(self.value(v, p, field) for v, p in zip(items, parts, strict=True))
        if hint is Function:
            name, alpha, beta = self.items(value, field, 3)
            numbers = self.real(alpha, field), self.real(beta, field)
            return Function(self.text(name, field), *numbers)
        if isinstance(hint, type) and issubclass(hint, Enum):
            known = {member.value: member for member in hint}
            if value not in known:
                self.fail(field, value, f"one of {', '.join(known)}")
            return known[value]
        if is_dataclass(cast(Any, hint)):
            return self.nested(value, cast(Any, hint), field)
        return self.scalar(value, hint, field)

    def nested(self, value: Json, hint: Any, field: str) -> object:
        """An attribute that is a record of its own."""
        found = self.record(value, tuple(f.name for f in fields(hint)), field)
        hints = get_type_hints(hint)
        parts = {k: self.value(v, hints[k], f"{field}.{k}") for k, v in found.items()}
        try:
            return hint(**parts)
        except GraphError as error:
            self.fail(field, value, str(error))

    def scalar(self, value: Json, hint: Any, field: str) -> object:
        if hint is bool:
            if not isinstance(value, bool):
                self.fail(field, value, "true or false")
            return value
        if hint is int:
            return self.integer(value, field)
        return self.real(value, field) if hint is float else self.text(value, field)
