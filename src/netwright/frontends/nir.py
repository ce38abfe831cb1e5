"""NIR → Graph, over a stated number of steps, with a stated discretisation.

NIR's nodes are continuous in time and fix no step; each becomes the operator of the same name with
`Discretisation(dt, EXACT, reset to v_reset, v > threshold)`, unless our own writer noted another.
Time and batch lead every tensor: [T, B, ...].
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from netwright.errors import FormatError, GraphError, JobError, UnsupportedError
from netwright.frontends.nir_file import NirFile, NirNode, read_nir
from netwright.frontends.nir_layers import LAYERS, Scope, shape_of
from netwright.graph.build import Builder
from netwright.graph.graph import Graph
from netwright.graph.ops.elementwise import Binary
from netwright.graph.tensor import TensorId

MOST_STEPS = 1 << 20


def load_nir(path: Path, dims: Mapping[str, int], dt_seconds: float | None = None) -> Graph:
    """The network of a NIR file, for `dims` steps (100) and batch (1), `dt_seconds` (1 ms) a step.

    Raises:
        FormatError: the file is damaged, too large, or its shapes do not fit.
        UnsupportedError: loops (recurrent edges), neurons that differ inside one node, other nodes.
        JobError: `dims` has other names, or sizes below 1.
    """
    unknown = set(dims) - {"steps", "batch"}
    steps, batch = dims.get("steps", 100), dims.get("batch", 1)
    if unknown or not 1 <= steps <= MOST_STEPS or not 1 <= batch <= MOST_STEPS:
        raise JobError(f"{path}: dims {dict(dims)}; a NIR network has steps and batch, from 1 on")
    file = read_nir(path)
    scope = Scope(Builder(path.stem), steps, batch, 1e-3 if dt_seconds is None else dt_seconds)
    try:
        return _built(file, scope, str(path))
    except GraphError as error:
        raise FormatError(f"{path}: {error}") from error


def _built(file: NirFile, scope: Scope, where: str) -> Graph:
    made: dict[str, TensorId] = {}
    outputs: list[TensorId] = []
    for node in _ordered(file, where):
        sources = [made[a] for a, b in file.edges if b == node.name and a in made]
        if node.type == "Input":
            shape = shape_of(node, where)
            dims = [("step", scope.steps), ("batch", scope.batch)]
            dims += [(f"input{k}", size) for k, size in enumerate(shape)]
            made[node.name] = scope.builder.input(node.name, dims)
            continue
        if not sources:
            raise FormatError(f"{where}: node {node.name!r} has no input; join it or drop it")
        x = sources[0]
        for other in sources[1:]:
            x = scope.builder.add(Binary("add"), (x, other))
        if node.type == "Output":
            outputs.append(x)
            continue
        if node.type not in LAYERS:
            raise UnsupportedError(
                f"{where}: node {node.name!r} is a {node.type}; covered are {', '.join(LAYERS)}"
            )
        made[node.name] = LAYERS[node.type](scope, node, x, where)
    if not outputs:
        raise FormatError(f"{where}: has no Output; a network needs one")
    return scope.builder.finish(list(dict.fromkeys(outputs)))


def _ordered(file: NirFile, where: str) -> list[NirNode]:
    """Nodes after everything that they need."""
    waits = dict.fromkeys(file.nodes, 0)
    after: dict[str, list[str]] = {name: [] for name in file.nodes}
    for source, target in file.edges:
        waits[target] += 1
        after[source].append(target)
    ready = [name for name, count in waits.items() if count == 0]
    order: list[NirNode] = []
    while ready:
        name = ready.pop()
        order.append(file.nodes[name])
        for target in after[name]:
            waits[target] -= 1
            if waits[target] == 0:
                ready.append(target)
    if len(order) < len(waits):
        left = sorted(set(waits) - {node.name for node in order})
        raise UnsupportedError(
            f"{where}: nodes {left[:5]} form a loop; recurrent networks run step by step: build "
            "them as a circuit (docs/spiking.md), files of them are not read yet"
        )
    return order
