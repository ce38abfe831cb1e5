"""What a graph asks of a machine: work and bytes of every operator, with repeats."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from netwright.graph.bind import bind
from netwright.graph.element import type_of
from netwright.graph.extent import resolve
from netwright.graph.graph import Graph
from netwright.graph.op import Einsum, Op
from netwright.graph.ops.attention import Attention
from netwright.graph.ops.gather import Gather, GatherElements, GatherNd
from netwright.graph.ops.movement import Reshape, Slice
from netwright.graph.ops.position import CacheAppend, StateUpdate
from netwright.graph.passes import passes
from netwright.graph.tensor import Role, TensorId


@final
@dataclass(frozen=True, slots=True)
class Traffic:
    """One operand of one operator: `elements` are those that it needs or makes."""

    tensor: TensorId
    name: str
    role: Role
    written: bool
    elements: int
    bits_per_element: float  # true bits, block overhead included
    passes: int

    @property
    def size_bytes(self) -> int:
        """Bytes moved when every element is moved once."""
        return math.ceil(self.elements * self.bits_per_element / 8)


@final
@dataclass(frozen=True, slots=True)
class Work:
    """One operator, once. A multiply-accumulate is two operations; a scalar function is one.

    `effectual_macs` leaves out those with a zero factor (by the tensors' densities) and those
    that a positional mask hides; `macs` and `operations` are of the whole loop nest.
    """

    name: str
    kind: str
    repeat: int
    macs: int
    effectual_macs: float
    operations: int
    traffic: tuple[Traffic, ...]

    @property
    def read_bytes(self) -> int:
        """Bytes of everything read, once each."""
        return sum(t.size_bytes for t in self.traffic if not t.written)

    @property
    def written_bytes(self) -> int:
        """Bytes of everything written."""
        return sum(t.size_bytes for t in self.traffic if t.written)

    @property
    def intensity(self) -> float:
        """Operations a byte, every operand moved once; 0 when nothing moves."""
        moved = self.read_bytes + self.written_bytes
        return self.operations / moved if moved else 0.0


@final
@dataclass(frozen=True, slots=True)
class Analysis:
    """All operators of a graph, and totals over its repeats."""

    works: tuple[Work, ...]
    weight_bytes: int
    weight_elements: int

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the whole network."""
        return sum(w.macs * w.repeat for w in self.works)

    @property
    def effectual_macs(self) -> float:
        """Those with no zero factor and no mask."""
        return sum(w.effectual_macs * w.repeat for w in self.works)

    @property
    def operations(self) -> int:
        """Operations of the whole network."""
        return sum(w.operations * w.repeat for w in self.works)

    @property
    def moved_bytes(self) -> int:
        """Bytes when every operator moves its operands once and nothing is fused."""
        return sum((w.read_bytes + w.written_bytes) * w.repeat for w in self.works)

    @property
    def role_bytes(self) -> dict[Role, int]:
        """Of the bytes moved, those of each role."""
        found: dict[Role, int] = {}
        for one in self.works:
            for t in one.traffic:
                found[t.role] = found.get(t.role, 0) + t.size_bytes * one.repeat
        return found

    @property
    def intensity(self) -> float:
        """Operations a byte of the whole network, unfused."""
        return self.operations / self.moved_bytes if self.moved_bytes else 0.0

    @property
    def bits_per_weight(self) -> float:
        """True bits a weight element, block overhead included; 0 without weights."""
        return 8 * self.weight_bytes / self.weight_elements if self.weight_elements else 0.0


def analyse(graph: Graph, symbols: Mapping[str, int]) -> Analysis:
    """Work and bytes of every operator for these symbols' values.

    Raises:
        GraphError: a symbol is unknown or out of its range.
    """
    bound = bind(graph, symbols)
    works = tuple(work(bound, op, repeat) for op, repeat in bound.ops())
    used: dict[TensorId, int] = {}
    for op, repeat in bound.ops():
        for place in op.inputs:
            if place is not None and bound[place].role is Role.WEIGHT:
                used[place] = repeat
    elements = {i: _elements(bound, i) for i in used}
    size = sum(
        math.ceil(elements[i] * bound[i].format.bits_per_element / 8) * repeat
        for i, repeat in used.items()
    )
    return Analysis(works, size, sum(elements[i] * repeat for i, repeat in used.items()))


def work(graph: Graph, op: Op, repeat: int) -> Work:
    """The work of one operator of a graph without free symbols."""
    types = [None if i is None else type_of(graph[i]) for i in op.inputs]
    cascade = op.kind.einsums(types, op.kind.infer(types))
    counted = passes(cascade).operands
    macs = [_macs(e) for e in cascade]
    effectual = sum(m * _activity(graph, op, e) for m, e in zip(macs, cascade, strict=True))
    return Work(
        op.name,
        type(op.kind).__name__,
        repeat,
        sum(macs),
        effectual * _visible(graph, op),
        sum(_operations(e) for e in cascade),
        tuple(_traffic(graph, op, counted)),
    )


def _volume(loops: Sequence[tuple[str, object]], einsum: Einsum) -> int:
    names = {name for name, _ in loops}
    return math.prod(resolve(size, {}) for name, size in einsum.loops if name in names)


def _kept(einsum: Einsum) -> tuple[int, int]:
    """Loop volume, and that of the loops which the output keeps."""
    used = {n for p in einsum.output.projections for n, _ in p.terms}
    kept = [(n, s) for n, s in einsum.loops if n in used]
    return _volume(einsum.loops, einsum), _volume(kept, einsum)


def _macs(einsum: Einsum) -> int:
    """Products that are summed."""
    volume, _ = _kept(einsum)
    product = einsum.map == "mul" and einsum.reduce == "add" and len(einsum.inputs) == 2
    return volume if product and _reduces(einsum) else 0


def _reduces(einsum: Einsum) -> bool:
    used = {n for p in einsum.output.projections for n, _ in p.terms}
    scatter = any(len(p.terms) > 1 for p in einsum.output.projections)
    return scatter or any(name not in used for name, _ in einsum.loops)


def _operations(einsum: Einsum) -> int:
    """Two a multiply-accumulate; else one a mapped element and one a reduced element."""
    volume, kept = _kept(einsum)
    if _macs(einsum):
        return 2 * volume
    mapped = 0 if einsum.map in ("identity", "index") else max(1, len(einsum.inputs) - 1)
    return volume * mapped + (volume - kept if _reduces(einsum) else 0)


def _activity(graph: Graph, op: Op, einsum: Einsum) -> float:
    """The expected share of an einsum's products whose factors are all not zero."""
    places = [op.inputs[a.operand] for a in einsum.inputs if 0 <= a.operand < len(op.inputs)]
    return math.prod(graph[i].density for i in places if i is not None)


def _visible(graph: Graph, op: Op) -> float:
    """The share of (query, key) pairs that an attention's position mask leaves."""
    if not isinstance(op.kind, Attention) or not op.kind.causal:
        return 1.0
    query, key = op.inputs[0], op.inputs[1]
    assert query is not None
    assert key is not None
    tokens, keys = resolve(graph[query].shape[-3], {}), resolve(graph[key].shape[-3], {})
    window = op.kind.window or keys
    seen = sum(max(0, min(window, i + 1 + keys - tokens)) for i in range(tokens))
    return seen / max(1, tokens * keys)


def _elements(graph: Graph, place: TensorId) -> int:
    return math.prod(resolve(e, {}) for e in graph[place].shape)


def _traffic(graph: Graph, op: Op, counted: Mapping[int, int]) -> list[Traffic]:
    """Operands with what they need: a gather reads only what it picks, a reshape nothing."""
    result: list[Traffic] = []
    needed = _needed(graph, op)
    for index, place in enumerate((*op.inputs, *op.outputs)):
        if place is None:
            continue
        tensor, written = graph[place], index >= len(op.inputs)
        elements = needed.get(index, _elements(graph, place))
        result.append(
            Traffic(
                place,
                tensor.name,
                tensor.role,
                written,
                elements,
                tensor.format.bits_per_element,
                1 if written else counted.get(index, 1),
            )
        )
    return result


def _needed(graph: Graph, op: Op) -> dict[int, int]:
    """Operand index → elements moved, where that is not the whole tensor."""
    if isinstance(op.kind, Reshape):
        return {0: 0, 1: 0}
    if isinstance(op.kind, (Gather, GatherElements, GatherNd, Slice)):
        return {0: _elements(graph, op.outputs[0])}
    if isinstance(op.kind, (CacheAppend, StateUpdate)):
        new = op.inputs[1]
        assert new is not None
        return {0: 0, len(op.inputs): _elements(graph, new)}
    return {}
