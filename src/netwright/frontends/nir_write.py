"""Graph → NIR file, readable by every tool that reads NIR; our discretisation goes in as a note."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeAlias, cast, final

import numpy as np

from netwright.errors import UnsupportedError
from netwright.frontends.nir_file import hdf5
from netwright.frontends.nir_nodes import MORE, Node, Written, node_of
from netwright.graph.graph import Block, Graph
from netwright.graph.interpret import Interpreter
from netwright.graph.op import Op
from netwright.graph.ops.elementwise import Binary, Cast
from netwright.graph.ops.linear import Linear
from netwright.graph.ops.movement import Concat, Pad, Reshape, Slice
from netwright.graph.ops.neuron_rule import Discretisation
from netwright.graph.ops.position import StateUpdate
from netwright.graph.ops.spike_time import OfStep, Tick
from netwright.graph.tensor import Role, TensorId

Source: TypeAlias = "str | TensorId"  # a node, or the state of one that is not written yet


@final
@dataclass(frozen=True, slots=True)
class Value:
    """A tensor as NIR has it: the sum of what these nodes give, [..] of this shape."""

    sources: tuple[Source, ...]
    shape: tuple[int, ...]


def write_nir(path: Path, graph: Graph) -> None:
    """Writes what `load_nir` reads: the same operators over steps, or of one step with its loops.

    Raises:
        UnsupportedError: an operator that has no node; or h5py is not installed.
    """
    h5py = hdf5(str(path))
    found = _Walk(graph)
    found.walk()
    with h5py.File(path, "w") as file:
        text = h5py.string_dtype()
        file.create_dataset("version", data="1.0.8", dtype=text)
        root = file.create_group("node")
        root.create_dataset("type", data="NIRGraph", dtype=text)
        edges = [(found.name_of(a), b) for a, b in found.edges]
        root.create_dataset("edges", data=np.array(edges, dtype=object), dtype=text)
        _write(root.create_group("nodes"), found.nodes, text)


def _write(group: Any, values: Node, text: Any) -> None:
    for key, value in values.items():
        if isinstance(value, dict):
            _write(group.create_group(key), cast(Node, value), text)
        elif isinstance(value, str):
            group.create_dataset(key, data=value, dtype=text)
        else:
            group.create_dataset(key, data=value)


class _Walk:
    """Turns operators into nodes and edges, one after the other."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.weights = graph, Interpreter(graph)
        self.nodes: Node = {}
        self.edges: list[tuple[Source, str]] = []
        self.made: dict[TensorId, Value] = {}
        self.over: dict[TensorId, Op] = {}  # comparisons that a cast makes a Threshold
        self.late: dict[TensorId, tuple[TensorId, int]] = {}  # padded → what waits, steps
        self.queues: dict[TensorId, str] = {}  # state → its Delay
        self.rules = [r for op, _ in graph.ops() if (r := getattr(op.kind, "rule", None))]
        self.after = {
            state: after
            for op, _ in graph.ops()
            if isinstance(op.kind, StateUpdate)
            for state, after in [(op.inputs[0], op.inputs[1])]
            if state is not None and after is not None
        }

    @property
    def dt_seconds(self) -> float:
        """The seconds of a step: its neurons', else the reader's own."""
        rule = next((r for r in self.rules if isinstance(r, Discretisation)), Discretisation())
        return rule.dt_seconds

    def walk(self) -> None:
        """All of the graph."""
        for place in self.graph.inputs:
            shape = self._inner(place)
            name = self._named(self.graph[place].name)
            self.nodes[name] = {"type": "Input", "shape": np.array(shape)}
            self.made[place] = Value((name,), shape)
        for place, tensor in enumerate(self.graph.tensors):
            if (
                tensor.role is Role.STATE
                and len(tensor.shape) > 2
                and TensorId(place) in self.after
            ):
                self.made[TensorId(place)] = Value((TensorId(place),), self._inner(TensorId(place)))
        for op in self.graph.body:
            if isinstance(op, Block):
                self._refuse(op.name, "is a block of repeated operators")
            self._op(op)
        for state, name in self.queues.items():
            self._join(self.made[self.after[state]], name)
        for place in self.graph.outputs:
            value = self._flattened(place, self._inner(place))
            first = value.sources[0]
            name = self._named(f"output_{first if isinstance(first, str) else place}")
            self.nodes[name] = {"type": "Output", "shape": np.array(value.shape)}
            self._join(value, name)

    def name_of(self, source: Source) -> str:
        """The node behind a source; of a state the one that writes it."""
        if isinstance(source, str):
            return source
        if source in self.queues:
            return self.queues[source]
        value = self.made.get(self.after[source])
        if value is None or len(value.sources) != 1:
            self._refuse(self.graph[source].name, "is a state that no node writes")
        return self.name_of(value.sources[0])

    def _op(self, op: Op) -> None:
        kind, others = op.kind, op.inputs[1:]
        first = op.inputs[0] if op.inputs else None
        if isinstance(kind, StateUpdate | Tick):
            return
        if first is None:
            self._refuse(op.name, "has no input")
        if isinstance(kind, Reshape | OfStep):
            self.made[op.outputs[0]] = self._value(op, first)
        elif isinstance(kind, Pad | Slice | Concat):
            self._shift(op, first, others)
        elif isinstance(kind, Binary) and kind.operator == "add" and others[0] in self.made:
            self._sum(op, first, cast(TensorId, others[0]))
        elif isinstance(kind, Binary) and kind.operator.startswith("greater"):
            self.over[op.outputs[0]] = op
        elif isinstance(kind, Cast) and first in self.over:
            self._node(self.over[first], op.outputs[0])
        else:
            self._node(op, op.outputs[0])

    def _node(self, op: Op, out: TensorId) -> None:
        """An operator that is a node."""
        places = list(op.inputs)
        if isinstance(op.kind, Binary) and places[0] not in self.made and places[1] in self.made:
            places.reverse()
        x = places[0]
        assert x is not None
        value = self._value(op, x)
        if isinstance(op.kind, Linear):
            value = self._flattened(x, self._inner(x))
        written = node_of(Written(self.graph, self.weights, op, value.shape, tuple(places)))
        name = self._named(op.name)
        self.nodes[name] = written.node
        self._join(value, name)
        self.made[out] = Value((name,), written.shape)

    def _sum(self, op: Op, first: TensorId, second: TensorId) -> None:
        """One edge for each that is added; the order of the sum is the order of the edges."""
        a, b = self._value(op, first), self._value(op, second)
        if a.shape != b.shape:
            self._refuse(op.name, f"adds values of shapes {a.shape} and {b.shape}")
        if len(b.sources) > 1 or set(b.sources) & set(a.sources):
            name = self._named(f"{op.name}_part")
            self.nodes[name] = {"type": "Scale", "scale": np.ones(b.shape, np.float32)}
            self._join(b, name)
            b = Value((name,), b.shape)
        self.made[op.outputs[0]] = Value((*a.sources, *b.sources), a.shape)

    def _shift(self, op: Op, first: TensorId, others: Sequence[TensorId | None]) -> None:
        """Pad and Slice of the steps are a Delay; Slice and Concat of a queue that is kept, too."""
        kind, out = op.kind, op.outputs[0]
        if isinstance(kind, Pad):
            early = kind.pads[0][0] if kind.pads else 0
            if kind != Pad(((early, 0), *(((0, 0),) * (len(kind.pads) - 1)))):
                self._refuse(op.name, "pads more than the steps before the first")
            self.late[out] = (first, early)
            return
        if isinstance(kind, Slice) and first in self.late:
            source, steps = self.late[first]
            self._delay(op, out, self._value(op, source), steps)
            return
        if isinstance(kind, Slice) and self.graph[first].role is Role.STATE:
            if not any(kind.starts):
                steps = int(cast(int, self.graph[first].shape[0]))
                self.queues[first] = self._delay(op, out, None, steps)
            else:
                self.late[out] = (first, 0)
            return
        last = others[-1] if others else None
        if isinstance(kind, Concat) and first in self.late and last is not None:
            self.made[out] = self._value(op, last)
            return
        self._refuse(op.name, "moves values as no node does")

    def _delay(self, op: Op, out: TensorId, value: Value | None, steps: int) -> str:
        """A Delay of all neurons; a queue's is joined when all is walked."""
        shape = self._inner(out) if value is None else value.shape
        name = self._named(op.name)
        seconds = np.full(shape, steps * self.dt_seconds)
        self.nodes[name] = {"type": "Delay", "delay": seconds}
        if value is not None:
            self._join(value, name)
        self.made[out] = Value((name,), shape)
        return name

    def _value(self, op: Op, place: TensorId) -> Value:
        if place not in self.made:
            self._refuse(op.name, f"reads {self.graph[place].name}, which no node gives")
        return self.made[place]

    def _flattened(self, place: TensorId, wanted: tuple[int, ...]) -> Value:
        """The value in the shape that a tensor has here; a Flatten where dims were joined."""
        value = self.made[place]
        if value.shape == wanted:
            return value
        spans = ((a, b) for b in range(1, len(value.shape)) for a in range(b))
        found = next((s for s in spans if _joined(value.shape, *s) == wanted), None)
        if found is None:
            self._refuse(
                self.graph[place].name, f"turns {value.shape} into {wanted}; dims only join"
            )
        name = self._named(f"{self.graph[place].name}_flat")
        shape, (first, last) = np.array(value.shape), found
        self.nodes[name] = {
            "type": "Flatten", "start_dim": first, "end_dim": last, "input_type": shape,
        }  # fmt: skip
        self._join(value, name)
        self.made[place] = Value((name,), wanted)
        return self.made[place]

    def _inner(self, place: TensorId) -> tuple[int, ...]:
        return tuple(int(cast(int, e)) for e in self.graph[place].shape[2:])

    def _join(self, value: Value, name: str) -> None:
        self.edges += [(source, name) for source in value.sources]

    def _named(self, name: str) -> str:
        """A name of its own; HDF5 has another use for the slash."""
        plain = name.replace("/", "_") or "node"
        found, number = plain, 2
        while found in self.nodes:
            found, number = f"{plain}_{number}", number + 1
        return found

    def _refuse(self, name: str, why: str) -> NoReturn:
        raise UnsupportedError(f"{self.graph.name}: {name} {why}; NIR files are written of {MORE}")


def _joined(shape: tuple[int, ...], first: int, last: int) -> tuple[int, ...]:
    """The shape with dims `first` to `last` as one."""
    return (*shape[:first], int(np.prod(shape[first : last + 1])), *shape[last + 1 :])
