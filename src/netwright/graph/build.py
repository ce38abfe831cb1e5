"""Builder: write a graph by code, types inferred as it goes."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import GraphError
from netwright.graph.element import type_of
from netwright.graph.extent import Extent
from netwright.graph.extent import symbol as symbol_extent
from netwright.graph.format import BOOL, FP32, INT64, Format
from netwright.graph.graph import Block, Carry, Graph, Node, Symbol
from netwright.graph.op import Op, OpKind, TensorType
from netwright.graph.tensor import ArrayData, Data, Dim, Role, Tensor, TensorId
from netwright.graph.verify import verify

Array: TypeAlias = NDArray[Any]
Dims: TypeAlias = Sequence[tuple[str, Extent]]

_DEFAULT_FORMATS: dict[str, Format] = {"float": FP32, "int": INT64, "bool": BOOL}


@final
@dataclass(slots=True)
class BlockBuilder:
    """The inside of a folded block: what it carries from one repetition to the next."""

    builder: Builder
    name: str
    repeat: int
    body: list[Op] = field(default_factory=list[Op])
    carried: dict[TensorId, tuple[TensorId, TensorId]] = field(
        default_factory=dict[TensorId, tuple[TensorId, TensorId]]
    )
    updates: dict[TensorId, TensorId] = field(default_factory=dict[TensorId, TensorId])

    def carry(self, first: TensorId) -> TensorId:
        """The value that enters as `first`, as every repetition sees it."""
        tensor = self.builder.tensors[first]
        dims = [(d.name, d.size) for d in tensor.dims]
        make = self.builder.tensor
        inside = make(f"{self.name}.{tensor.name}.in", dims, tensor.format, Role.ACTIVATION)
        last = make(f"{self.name}.{tensor.name}.out", dims, tensor.format, Role.ACTIVATION)
        self.carried[inside] = (first, last)
        return inside

    def update(self, inside: TensorId, updated: TensorId) -> None:
        """Say what a carried value is at the end of a repetition."""
        self.updates[inside] = updated

    def last(self, inside: TensorId) -> TensorId:
        """The carried value after the last repetition; for use after the block."""
        return self.carried[inside][1]

    def carries(self) -> tuple[Carry, ...]:
        """The finished carries."""
        for inside in self.carried:
            if inside not in self.updates:
                name = self.builder.tensors[inside].name
                raise GraphError(f"block {self.name}: {name} is carried but never updated")
        return tuple(
            Carry(first, inside, self.updates[inside], last)
            for inside, (first, last) in self.carried.items()
        )


@final
class Builder:
    """Collects tensors and operators; `finish` verifies and freezes them into a Graph."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tensors: list[Tensor] = []
        self._body: list[Node] = []
        self._inputs: list[TensorId] = []
        self._symbols: list[Symbol] = []
        self._metadata: list[tuple[str, str]] = []
        self._block: BlockBuilder | None = None

    def symbol(self, name: str, low: int, high: int) -> Extent:
        """Declare a size that is known only at run time."""
        self._symbols.append(Symbol(name, low, high))
        return symbol_extent(name)

    def metadata(self, key: str, value: str) -> None:
        """Keep something that the network says about itself."""
        self._metadata.append((key, value))

    def tensor(
        self,
        name: str,
        dims: Dims,
        form: Format,
        role: Role,
        data: tuple[Data, ...] = (),
        density: float = 1.0,
    ) -> TensorId:
        """Any tensor; the named methods below are for the common ones."""
        given = tuple(Dim(n, s) for n, s in dims)
        self.tensors.append(Tensor(name, given, form, role, density, data))
        return TensorId(len(self.tensors) - 1)

    def input(self, name: str, dims: Dims, form: Format = FP32) -> TensorId:
        """A tensor that the caller gives."""
        found = self.tensor(name, dims, form, Role.INPUT)
        self._inputs.append(found)
        return found

    def weight(
        self, name: str, dims: Dims, form: Format = FP32, data: Array | Sequence[Array] = ()
    ) -> TensorId:
        """A weight from its values: one array, or in a block one for each repetition.

        Without data it is a shape only: such a graph can be planned, not run.
        """
        arrays = [data] if isinstance(data, np.ndarray) else list(data)
        shape = tuple(s for _, s in dims)
        for array in arrays:
            if array.shape != shape:
                raise GraphError(f"weight {name}: data has shape {array.shape}, expected {shape}")
        return self.tensor(name, dims, form, Role.WEIGHT, tuple(encoded(form, a) for a in arrays))

    def stored(self, name: str, dims: Dims, form: Format, data: Sequence[Data]) -> TensorId:
        """A weight whose bytes are already in `form`: in a file or in memory."""
        return self.tensor(name, dims, form, Role.WEIGHT, tuple(data))

    def state(
        self, name: str, dims: Dims, form: Format = FP32, first: Array | None = None
    ) -> TensorId:
        """A value kept between calls; write it with `StateUpdate`. Starts at `first`, else at 0."""
        if first is not None and first.shape != tuple(size for _, size in dims):
            raise GraphError(f"state {name}: first has shape {first.shape}, expected {dims}")
        data = () if first is None else (encoded(form, first),)
        return self.tensor(name, dims, form, Role.STATE, data)

    def cache(self, name: str, dims: Dims, form: Format = FP32) -> TensorId:
        """Rows kept between calls; write them with `CacheAppend`."""
        return self.tensor(name, dims, form, Role.CACHE)

    def add(self, kind: OpKind, inputs: Sequence[TensorId | None], name: str = "") -> TensorId:
        """Append an operator with one output, or with more of which only the first matters."""
        return self.add_all(kind, inputs, name)[0]

    def add_all(
        self,
        kind: OpKind,
        inputs: Sequence[TensorId | None],
        name: str = "",
        formats: Sequence[Format] = (),
    ) -> tuple[TensorId, ...]:
        """Append an operator; its outputs, in `formats` or else fp32, int64 or bool.

        Raises:
            GraphError: the kind refuses these inputs; the message names the operator.
        """
        name = name or f"{type(kind).__name__.lower()}_{len(self.tensors)}"
        given = [None if i is None else self.tensors[i] for i in inputs]
        try:
            types = kind.infer([None if t is None else type_of(t) for t in given])
        except GraphError as error:
            raise GraphError(f"{self.name}: operator {name}: {error}") from error
        forms = tuple(formats) or tuple(_DEFAULT_FORMATS[t.element] for t in types)
        present = [t for t in given if t is not None]
        outputs = tuple(
            self.tensor(
                name if i == 0 else f"{name}.{i}", output_dims(t, present), form, Role.ACTIVATION
            )
            for i, (t, form) in enumerate(zip(types, forms, strict=True))
        )
        self.append(Op(name, kind, tuple(inputs), outputs))
        return outputs

    @property
    def operators(self) -> tuple[Op, ...]:
        """The operators so far that stand outside of blocks."""
        return tuple(node for node in self._body if isinstance(node, Op))

    def append(self, op: Op) -> None:
        """Append an operator whose outputs exist already."""
        if self._block is None:
            self._body.append(op)
        else:
            self._block.body.append(op)

    @contextmanager
    def block(self, name: str, repeat: int) -> Generator[BlockBuilder]:
        """Operators added inside stand `repeat` times one after another; blocks do not nest."""
        if self._block is not None:
            raise GraphError(f"block {name} stands inside block {self._block.name}; unroll one")
        self._block = BlockBuilder(self, name, repeat)
        try:
            yield self._block
            body = tuple(self._block.body)
            self._body.append(Block(name, repeat, body, self._block.carries()))
        finally:
            self._block = None

    def finish(self, outputs: Sequence[TensorId]) -> Graph:
        """The verified graph. Raises GraphError."""
        graph = Graph(
            self.name,
            tuple(self.tensors),
            tuple(self._body),
            tuple(self._inputs),
            tuple(outputs),
            tuple(self._symbols),
            tuple(self._metadata),
        )
        verify(graph)
        return graph


def encoded(form: Format, values: Array) -> ArrayData:
    """Values as bytes of a format, row-major."""
    rows = np.atleast_1d(np.asarray(values, dtype=np.float64))
    return ArrayData(np.ascontiguousarray(form.encode(rows)).reshape(-1))


def output_dims(output: TensorType, inputs: Sequence[Tensor]) -> list[tuple[str, Extent]]:
    """Dim names for a result: those of an input's dim of the same place and size, else d0, d1."""
    dims: list[tuple[str, Extent]] = []
    for place, size in enumerate(output.shape):
        name = f"d{place}"
        for tensor in inputs:
            if place < len(tensor.dims) and tensor.dims[place].size == size:
                name = tensor.dims[place].name
                break
        if any(name == taken for taken, _ in dims):
            name = f"d{place}"
        dims.append((name, size))
    return dims
