"""A spiking network, a chip and recorded input spikes → the timeline of the run on the chip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import FormatError, JobError
from netwright.frontends.load import load
from netwright.graph.graph import Graph
from netwright.graph.interpret import Interpreter
from netwright.graph.ops.neuron import CubaLif, Li
from netwright.machine.machine import Machine
from netwright.plan.chip.make import Mapped, map_graph
from netwright.simulate.chip import simulate_chip
from netwright.timeline.timeline import Timeline

Array: TypeAlias = NDArray[Any]
MOST_BYTES = 1 << 30  # of one array in the file


@final
@dataclass(frozen=True, slots=True, eq=False)
class OnChip:
    """The plan with its wiring, the run, and how many spikes each population sent."""

    mapped: Mapped
    timeline: Timeline
    spikes: tuple[tuple[str, int], ...]


def read_spikes(path: Path) -> dict[str, Array]:
    """Arrays by name from an .npz file; pickled objects are never read.

    Raises:
        FormatError: the file cannot be read, or an array is too large.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, KeyError, MemoryError) as error:
        raise FormatError(f"{path}: not readable as .npz ({error}); use numpy.savez") from error
    for name, array in found.items():
        if array.nbytes > MOST_BYTES or array.dtype.kind not in "biuf":
            raise FormatError(
                f"{path}: {name}: {array.dtype} of {array.nbytes} bytes, at most 1 GiB"
            )
    return found


def load_for(source: str, spikes: Mapping[str, Array], dt_seconds: float | None) -> Graph:
    """The network over as many steps and samples as the spikes have, [T, B, ...] or [T, n].

    Raises:
        JobError: there are no spikes, or they have too few dims.
    """
    first = next(iter(spikes.values()), None)
    if first is None or first.ndim < 2:
        raise JobError("input: expected arrays [steps, samples, neurons] or [steps, neurons]")
    batch = 1 if first.ndim == 2 else first.shape[1]
    return load(source, dims={"steps": first.shape[0], "batch": batch}, dt_seconds=dt_seconds)


def run_on_chip(graph: Graph, machine: Machine, spikes: Mapping[str, Array]) -> OnChip:
    """Maps, runs the network once in the reference, and simulates the chip.

    Raises:
        JobError: inputs do not fit the network.
        UnsupportedError, PlanError: as `map_graph`.
    """
    mapped = map_graph(graph, machine)
    given = {graph[i].name: _input(spikes, graph[i].name, graph[i].shape) for i in graph.inputs}
    inside = [p for p in mapped.wiring.populations if not p.outside]
    whole = replace(graph, outputs=tuple(p.tensor for p in inside))
    outputs, _ = Interpreter(whole)(given, {}, {})
    found = {p.name: outputs[graph[p.tensor].name] for p in inside}
    for op, _ in graph.ops():  # a readout sends nothing: the host reads its membrane
        if isinstance(op.kind, Li) or (isinstance(op.kind, CubaLif) and op.kind.traced):
            found[op.name] = np.zeros_like(found[op.name])
    timeline = simulate_chip(mapped, {**given, **found})
    counted = tuple((name, int(values.sum())) for name, values in found.items())
    return OnChip(mapped, timeline, counted)


def _input(spikes: Mapping[str, Array], name: str, shape: tuple[object, ...]) -> Array:
    found = spikes.get(name)
    if found is None and len(spikes) == 1:
        found = next(iter(spikes.values()))
    size = int(np.prod([int(str(e)) for e in shape]))
    if found is None or found.size != size:
        got = sorted(spikes) if found is None else found.shape
        raise JobError(f"input {name}: got {got}, expected {list(shape)}")
    return found.reshape([int(str(e)) for e in shape]).astype(np.float64)
