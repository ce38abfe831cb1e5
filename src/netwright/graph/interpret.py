"""Interpret a graph in float64: the oracle of every runtime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import FormatError, GraphError, JobError
from netwright.graph.bind import bind
from netwright.graph.element import element_class, shape_bytes
from netwright.graph.graph import Block, Graph
from netwright.graph.op import Op
from netwright.graph.ops.position import CacheAppend, StateUpdate
from netwright.graph.tensor import ArrayData, Data, Role, Tensor, TensorId
from netwright.graph.unroll import repetition_name

Array: TypeAlias = NDArray[Any]

_CLASSES: dict[str, type[np.float64 | np.int64 | np.bool_]] = {
    "float": np.float64,
    "int": np.int64,
    "bool": np.bool_,
}
_KEPT = frozenset((Role.STATE, Role.CACHE, Role.OPTIMISER))


@final
class Interpreter:
    """Interprets one graph many times, keeping decoded weights (up to `cache_bytes` of them)."""

    def __init__(self, graph: Graph, cache_bytes: int = 1 << 30) -> None:
        self.graph = graph
        self._room_bytes = cache_bytes
        self._decoded: dict[tuple[TensorId, int], Array] = {}

    def __call__(
        self,
        inputs: Mapping[str, Array],
        symbols: Mapping[str, int],
        state: Mapping[str, Array],
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Outputs by name, and the state after; see `interpret`."""
        missing = sorted({s.name for s in self.graph.symbols} - set(symbols))
        if missing:
            raise JobError(f"{self.graph.name}: symbol {missing[0]} has no value; give one")
        known = kept_names(self.graph)
        for name in sorted(set(state) - known):
            raise JobError(f"{self.graph.name}: no state is named {name!r}; it has {sorted(known)}")
        kept = {name: np.asarray(value) for name, value in state.items()}
        return _Call(bind(self.graph, symbols), self, kept).run(inputs)

    def weight(self, place: TensorId, repetition: int) -> Array:
        """The values of a weight in one repetition."""
        key = (place, repetition)
        found = self._decoded.get(key)
        if found is not None:
            return found
        tensor = self.graph[place]
        if repetition >= len(tensor.data):
            raise GraphError(
                f"{self.graph.name}: weight {tensor.name} has no data; it can be planned, not run"
            )
        shape = tuple(e for e in tensor.shape if isinstance(e, int))
        raw = read_data(tensor.data[repetition], tensor.name)
        rows = raw.reshape(-1, tensor.format.row_bytes(shape[-1] if shape else 1))
        values = tensor.format.decode(rows).reshape(shape)
        if values.nbytes <= self._room_bytes:
            self._room_bytes -= values.nbytes
            self._decoded[key] = values
        return values


def interpret(
    graph: Graph,
    inputs: Mapping[str, Array],
    symbols: Mapping[str, int],
    state: Mapping[str, Array],
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Run the network once, every operator by its reference in float64.

    `inputs` are by tensor name. `state` holds states and caches by name (`name.repetition` inside
    a block); one that is absent is zero. Returns the outputs by name and the whole state after.
    Activations are not rounded to their formats; weights have exactly their formats' values.

    Raises:
        JobError: an input or symbol is missing or does not fit.
        GraphError: an operator refuses its values, or a weight has no data.
    """
    return Interpreter(graph)(inputs, symbols, state)


def read_data(entry: Data, name: str) -> NDArray[np.uint8]:
    """The bytes of a weight, from memory or from its file.

    Raises:
        FormatError: the file cannot be read or is too short.
    """
    if isinstance(entry, ArrayData):
        return entry.raw
    try:
        with entry.path.open("rb") as file:
            file.seek(entry.offset_bytes)
            raw = file.read(entry.size_bytes)
    except OSError as error:
        raise FormatError(f"weight {name}: {entry.path} cannot be read: {error}") from error
    if len(raw) != entry.size_bytes:
        raise FormatError(
            f"weight {name}: {entry.path} ends after {len(raw)} of {entry.size_bytes} bytes at "
            f"{entry.offset_bytes}; the file is truncated"
        )
    return np.frombuffer(raw, dtype=np.uint8)


def kept_names(graph: Graph) -> frozenset[str]:
    """The names that states and caches have between calls; inside a block one a repetition."""
    inside: dict[TensorId, int] = {}
    for node in graph.body:
        if isinstance(node, Block):
            places = {i for op in node.body for i in op.inputs if i is not None}
            inside.update(dict.fromkeys(places, node.repeat))
    names: set[str] = set()
    for index, tensor in enumerate(graph.tensors):
        if tensor.role not in _KEPT:
            continue
        repeat = inside.get(TensorId(index))
        if repeat is None:
            names.add(tensor.name)
        else:
            names.update(repetition_name(tensor.name, r) for r in range(repeat))
    return frozenset(names)


def last_readers(graph: Graph) -> dict[TensorId, int]:
    """Tensor → place in the body of the last node that reads it; outputs are read after the end."""
    last: dict[TensorId, int] = {}
    for index, node in enumerate(graph.body):
        if isinstance(node, Block):
            read = {i for op in node.body for i in op.inputs} | {c.first for c in node.carries}
            read |= {c.updated for c in node.carries}
        else:
            read = set(node.inputs)
        last.update({i: index for i in read if i is not None})
    return {**last, **dict.fromkeys(graph.outputs, len(graph.body))}


class _Call:
    """One run over a graph without symbols."""

    def __init__(self, graph: Graph, weights: Interpreter, state: dict[str, Array]) -> None:
        self.graph = graph
        self.weights = weights
        self.values: dict[TensorId, Array] = {}
        self.state = state
        self.repetition: int | None = None

    def run(self, inputs: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
        self._inputs(inputs)
        last = last_readers(self.graph)
        for index, node in enumerate(self.graph.body):
            if isinstance(node, Block):
                self._block(node)
            else:
                self._op(node)
            for place in [i for i in self.values if last.get(i, -1) <= index]:
                del self.values[place]
        outputs = {self.graph[i].name: self._read(i) for i in self.graph.outputs}
        return outputs, self.state

    def _inputs(self, inputs: Mapping[str, Array]) -> None:
        names = {self.graph[i].name for i in self.graph.inputs}
        for name in sorted(set(inputs) - names):
            raise JobError(f"{self.graph.name}: no input is named {name!r}; it has {sorted(names)}")
        for place in self.graph.inputs:
            tensor = self.graph[place]
            if tensor.name not in inputs:
                raise JobError(f"{self.graph.name}: input {tensor.name} is missing")
            given = np.asarray(inputs[tensor.name])
            if given.shape != tensor.shape:
                raise JobError(
                    f"{self.graph.name}: input {tensor.name} has shape {given.shape}, "
                    f"expected {tensor.shape}"
                )
            self.values[place] = given.astype(_CLASSES[element_class(tensor.format)])

    def _block(self, block: Block) -> None:
        for carry in block.carries:
            self.values[carry.inside] = self._read(carry.first)
        for repetition in range(block.repeat):
            self.repetition = repetition
            for op in block.body:
                self._op(op)
            updated = [self._read(c.updated) for c in block.carries]
            self.repetition = None
            for carry, value in zip(block.carries, updated, strict=True):
                self.values[carry.inside] = value
        for carry in block.carries:
            self.values[carry.last] = self.values[carry.inside]

    def _state_name(self, tensor: Tensor) -> str:
        if self.repetition is None:
            return tensor.name
        return repetition_name(tensor.name, self.repetition)

    def _read(self, place: TensorId) -> Array:
        tensor = self.graph[place]
        if tensor.role is Role.WEIGHT:
            return self.weights.weight(place, self.repetition or 0)
        if tensor.role not in _KEPT:
            return self.values[place]
        name = self._state_name(tensor)
        if name not in self.state:
            kind = _CLASSES[element_class(tensor.format)]
            first = np.zeros(self._shape(tensor), dtype=kind)
            if tensor.data:
                first[...] = self.weights.weight(place, self.repetition or 0)
            self.state[name] = first
        if self.state[name].shape != tensor.shape:
            raise JobError(
                f"{self.graph.name}: state {name} has shape {self.state[name].shape}, "
                f"expected {tensor.shape}"
            )
        return self.state[name]

    def _shape(self, tensor: Tensor) -> tuple[int, ...]:
        shape = tuple(e for e in tensor.shape if isinstance(e, int))
        shape_bytes(tensor.format, shape)
        return shape

    def _op(self, op: Op) -> None:
        arrays = [None if i is None else self._read(i) for i in op.inputs]
        try:
            results = op.kind.reference(arrays)
        except GraphError as error:
            raise GraphError(f"{self.graph.name}: operator {op.name}: {error}") from error
        for place, result in zip(op.outputs, results, strict=False):
            if result.shape != self.graph[place].shape:
                raise GraphError(
                    f"{self.graph.name}: operator {op.name} gave shape {result.shape}, "
                    f"expected {self.graph[place].shape}"
                )
            self.values[place] = result
        if isinstance(op.kind, (CacheAppend, StateUpdate)):
            self._keep(op, results[0])

    def _keep(self, op: Op, result: Array) -> None:
        """Write the state that an operator updates; the rows after the written ones stay."""
        place = op.inputs[0]
        assert place is not None
        kept = self._read(place).copy()
        if kept.ndim and result.shape[0] > kept.shape[0]:
            raise JobError(
                f"{self.graph.name}: {result.shape[0]} rows do not fit the cache "
                f"{self.graph[place].name} of {kept.shape[0]}; make the context longer"
            )
        if kept.ndim:
            kept[: len(result)] = result
        else:
            kept = np.asarray(result)
        self.state[self._state_name(self.graph[place])] = kept
