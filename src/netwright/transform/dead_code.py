"""Dead code: operators whose results nobody reads, and tensors that no operator touches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netwright.graph.graph import Block, Carry, Graph, Node
from netwright.graph.op import Op
from netwright.graph.ops.position import CacheAppend, StateUpdate
from netwright.graph.tensor import Role, TensorId

_CALLERS = frozenset((Role.INPUT, Role.STATE, Role.CACHE, Role.OPTIMISER))


def without_dead(graph: Graph) -> tuple[Graph, int]:
    """The graph without operators that nothing depends on, and how many they were.

    Writers of states and caches stay: what they do is seen by the next call.
    """
    live = set(graph.outputs)
    body: list[Node] = []
    for node in reversed(graph.body):
        if isinstance(node, Block):
            live |= {t for carry in node.carries for t in (carry.first, carry.updated)}
            inner = _live(node.body, live)
            body.append(replace(node, body=tuple(inner)))
        else:
            body += _live((node,), live)
    kept = tuple(reversed(body))
    before = sum(1 for _ in graph.ops())
    result = replace(graph, body=kept)
    dead = before - sum(1 for _ in result.ops())
    return (compacted(result), dead) if dead else (graph, 0)


def _live(ops: Sequence[Op], live: set[TensorId]) -> list[Op]:
    kept: list[Op] = []
    for op in reversed(ops):
        if isinstance(op.kind, (CacheAppend, StateUpdate)) or live.intersection(op.outputs):
            live.update(i for i in op.inputs if i is not None)
            kept.append(op)
    return kept[::-1]


def touched(graph: Graph) -> list[TensorId]:
    """The tensors that `compacted` keeps, in order: the n-th becomes tensor n."""
    used = {*graph.inputs, *graph.outputs}
    used |= {TensorId(i) for i, t in enumerate(graph.tensors) if t.role in _CALLERS}
    for node in graph.body:
        if isinstance(node, Block):
            used |= {t for c in node.carries for t in (c.first, c.inside, c.updated, c.last)}
    used |= {i for op, _ in graph.ops() for i in (*op.inputs, *op.outputs) if i is not None}
    return sorted(used)


def compacted(graph: Graph) -> Graph:
    """The graph without tensors that nothing touches; inputs and states stay."""
    used = touched(graph)
    place = {old: TensorId(new) for new, old in enumerate(used)}

    def moved_op(op: Op) -> Op:
        inputs = tuple(None if i is None else place[i] for i in op.inputs)
        return replace(op, inputs=inputs, outputs=tuple(place[i] for i in op.outputs))

    def moved(node: Node) -> Node:
        if not isinstance(node, Block):
            return moved_op(node)
        carries = tuple(
            Carry(place[c.first], place[c.inside], place[c.updated], place[c.last])
            for c in node.carries
        )
        return replace(node, body=tuple(moved_op(op) for op in node.body), carries=carries)

    return replace(
        graph,
        tensors=tuple(graph.tensors[i] for i in used),
        body=tuple(moved(node) for node in graph.body),
        inputs=tuple(place[i] for i in graph.inputs),
        outputs=tuple(place[i] for i in graph.outputs),
    )
