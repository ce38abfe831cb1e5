"""Cut: a flat network → chunks in a row, each handing one activation to the next.

A weight that several chunks read (a tied embedding) is in each of them; `shared_weights` says which
of their weights are one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TypeAlias

from netwright.errors import GraphError
from netwright.graph.graph import Graph
from netwright.graph.op import Op
from netwright.graph.tensor import Role, TensorId
from netwright.graph.verify import verify
from netwright.transform.dead_code import compacted, touched

# A weight of several chunks: (chunk, the weight's place in it), in the order of chunks.
Holders: TypeAlias = tuple[tuple[int, TensorId], ...]


def cut_places(graph: Graph) -> tuple[int, ...]:
    """Before which operators a flat network can be cut: where one activation alone goes over.

    Raises:
        GraphError: the network has blocks; unroll it first.
    """
    ops = _flat(graph)
    made = {i: index for index, op in enumerate(ops) for i in op.outputs}
    last = dict.fromkeys(made, -1)
    for index, op in enumerate(ops):
        for place in op.inputs:
            if place is None:
                continue
            if place in last:
                last[place] = index
    for place in graph.outputs:
        last[place] = len(ops)
    found: list[int] = []
    for index in range(1, len(ops)):
        over = [i for i in made if made[i] < index <= last[i]]
        if len(over) == 1:
            found.append(index)
    return tuple(found)


def cut(graph: Graph, places: Sequence[int]) -> tuple[Graph, ...]:
    """The chunks between these places (before operators by index), in order.

    The first input of every chunk but the first is the one output of the chunk before; further
    inputs are the network's own.

    Raises:
        GraphError: it cannot be cut there: more than one activation goes over.
    """
    chunks: list[Graph] = []
    for part in _parts(graph, places):
        chunk = compacted(part)
        verify(chunk)
        chunks.append(chunk)
    return tuple(chunks)


def shared_weights(graph: Graph, places: Sequence[int]) -> tuple[Holders, ...]:
    """The weights that more than one of the chunks between these places reads.

    Raises:
        GraphError: as `cut`.
    """
    found: dict[TensorId, list[tuple[int, TensorId]]] = {}
    for chunk, part in enumerate(_parts(graph, places)):
        read = {i for op, _ in part.ops() for i in op.inputs if i is not None}
        for after, before in enumerate(touched(part)):
            if before in read and graph[before].role is Role.WEIGHT:
                found.setdefault(before, []).append((chunk, TensorId(after)))
    return tuple(tuple(holders) for holders in found.values() if len(holders) > 1)


def _parts(graph: Graph, places: Sequence[int]) -> list[Graph]:
    """The chunks with all of the graph's tensors still in them."""
    ops = _flat(graph)
    possible = cut_places(graph)
    for place in places:
        if place not in possible:
            raise GraphError(
                f"{graph.name}: it cannot be cut before operator {place}: one activation alone may"
                " go over"
            )
    ends = [0, *places, len(ops)]
    if any(a >= b for a, b in pairwise(ends)):
        raise GraphError(f"{graph.name}: cuts at {list(places)}, expected rising places")
    chunks: list[Graph] = []
    boundary: TensorId | None = None
    for index, (start, stop) in enumerate(pairwise(ends)):
        part = ops[start:stop]
        written = {i for op in part for i in op.outputs}
        read = {i for op in part for i in op.inputs if i is not None}
        own = tuple(i for i in graph.inputs if i in read)
        inputs = own if boundary is None else (boundary, *own)
        later = {i for op in ops[stop:] for i in op.inputs} | set(graph.outputs)
        outputs = tuple(sorted(i for i in written if i in later))
        tensors = tuple(
            replace(t, role=_role(t.role, TensorId(i), inputs)) for i, t in enumerate(graph.tensors)
        )
        name = f"{graph.name}.chunk{index}"
        chunks.append(Graph(name, tensors, tuple(part), inputs, outputs))
        boundary = outputs[0]
    return chunks


def _role(role: Role, place: TensorId, inputs: Sequence[TensorId]) -> Role:
    if place in inputs:
        return Role.INPUT
    return Role.ACTIVATION if role is Role.INPUT else role


def _flat(graph: Graph) -> list[Op]:
    ops: list[Op] = []
    for node in graph.body:
        if not isinstance(node, Op):
            raise GraphError(f"{graph.name}: block {node.name}; unroll it before cutting")
        ops.append(node)
    return ops
