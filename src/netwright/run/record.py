"""Graph × inputs → the spikes of every population: one run of the network, by the reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from netwright.errors import JobError
from netwright.graph.graph import Graph
from netwright.graph.interpret import Interpreter
from netwright.graph.tensor import Role, TensorId
from netwright.plan.chip.flat import reads_out
from netwright.plan.chip.synapse import NEURONS, Population
from netwright.plan.chip.wiring import populations_of

Array: TypeAlias = NDArray[Any]


def record(graph: Graph, inputs: Mapping[str, Array], steps: int | None = None) -> dict[str, Array]:
    """Spikes [steps, samples, ...] of every population, inputs among them, by name.

    A graph of one step that keeps state runs once for every row of its inputs, or `steps` times
    where it has none. The only input of a graph may have any name.

    Raises:
        JobError: inputs do not fit the network, or it runs on its own and no steps are asked for.
    """
    given = rows_of_inputs(graph, inputs)
    populations = populations_of(graph)
    whole = replace(graph, outputs=tuple(p.tensor for p in populations if not _is_given(p, graph)))
    run = Interpreter(whole)
    if not any(t.role is Role.STATE for t in graph.tensors):
        outputs, _ = run(given, {}, {})
    else:
        outputs = _stepped(run, given, steps)
    found = {p.name: outputs[graph[p.tensor].name] for p in populations if not _is_given(p, graph)}
    silent = {o.name for o, _ in graph.ops() if isinstance(o.kind, NEURONS) and reads_out(o.kind)}
    found |= {name: np.zeros_like(found[name]) for name in silent & set(found)}
    return {**given, **found}


def rows_of_inputs(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Every input as [steps, samples, ...]. The only input of a graph may have any name.

    Raises:
        JobError: one is missing, does not fit, or is none of the graph's.
    """
    names = {graph[i].name for i in graph.inputs}
    if set(inputs) - names and not (len(inputs) == len(names) == 1):
        raise JobError(f"input: got {sorted(inputs)}, the network has {sorted(names)}")
    return {graph[i].name: _rows(inputs, graph, i) for i in graph.inputs}


def _is_given(population: Population, graph: Graph) -> bool:
    return population.tensor in graph.inputs


def _stepped(run: Interpreter, given: Mapping[str, Array], steps: int | None) -> dict[str, Array]:
    number = next((len(rows) for rows in given.values()), steps)
    if number is None or number < 1:
        raise JobError(f"{run.graph.name}: runs by itself; say for how many steps")
    state: dict[str, Array] = {}
    rows: dict[str, list[Array]] = {}
    for step in range(number):
        outputs, state = run({n: x[step : step + 1] for n, x in given.items()}, {}, state)
        for name, value in outputs.items():
            rows.setdefault(name, []).append(value)
    return {name: np.concatenate(values) for name, values in rows.items()}


def _rows(inputs: Mapping[str, Array], graph: Graph, place: TensorId) -> Array:
    """An input as [steps, samples, ...]: of all steps in one call, or of as many as are given."""
    name = graph[place].name
    shape = [int(str(e)) for e in graph[place].shape]
    found = inputs.get(name)
    if found is None and len(inputs) == 1 and len(graph.inputs) == 1:
        found = next(iter(inputs.values()))
    kept = any(t.role is Role.STATE for t in graph.tensors)
    row = int(np.prod(shape[1:]))
    fits = found is not None and found.ndim > 1
    if (
        found is None
        or not fits
        or (int(np.prod(found.shape[1:])) != row if kept else found.size != row * shape[0])
    ):
        got = sorted(inputs) if found is None else found.shape
        expected = ["steps", *shape[1:]] if kept else shape
        raise JobError(f"input {name}: got {got}, expected {expected}")
    return np.reshape(found, (-1 if kept else shape[0], *shape[1:])).astype(np.float64)
