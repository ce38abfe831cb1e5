"""Executor: a flat graph as a list of torch calls over values kept by place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
import torch
from torch import Tensor

from netwright.errors import GraphError, UnsupportedError
from netwright.graph.element import element_class
from netwright.graph.graph import Block, Graph
from netwright.graph.interpret import read_data
from netwright.graph.op import OpKind
from netwright.graph.ops.position import StateUpdate
from netwright.graph.tensor import Role, TensorId
from netwright.run.workers.torch_kinds import RUNS, Run

Values: TypeAlias = dict[TensorId, Tensor]

_DTYPES: dict[str, Any] = {"float": torch.float32, "int": torch.int64, "bool": torch.bool}


@final
@dataclass(frozen=True, slots=True)
class _Call:
    run: Run
    kind: OpKind
    name: str
    inputs: tuple[TensorId | None, ...]
    output: TensorId
    dead: tuple[TensorId, ...]  # what nobody needs after this call


@final
class Executor:
    """One graph, flat, in float32; every call reads and writes one table of values."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._calls = _calls(graph)

    def __call__(self, values: Values) -> None:
        """Adds what the graph computes to `values`; only its outputs and new states stay.

        Raises:
            GraphError: torch refuses an operator; the message names it.
        """
        for call in self._calls:
            operands = [None if i is None else values[i] for i in call.inputs]
            try:
                values[call.output] = call.run(call.kind, operands)
            except (RuntimeError, IndexError) as error:
                raise GraphError(f"{self.graph.name}: operator {call.name}: {error}") from error
            for place in call.dead:
                del values[place]


def _calls(graph: Graph) -> tuple[_Call, ...]:
    found: list[_Call] = []
    states = {op.outputs[0] for op, _ in graph.ops() if isinstance(op.kind, StateUpdate)}
    kept = {*graph.outputs, *graph.inputs, *states}
    last: dict[TensorId, int] = {}
    for index, node in enumerate(graph.body):
        if isinstance(node, Block):
            raise GraphError(f"{graph.name}: block {node.name}; unroll the graph first")
        last.update({i: index for i in (*node.inputs, *node.outputs) if i is not None})
    for index, node in enumerate(graph.body):
        assert not isinstance(node, Block)
        run = RUNS.get(type(node.kind))
        if run is None or len(node.outputs) != 1:
            covered = ", ".join(sorted(k.__name__ for k in RUNS))
            raise UnsupportedError(
                f"workers: {node.name}: {type(node.kind).__name__} is not executed in torch; "
                f"covered: {covered}"
            )
        near = {i for i in (*node.inputs, *node.outputs) if i is not None}
        dead = tuple(i for i in near if last[i] == index and _dies(graph, i, kept))
        (output,) = node.outputs
        found.append(_Call(run, node.kind, node.name, node.inputs, output, dead))
    return tuple(found)


def _dies(graph: Graph, place: TensorId, kept: Iterable[TensorId]) -> bool:
    return place not in kept and graph[place].role in (Role.ACTIVATION, Role.GRADIENT)


def weight_values(graph: Graph) -> Values:
    """Every weight that the graph reads, decoded to float32 (or int64, bool).

    Raises:
        GraphError: a weight has no data.
    """
    read = {i for op, _ in graph.ops() for i in op.inputs if i is not None}
    values: Values = {}
    for place in sorted(read):
        tensor = graph[place]
        if tensor.role is not Role.WEIGHT:
            continue
        if not tensor.data:
            raise GraphError(f"{graph.name}: weight {tensor.name} has no data; give it a seed")
        shape = tuple(e for e in tensor.shape if isinstance(e, int))
        raw = read_data(tensor.data[0], tensor.name)
        rows = raw.reshape(-1, tensor.format.row_bytes(shape[-1] if shape else 1))
        decoded = np.ascontiguousarray(tensor.format.decode(rows).reshape(shape))
        values[place] = torch.as_tensor(decoded).to(_DTYPES[element_class(tensor.format)])
    return values
