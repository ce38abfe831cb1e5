"""Timed: what each operator takes here in torch, each unlike one run alone for a moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import final

import torch
from torch import Tensor

from netwright.cost.cost import Cost
from netwright.errors import UnsupportedError
from netwright.graph.element import type_of
from netwright.graph.graph import Graph
from netwright.graph.op import Op
from netwright.graph.tensor import TensorId
from netwright.run.workers.torch_kinds import RUNS
from netwright.timeline.timeline import Interval

TURNS = 7  # of each; the first two warm up
CONFIDENCE = 0.7  # that the next one lies between the shortest and the longest of five
_DTYPES = {"float": torch.float32, "int": torch.int64, "bool": torch.bool}


@final
class TimedPrices:
    """Prices of one worker process on this machine: one thread of torch, processor seconds.

    Operands have the real sizes and random values (indices are 0); an operator that stands many
    times in a network is timed once.
    """

    def __init__(self) -> None:
        self._known: dict[Hashable, Cost] = {}

    def op(self, graph: Graph, op: Op) -> Cost:
        """One operator.

        Raises:
            UnsupportedError: workers do not execute it.
        """
        operands = tuple(None if i is None else _look(graph, i) for i in op.inputs)
        key = (op.kind, operands)
        if key not in self._known:
            run = RUNS.get(type(op.kind))
            if run is None:
                raise UnsupportedError(
                    f"workers: {op.name}: {type(op.kind).__name__} is not executed in torch"
                )
            values = [None if look is None else _value(look) for look in operands]
            self._known[key] = _timed(lambda: run(op.kind, values))
        return self._known[key]

    def sum(self, elements: int) -> Cost:
        """A weight's gradient added to its sum."""
        key = ("sum", elements)
        if key not in self._known:
            total, added = torch.zeros(elements, dtype=torch.float64), torch.ones(elements)
            self._known[key] = _timed(lambda: total.add_(added))
        return self._known[key]


_Look = tuple[str, tuple[int, ...]]


def _look(graph: Graph, place: TensorId) -> _Look:
    kind = type_of(graph[place])
    return kind.element, tuple(size for size in kind.shape if isinstance(size, int))


def _value(look: _Look) -> Tensor:
    element, shape = look
    if element == "float":
        return torch.rand(shape, dtype=torch.float32) + 0.5
    return torch.zeros(shape, dtype=_DTYPES[element])


def _timed(call: Callable[[], Tensor]) -> Cost:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            taken = sorted(_once(call) for _ in range(TURNS))[: TURNS - 2]
    finally:
        torch.set_num_threads(threads)
    middle = taken[len(taken) // 2]
    return Cost(middle, None, Interval(taken[0], taken[-1], CONFIDENCE), "measured")


def _once(call: Callable[[], Tensor]) -> float:
    began = time.thread_time()
    call()
    return time.thread_time() - began
