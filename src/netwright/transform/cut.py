"""Cut: a flat network → chunks in a row, each handing one activation to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from netwright.errors import GraphError
from netwright.graph.graph import Graph
from netwright.graph.op import Op
from netwright.graph.tensor import Role, TensorId
from netwright.graph.verify import verify
from netwright.transform.dead_code import compacted


def cut_places(graph: Graph) -> tuple[int, ...]:
    """Before which operators a flat network can be cut: where one activation alone goes over.

    Raises:
        GraphError: the network has blocks; unroll it first.
    """
    ops = _flat(graph)
    made = {i: index for index, op in enumerate(ops) for i in op.outputs}
    last = dict.fromkeys(made, -1)
    first: dict[TensorId, int] = {}
    weights: dict[TensorId, int] = {}
    for index, op in enumerate(ops):
        for place in op.inputs:
            if place is None:
                continue
            if place in last:
                last[place] = index
            elif graph[place].role is Role.WEIGHT:
                first.setdefault(place, index)
                weights[place] = index
    for place in graph.outputs:
        last[place] = len(ops)
    found: list[int] = []
    for index in range(1, len(ops)):
        over = [i for i in made if made[i] < index <= last[i]]
        shared = any(first[w] < index <= weights[w] for w in weights)
        if len(over) == 1 and not shared:
            found.append(index)
    return tuple(found)


def cut(graph: Graph, places: Sequence[int]) -> tuple[Graph, ...]:
    """The chunks between these places (before operators by index), in order.

    The first input of every chunk but the first is the one output of the chunk before; further
    inputs are the network's own.

    Raises:
        GraphError: it cannot be cut there: more than one activation, or a weight, goes over.
    """
    ops = _flat(graph)
    possible = cut_places(graph)
    for place in places:
        if place not in possible:
            raise GraphError(
                f"{graph.name}: it cannot be cut before operator {place}: one activation alone may"
                " go over, and no weight may be used on both sides (untie them)"
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
        chunk = Graph(f"{graph.name}.chunk{index}", tensors, tuple(part), inputs, outputs)
        chunk = compacted(chunk)
        verify(chunk)
        chunks.append(chunk)
        boundary = outputs[0]
    return tuple(chunks)


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
