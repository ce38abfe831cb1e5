"""Graph → steps for an array: sums of products are loop nests, everything else streams past."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, final

from netwright.cost.nest import Nest, nest_of
from netwright.graph.analysis import work
from netwright.graph.element import type_of
from netwright.graph.extent import resolve
from netwright.graph.graph import Graph
from netwright.graph.op import Einsum, Op
from netwright.graph.tensor import Role, TensorId

Value: TypeAlias = TensorId | str  # a tensor of the graph, or what only a cascade sees


@final
@dataclass(frozen=True, slots=True)
class Step:
    """One operator, or one sum of products within one. `reads` of a nest: inputs, weights."""

    source: str
    nest: Nest | None
    written: Value
    reads: tuple[Value, ...]


@final
@dataclass(frozen=True, slots=True)
class Steps:
    """All steps in order, and the elements of every value. Values that are views of others are
    replaced by what they view."""

    steps: tuple[Step, ...]
    elements: dict[Value, int]
    views: dict[Value, Value]


def steps_of(graph: Graph, kept: Callable[[Op], int | None]) -> Steps:
    """The steps of a flat graph without free symbols.

    `kept`: elements of what lies between an operator's products, where it stays on the chip; None
    where all of it goes out and comes back.
    """
    found: list[Step] = []
    views: dict[Value, Value] = {}
    elements: dict[Value, int] = {
        TensorId(i): math.prod(resolve(e, {}) for e in tensor.shape)
        for i, tensor in enumerate(graph.tensors)
    }
    for op, _ in graph.ops():
        nests = _nests(graph, op)
        if nests:
            found += _products(op, nests, (elements, views), kept(op))
        elif sum(t.elements for t in work(graph, op, 1).traffic if not t.written) or not op.inputs:
            reads = tuple(_seen(views, i) for i in op.inputs if i is not None)
            found += [Step(op.name, None, written, reads) for written in op.outputs]
        elif op.inputs and op.inputs[0] is not None:
            views.update({written: _seen(views, op.inputs[0]) for written in op.outputs})
    return Steps(tuple(found), elements, views)


def _seen(views: dict[Value, Value], value: Value) -> Value:
    return views.get(value, value)


def _nests(graph: Graph, op: Op) -> list[tuple[Einsum, Nest]]:
    types = [None if i is None else type_of(graph[i]) for i in op.inputs]
    outputs = op.kind.infer(types)
    shapes = [None if t is None else t.shape for t in (*types, *outputs)]
    cascade = op.kind.einsums(types, outputs)
    made = ((einsum, nest_of(einsum, shapes)) for einsum in cascade)
    return [(einsum, nest) for einsum, nest in made if nest is not None]


def _products(
    op: Op,
    nests: list[tuple[Einsum, Nest]],
    known: tuple[dict[Value, int], dict[Value, Value]],
    kept: int | None,
) -> list[Step]:
    """What a cascade keeps between two products is one value: the latest product."""
    elements, views = known
    found: list[Step] = []
    between: Value = op.name
    for index, (einsum, nest) in enumerate(nests):
        reads: list[Value] = []
        for access in einsum.inputs:
            given = op.inputs[access.operand] if 0 <= access.operand < len(op.inputs) else None
            reads.append(between if given is None else _seen(views, given))
        last = index == len(nests) - 1
        written: Value = op.outputs[0] if last else f"{op.name} product {index}"
        if not last:
            whole = int(nest.elements(2, [float(s) for s in nest.sizes]))
            elements[written] = whole if kept is None else max(1, kept)
            between = written
        found.append(Step(op.name, nest, written, tuple(reads)))
    return found


def is_weight(graph: Graph, value: Value) -> bool:
    """Whether a value comes with the network."""
    return not isinstance(value, str) and graph[value].role is Role.WEIGHT
