"""Verify: every rule that a graph must keep, checked between phases."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

from netwright.errors import FormatError, GraphError
from netwright.graph.bind import attributes, value_symbols
from netwright.graph.element import shape_bytes, type_of
from netwright.graph.extent import upper
from netwright.graph.graph import Block, Graph, shape_text
from netwright.graph.op import Op, TensorType
from netwright.graph.ops.position import CacheAppend, StateUpdate
from netwright.graph.tensor import ArrayData, Data, Role, Tensor, TensorId

# Roles whose values exist before anything runs.
_GIVEN = frozenset((Role.INPUT, Role.WEIGHT, Role.STATE, Role.CACHE, Role.OPTIMISER))
_KEPT = frozenset((Role.STATE, Role.CACHE, Role.OPTIMISER))
MAX_REPEAT = 1_000_000  # so that unrolling a hostile file ends

_OWN = _GIVEN - {Role.INPUT}


def verify(graph: Graph) -> None:
    """Check a graph.

    Ids in range, defined before use, each tensor written once; types equal to what the kinds
    infer; block carries consistent and block tensors private; weights' bytes of the right size;
    symbols declared; densities in [0, 1]; states and caches written once, after their readers.

    Raises:
        GraphError: names the place, what was got and what was expected.
    """
    _Check(graph).run()


class _Check:
    """One verification: what is defined, written and owned so far."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.written: dict[TensorId, str] = {}
        self.owner: dict[TensorId, str] = {}
        self.updated: dict[TensorId, str] = {}

    def run(self) -> None:
        graph = self.graph
        self._symbols()
        for tensor in graph.tensors:
            self._tensor(tensor)
        self._names()
        for place in graph.inputs:
            self._known(place, "an input of the graph")
            if graph[place].role is not Role.INPUT:
                self._fail(graph[place].name, f"role {graph[place].role.value}", "input")
        given = {TensorId(i) for i, t in enumerate(graph.tensors) if t.role in _GIVEN}
        if {i for i in given if graph[i].role is Role.INPUT} != set(graph.inputs):
            self._fail("inputs", "tensors of role input that the graph does not list", "all listed")
        defined = set(given)
        for node in graph.body:
            if isinstance(node, Block):
                self._block(node, defined)
            else:
                self._op(node, defined, "")
        for place in graph.outputs:
            if place not in defined:
                self._fail(f"output {graph[place].name}", "never computed", "computed")
        self._data(given)

    def _fail(self, where: str, got: str, expected: str) -> NoReturn:
        raise GraphError(f"graph {self.graph.name}: {where}: got {got}, expected {expected}")

    def _known(self, place: TensorId, where: str) -> None:
        if not 0 <= place < len(self.graph.tensors):
            self._fail(where, f"tensor {place}", f"an id below {len(self.graph.tensors)}")

    def _symbols(self) -> None:
        seen: set[str] = set()
        for s in self.graph.symbols:
            if s.name in seen or not 0 <= s.low <= s.high:
                self._fail(f"symbol {s.name}", f"{s.low}..{s.high}", "one range, 0 <= low <= high")
            seen.add(s.name)

    def _declared(self, used: Iterable[str], where: str) -> None:
        unknown = sorted(set(used) - {s.name for s in self.graph.symbols})
        if unknown:
            self._fail(where, f"symbol {unknown[0]}", "a symbol that the graph declares")

    def _tensor(self, tensor: Tensor) -> None:
        where = f"tensor {tensor.name}"
        low, high = self.graph.extent_bounds()
        for dim in tensor.dims:
            self._declared(value_symbols(dim.size), f"{where}, dim {dim.name}")
            # The least value over the box is minus the largest of the negated extent.
            if upper(0 - dim.size, low, high) > 0:
                self._fail(f"{where}, dim {dim.name}", f"size {dim.size}", "never below 0")
        if not 0.0 <= tensor.density <= 1.0:
            self._fail(where, f"density {tensor.density}", "0 to 1")
        if tensor.data and tensor.role not in (Role.WEIGHT, Role.OPTIMISER, Role.STATE):
            self._fail(where, f"data on a tensor of role {tensor.role.value}", "none")

    def _names(self) -> None:
        """Callers address inputs, outputs and kept values by name."""
        seen: set[str] = set()
        for tensor in self.graph.tensors:
            if tensor.role in _KEPT or tensor.role is Role.INPUT:
                if tensor.name in seen:
                    self._fail(f"tensor {tensor.name}", "its name twice", "a name of its own")
                seen.add(tensor.name)
        for place in self.graph.outputs:
            self._known(place, "an output of the graph")
        if len({self.graph[i].name for i in self.graph.outputs}) != len(set(self.graph.outputs)):
            self._fail("outputs", "two of one name", "a name each")

    def _op(self, op: Op, defined: set[TensorId], inside: str) -> None:
        where = f"{inside}operator {op.name}"
        for place in (*(i for i in op.inputs if i is not None), *op.outputs):
            self._known(place, where)
        for name, value in attributes(op.kind).items():
            self._declared(value_symbols(value), f"{where}, {name}")
        self._reads(op, defined, where)
        self._types(op, where)
        for place in op.outputs:
            self._write(place, where, defined)
        if isinstance(op.kind, (CacheAppend, StateUpdate)):
            self._update(op, where)

    def _reads(self, op: Op, defined: set[TensorId], where: str) -> None:
        for place in op.inputs:
            if place is None:
                continue
            name = self.graph[place].name
            if place not in defined:
                self._fail(where, f"{name} before it is computed", "operators in order")
            if place in self.updated:
                got = f"{name} after {self.updated[place]} wrote it"
                self._fail(where, got, "the output of that operator, or a place before it")

    def _types(self, op: Op, where: str) -> None:
        types = [None if i is None else type_of(self.graph[i]) for i in op.inputs]
        try:
            inferred = op.kind.infer(types)
        except GraphError as error:
            raise GraphError(f"graph {self.graph.name}: {where}: {error}") from error
        if len(inferred) < len(op.outputs) or not op.outputs:
            self._fail(where, f"{len(op.outputs)} outputs", f"1 to {len(inferred)}")
        for place, expected in zip(op.outputs, inferred, strict=False):
            found = type_of(self.graph[place])
            if found != expected:
                name = self.graph[place].name
                self._fail(f"{where}, output {name}", _type_text(found), _type_text(expected))

    def _write(self, place: TensorId, where: str, defined: set[TensorId]) -> None:
        tensor = self.graph[place]
        if tensor.role in _GIVEN:
            self._fail(where, f"{tensor.name} ({tensor.role.value}) as output", "a computed tensor")
        if place in self.written:
            self._fail(where, f"{tensor.name}, written by {self.written[place]}", "one writer each")
        self.written[place] = where
        defined.add(place)

    def _update(self, op: Op, where: str) -> None:
        place = op.inputs[0]
        cache = isinstance(op.kind, CacheAppend)
        roles = (Role.CACHE,) if cache else (Role.STATE, Role.OPTIMISER)
        if place is None or self.graph[place].role not in roles:
            names = " or ".join(role.value for role in roles)
            self._fail(where, "a first input of another role", f"one of role {names}")
        self.updated[place] = where

    def _block(self, block: Block, defined: set[TensorId]) -> None:
        where = f"block {block.name}"
        if not 1 <= block.repeat <= MAX_REPEAT:
            self._fail(where, f"repeat {block.repeat}", f"1 to {MAX_REPEAT}")
        inner = set(defined)
        for carry in block.carries:
            for place in (carry.first, carry.inside, carry.updated, carry.last):
                self._known(place, where)
                self._same(self.graph[carry.first], self.graph[place], where)
            if carry.first not in defined:
                self._fail(where, f"{self.graph[carry.first].name} before it is computed", "after")
            self._write(carry.inside, where, inner)
        for op in block.body:
            self._op(op, inner, f"{where}, ")
        for carry in block.carries:
            if carry.updated not in inner:
                self._fail(where, f"{self.graph[carry.updated].name}, never computed", "computed")
            self._write(carry.last, where, defined)
        self._own(block)

    def _same(self, first: Tensor, other: Tensor, where: str) -> None:
        if (first.shape, first.format) != (other.shape, other.format):
            self._fail(
                f"{where}, carry {other.name}",
                f"{other.format.name} {shape_text(other.shape)}",
                f"that of {first.name}, {first.format.name} {shape_text(first.shape)}",
            )

    def _own(self, block: Block) -> None:
        """Weights, states and caches of a block belong to it alone."""
        places = {i for op in block.body for i in op.inputs if i is not None}
        for place in sorted(places):
            if self.graph[place].role not in _OWN:
                continue
            owner = self.owner.setdefault(place, block.name)
            if owner != block.name:
                got = f"{self.graph[place].name} of block {owner}"
                self._fail(f"block {block.name}", got, "a tensor of its own")

    def _data(self, given: set[TensorId]) -> None:
        repeats = {n.name: n.repeat for n in self.graph.body if isinstance(n, Block)}
        for node in self.graph.body:
            if isinstance(node, Block):
                continue
            for place in node.inputs:
                if place is not None and place in self.owner:
                    got = f"{self.graph[place].name} of block {self.owner[place]}"
                    self._fail(f"operator {node.name}", got, "a tensor of its own")
        for place in given:
            tensor = self.graph[place]
            expected = repeats[self.owner[place]] if place in self.owner else 1
            if tensor.data and len(tensor.data) != expected:
                got = f"{len(tensor.data)} data entries"
                self._fail(f"tensor {tensor.name}", got, f"{expected}, one a repetition")
            for entry in tensor.data:
                self._bytes(tensor, entry)

    def _bytes(self, tensor: Tensor, entry: Data) -> None:
        where = f"tensor {tensor.name}"
        shape = tuple(e for e in tensor.shape if isinstance(e, int))
        if len(shape) != len(tensor.shape):
            self._fail(where, f"data of shape {shape_text(tensor.shape)}", "no symbols")
        try:
            expected = shape_bytes(tensor.format, shape)
        except FormatError as error:
            raise GraphError(f"graph {self.graph.name}: {where}: {error}") from error
        got = entry.raw.nbytes if isinstance(entry, ArrayData) else entry.size_bytes
        if got != expected:
            self._fail(where, f"{got} bytes of data", f"{expected} for {tensor.format.name}")


def _type_text(found: TensorType) -> str:
    return f"{found.element} {shape_text(found.shape)}"


def is_kept(tensor: Tensor) -> bool:
    """Whether a tensor keeps its value between calls."""
    return tensor.role in _KEPT
