"""The projections of a circuit: synapses as their operators keep them, whatever their delay.

A chip sends a packet when a neuron fires and holds what is late at the target, so delays move no
event from one core to another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import UnsupportedError
from netwright.graph.graph import Graph
from netwright.graph.interpret import Interpreter
from netwright.graph.op import Op
from netwright.graph.ops.connect import ConvConnect, DenseConnect, RandomConnect, SparseConnect
from netwright.graph.ops.spike_time import OfStep, Poisson, Remember
from netwright.graph.tensor import TensorId
from netwright.plan.chip.synapse import CONVOLUTION, DENSE, SPARSE, Population, Projection
from netwright.plan.lower.connect import Rows, drawn, rows_of, unfolded

Array: TypeAlias = NDArray[Any]
CONNECTIONS = (SparseConnect, DenseConnect, ConvConnect, RandomConnect)


@final
class Arrows:
    """Finds the projections that end in a neuron's inputs and currents."""

    def __init__(self, graph: Graph, populations: Mapping[TensorId, Population]) -> None:
        self._graph, self._weights = graph, Interpreter(graph)
        self._makers: dict[TensorId, Op] = {op.outputs[0]: op for op, _ in graph.ops()}
        self._sources: dict[TensorId, Population] = {}
        for op, _ in graph.ops():
            history, spikes = op.inputs[:2] if isinstance(op.kind, Remember) else (None, None)
            if history is None or spikes is None:
                continue
            maker = self._makers[spikes]
            given = maker.inputs[0] if isinstance(maker.kind, OfStep) else spikes
            if given is not None and given in populations:
                self._sources[history] = populations[given]

    def ends(self, place: TensorId) -> bool:
        """Whether a projection (or noise) ends here."""
        maker = self._makers.get(place)
        return maker is not None and isinstance(maker.kind, (*CONNECTIONS, Poisson))

    def onto(self, place: TensorId, target: Population) -> list[Projection]:
        """All projections that are added up here.

        Raises:
            UnsupportedError: noise that no neuron sends: a chip has no counter for it.
        """
        found: list[Projection] = []
        at: TensorId | None = place
        while at is not None and self.ends(at):
            op = self._makers[at]
            if isinstance(op.kind, Poisson):
                raise UnsupportedError(
                    f"{self._graph.name}: {op.name} is noise that no neuron sends, and a chip's "
                    "cores are only sent spikes; give it as a population (Circuit.source) and a "
                    "projection"
                )
            found.append(self._projection(op, target))
            at = (
                op.inputs[self._place_of_sum(op)]
                if len(op.inputs) > self._place_of_sum(op)
                else None
            )
        return found

    @staticmethod
    def _place_of_sum(op: Op) -> int:
        if isinstance(op.kind, SparseConnect):
            return 6
        return 2 if isinstance(op.kind, RandomConnect) else 3

    def _projection(self, op: Op, target: Population) -> Projection:
        kind, history = op.kind, op.inputs[0]
        assert history is not None and isinstance(kind, CONNECTIONS)
        source = self._sources[history]
        rows, stored = self._rows(op), SPARSE
        if isinstance(kind, ConvConnect):
            stored = CONVOLUTION
        elif len(rows.target) == source.size * target.size:
            stored = DENSE
        sender = np.repeat(np.arange(len(rows.starts) - 1), np.diff(rows.starts)) + kind.first
        return Projection(
            source.first + sender.astype(np.int64),
            target.first + rows.target.astype(np.int64),
            stored,
        )

    def _rows(self, op: Op) -> Rows:
        kind = op.kind
        if isinstance(kind, RandomConnect):
            return drawn(kind)
        if isinstance(kind, SparseConnect):
            return Rows(self._value(op, 2), self._value(op, 3), self._value(op, 4))
        weight = self._value(op, 2)
        return unfolded(kind, weight) if isinstance(kind, ConvConnect) else rows_of(weight)

    def _value(self, op: Op, index: int) -> Array:
        place = op.inputs[index]
        assert place is not None
        return self._weights.weight(place, 0)
