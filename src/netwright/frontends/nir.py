"""NIR → Graph, over a stated number of steps, with a stated discretisation.

NIR's nodes are continuous in time and fix no step; each becomes the operator of the same name with
`Discretisation(dt, EXACT, reset to v_reset, v > threshold)`, unless our own writer noted another.
Time and batch lead every tensor: [T, B, ...]. A file with loops is one step, [1, B, ...], whose
states are kept: a job streams it (`job.Stream`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import final

from netwright.errors import FormatError, GraphError, JobError, UnsupportedError
from netwright.frontends.nir_delay import MOST_STEPS, enter, late_steps, waiting
from netwright.frontends.nir_file import PASSES, NirFile, NirNode, read_nir
from netwright.frontends.nir_layers import LAYERS
from netwright.frontends.nir_note import noted_dt
from netwright.frontends.nir_order import Order, ordered
from netwright.frontends.nir_scope import Scope, array_of, shape_of
from netwright.graph.build import Builder
from netwright.graph.format import INT64
from netwright.graph.graph import Graph
from netwright.graph.ops.elementwise import Binary
from netwright.graph.ops.position import StateUpdate
from netwright.graph.ops.spike_time import OfStep, Tick
from netwright.graph.tensor import TensorId

LONGEST = 1 << 20  # steps, or samples
_USUAL_DT = 1e-3


def load_nir(path: Path, dims: Mapping[str, int], dt_seconds: float | None = None) -> Graph:
    """The network of a NIR file, for `dims` steps (100) and batch (1), `dt_seconds` (1 ms) a step.

    Raises:
        FormatError: the file is damaged, too large, or its shapes do not fit.
        UnsupportedError: a loop in which nothing waits, or other nodes.
        JobError: `dims` has other names, or sizes below 1.
    """
    unknown = set(dims) - {"steps", "batch"}
    steps, batch = dims.get("steps", 100), dims.get("batch", 1)
    if unknown or not 1 <= steps <= LONGEST or not 1 <= batch <= LONGEST:
        raise JobError(f"{path}: dims {dict(dims)}; a NIR network has steps and batch, from 1 on")
    file = read_nir(path)
    dt = next((dt for node in file.nodes.values() if (dt := noted_dt(node.note))), dt_seconds)
    dt = _USUAL_DT if dt is None else dt
    if not dt > 0:
        raise JobError(f"{path}: a step of {dt} s, expected a time above 0")
    order = ordered(file, _holding(file, dt, str(path)), str(path))
    builder = Builder(path.stem)
    clock = builder.state("clock", (("one", 1),), INT64) if order.loops else None
    scope = Scope(builder, 1 if order.loops else steps, batch, dt, clock)
    try:
        return _Network(file, scope, order, str(path)).graph()
    except GraphError as error:
        raise FormatError(f"{path}: {error}") from error


def _holding(file: NirFile, dt_seconds: float, where: str) -> frozenset[str]:
    """Delays of at least a step."""
    delays = {n: node for n, node in file.nodes.items() if node.type == "Delay"}
    return frozenset(n for n, d in delays.items() if late_steps(d, dt_seconds, where).min() > 0)


@final
class _Network:
    """One file being built."""

    def __init__(self, file: NirFile, scope: Scope, order: Order, where: str) -> None:
        self.file, self.scope, self.order, self.where = file, scope, order, where
        self.made: dict[str, TensorId] = {}
        self.before: dict[str, TensorId] = {}  # what neurons sent a step ago
        self.queues: dict[str, TensorId] = {}
        self.sources: dict[str, list[str]] = {name: [] for name in file.nodes}
        for a, b in file.edges:
            self.sources[b].append(a)

    def graph(self) -> Graph:
        for name in self.order.queues:
            self._queue(self.file.nodes[name])
        for name in sorted({a for a, _ in self.order.late}):
            self._late(self.file.nodes[name])
        outputs = [found for name in self.order.nodes if (found := self._node(name)) is not None]
        if not outputs:
            raise FormatError(f"{self.where}: has no Output; a network needs one")
        b, clock = self.scope.builder, self.scope.clock
        if clock is not None:
            for name, state in self.before.items():
                self.scope.updates.append((state, self.made[name]))
            self.scope.updates.append((clock, b.add(Tick(), (clock,), "tick")))
        for state, after in self.scope.updates:
            b.add(StateUpdate(), (state, after))
        return b.finish(list(dict.fromkeys(outputs)))

    def _node(self, name: str) -> TensorId | None:
        """Makes a node; → the value, where it is an output."""
        node, b, clock = self.file.nodes[name], self.scope.builder, self.scope.clock
        if node.type == "Input":
            x = b.input(name, self._dims(shape_of(node, self.where), "input"))
            self.made[name] = x if clock is None else b.add(OfStep(), (x, clock), f"{name} of step")
            return None
        x = self._arriving(node)
        if node.type == "Output":
            return x if clock is None else b.add(OfStep(), (x, clock), name)
        if name in self.queues:
            enter(self.scope, self.queues[name], x)
        elif node.type == PASSES:
            self.made[name] = x
        elif node.type in LAYERS:
            self.made[name] = LAYERS[node.type](self.scope, node, x, self.where)
        else:
            raise UnsupportedError(
                f"{self.where}: node {name!r} is a {node.type}; covered are {', '.join(LAYERS)}"
            )
        return None

    def _arriving(self, node: NirNode) -> TensorId:
        """The sum of all that reaches a node."""
        late = self.order.late
        values = [
            self.before[a] if (a, node.name) in late else self.made[a]
            for a in self.sources[node.name]
            if self.file.nodes[a].type != "Output"
        ]
        if not values:
            raise FormatError(f"{self.where}: node {node.name!r} has no input; join it or drop it")
        x = values[0]
        for other in values[1:]:
            x = self.scope.builder.add(Binary("add"), (x, other))
        return x

    def _dims(self, shape: tuple[int, ...], name: str) -> list[tuple[str, int]]:
        dims = [("step", self.scope.steps), ("batch", self.scope.batch)]
        return dims + [(f"{name}{k}", size) for k, size in enumerate(shape)]

    def _late(self, node: NirNode) -> None:
        """The state that holds what a neuron of a loop sent a step ago."""
        shape = array_of(node, "r", self.where).shape
        if not shape:
            raise FormatError(
                f"{self.where}: node {node.name!r} is in a loop and its r is one number; give "
                "every neuron its own, so that their number is known"
            )
        dims = self._dims(tuple(int(e) for e in shape), "neuron")
        self.before[node.name] = self.scope.builder.state(f"{node.name}.before", dims)

    def _queue(self, node: NirNode) -> None:
        """A delay of a network with loops: what leaves it is known before what enters."""
        late = late_steps(node, self.scope.dt_seconds, self.where)
        if not late.shape or late.min() != late.max() or late.max() > MOST_STEPS:
            raise UnsupportedError(
                f"{self.where}: delay {node.name!r} of a network with loops has "
                f"{'one number for all' if not late.shape else 'several delays'}; give every "
                "neuron the same, each its own number, or split the node"
            )
        shape = tuple(int(e) for e in late.shape)
        queue, leaves = waiting(self.scope, node.name, shape, int(late.max()))
        self.queues[node.name], self.made[node.name] = queue, leaves
