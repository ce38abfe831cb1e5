"""How many synapses leave each neuron of a circuit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.graph.graph import Graph
from netwright.graph.interpret import Interpreter
from netwright.graph.op import Op
from netwright.graph.ops.connect import ConvConnect, DenseConnect, RandomConnect, SparseConnect
from netwright.graph.ops.spike_time import Remember
from netwright.graph.tensor import TensorId


def out_degrees(graph: Graph) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """(name of the spikes, synapses of each neuron) of every projection."""
    weights = Interpreter(graph)
    spikes = {op.inputs[0]: op.inputs[1] for op, _ in graph.ops() if isinstance(op.kind, Remember)}
    for op, _ in graph.ops():
        kind, history = op.kind, op.inputs[0] if op.inputs else None
        if not isinstance(kind, SparseConnect | DenseConnect | ConvConnect | RandomConnect):
            continue
        source = spikes.get(history)
        if source is None or history is None:
            continue
        rows = _degrees(weights, op)
        size = graph[history].shape[-1]
        assert isinstance(size, int)
        degree = np.zeros(size, np.int64)
        degree[kind.first : kind.first + len(rows)] = rows
        yield graph[source].name, degree


def _degrees(weights: Interpreter, op: Op) -> NDArray[np.int64]:
    """Synapses of every source."""

    def value(index: int) -> NDArray[Any]:
        place = op.inputs[index]
        assert place is not None
        return weights.weight(TensorId(place), 0)

    kind = op.kind
    if isinstance(kind, SparseConnect):
        return np.diff(value(2))
    if isinstance(kind, DenseConnect):
        return np.full(len(value(2)), value(2).shape[1])
    if isinstance(kind, RandomConnect):
        return np.concatenate(
            [
                kind.joined(np.arange(i, min(i + 256, kind.sources))).sum(axis=1)
                for i in range(0, kind.sources, 256)
            ]
        )
    assert isinstance(kind, ConvConnect)
    ones = np.ones_like(value(2))
    number = int(np.prod(kind.shape))
    each = np.eye(number).reshape(number, *kind.shape)
    taps = kind.convolved(each, ones).reshape(number, -1)
    return np.rint(taps.sum(axis=1)).astype(np.int64)
