"""Who listens to whom: populations of a spiking graph, and every synapse between them.

What stands between spikes and neurons (products, convolutions, pools, sums, movements) is linear,
so its own reference tells the wiring: one source is set to 1, weights to their magnitudes, and
whatever changes at a neuron is a synapse. No operator needs a rule of its own.
"""

from __future__ import annotations

from netwright.errors import UnsupportedError
from netwright.graph.graph import Block, Graph
from netwright.graph.op import Op
from netwright.graph.ops.neuron import CobaLif, CubaLif
from netwright.graph.ops.spike_time import Remember, SpikeSource
from netwright.graph.tensor import TensorId
from netwright.plan.chip.arrows import Arrows
from netwright.plan.chip.probe import Probe
from netwright.plan.chip.synapse import NEURONS, Population, Projection, Wiring


def wiring(graph: Graph) -> Wiring:
    """The populations and synapses of a graph over steps [T, B, ...], or of one step of a circuit.

    Raises:
        UnsupportedError: it has symbols or repeated blocks, no spiking neuron, or noise that no
            population makes.
    """
    ops = [node for node in graph.body if not isinstance(node, Block)]
    if len(ops) != len(graph.body) or graph.symbols:
        raise UnsupportedError(
            f"{graph.name}: chips take networks of spiking neurons over steps (as NIR files load, "
            "as circuits are written); this one has blocks or symbolic sizes"
        )
    neurons = [op for op in ops if isinstance(op.kind, NEURONS)]
    if not neurons:
        raise UnsupportedError(f"{graph.name}: has no spiking neurons; a chip of cores runs those")
    populations = populations_of(graph)
    of = {p.tensor: p for p in populations}
    probe, arrows = Probe(graph, of), Arrows(graph, of)
    projections: list[Projection] = []
    for op, population in zip(neurons, populations[-len(neurons) :], strict=True):
        for place in op.inputs[: 2 * _receptors(op) + 1]:
            if place is not None:
                projections += arrows.onto(place, population)
        for place in op.inputs[: _receptors(op)]:
            if place is not None and not arrows.ends(place):
                projections += probe.into(place, population)
    return Wiring(populations, tuple(projections))


def populations_of(graph: Graph) -> tuple[Population, ...]:
    """Inputs, sources that fire by chance, then neurons; those outside first."""
    ops = [op for op, _ in graph.ops()]
    sources = [op for op in ops if isinstance(op.kind, SpikeSource)]
    places = [(graph[i].name, i, True) for i in graph.inputs]
    places += [(_name(graph, op), op.outputs[0], True) for op in sources]
    places += [
        (_name(graph, op), op.outputs[0], False) for op in ops if isinstance(op.kind, NEURONS)
    ]
    populations: list[Population] = []
    first = 0
    for name, tensor, outside in places:
        size = _neurons(graph, tensor)
        populations.append(Population(name, tensor, first, size, outside))
        first += size
    return tuple(populations)


def _name(graph: Graph, op: Op) -> str:
    """A population's own name in a circuit, else the operator's."""
    remembered = any(
        isinstance(r.kind, Remember) and r.inputs[1] == op.outputs[0] for r, _ in graph.ops()
    )
    return graph[op.outputs[0]].name if remembered else op.name


def _receptors(op: Op) -> int:
    return len(op.kind.synapse_seconds) if isinstance(op.kind, CubaLif | CobaLif) else 1


def _neurons(graph: Graph, tensor: TensorId) -> int:
    size = 1
    for extent in graph[tensor].shape[2:]:
        assert isinstance(extent, int)
        size *= extent
    return size
