"""Unroll: Graph with folded blocks → flat Graph of operators only."""

from __future__ import annotations

from dataclasses import replace

from netwright.graph.graph import Block, Graph
from netwright.graph.op import Op
from netwright.graph.tensor import Role, Tensor, TensorId

_PRIVATE = frozenset((Role.WEIGHT, Role.STATE, Role.CACHE, Role.OPTIMISER))


def repetition_name(name: str, repetition: int) -> str:
    """The name of a block's tensor or operator in one repetition: `name.repetition`."""
    return f"{name}.{repetition}"


def private_tensors(block: Block, tensors: tuple[Tensor, ...]) -> frozenset[TensorId]:
    """Weights, states and caches that each repetition of a block has for itself."""
    return frozenset(
        i for op in block.body for i in op.inputs if i is not None and tensors[i].role in _PRIVATE
    )


def unrolled(graph: Graph) -> Graph:
    """The same network without blocks; tensors of a repetition are suffixed with its index."""
    return _Unroll(graph).run()


class _Unroll:
    """The flat graph so far: its tensors, its operators, and what block results became."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.tensors = list(graph.tensors)
        self.body: list[Op] = []
        self.renamed: dict[TensorId, TensorId] = {}

    def run(self) -> Graph:
        for node in self.graph.body:
            if isinstance(node, Block):
                self._block(node)
            else:
                inputs = tuple(None if i is None else self._now(i) for i in node.inputs)
                self.body.append(replace(node, inputs=inputs))
        outputs = tuple(self._now(i) for i in self.graph.outputs)
        tensors, body = tuple(self.tensors), tuple(self.body)
        return _compact(replace(self.graph, tensors=tensors, body=body, outputs=outputs))

    def _now(self, place: TensorId) -> TensorId:
        return self.renamed.get(place, place)

    def _block(self, block: Block) -> None:
        flow = {c.inside: self._now(c.first) for c in block.carries}
        private = private_tensors(block, self.graph.tensors)
        made = sorted({i for op in block.body for i in op.outputs} | private)
        for repetition in range(block.repeat):
            local = {**self.renamed, **flow, **self._copies(made, repetition)}
            for op in block.body:
                inputs = tuple(None if i is None else local.get(i, i) for i in op.inputs)
                outputs = tuple(local[i] for i in op.outputs)
                self.body.append(Op(repetition_name(op.name, repetition), op.kind, inputs, outputs))
            flow = {c.inside: local.get(c.updated, c.updated) for c in block.carries}
        self.renamed.update({c.last: flow[c.inside] for c in block.carries})

    def _copies(self, made: list[TensorId], repetition: int) -> dict[TensorId, TensorId]:
        """One repetition's own tensors; the first takes the places of the folded ones."""
        local: dict[TensorId, TensorId] = {}
        for old in made:
            tensor = self.graph[old]
            data = tensor.data[repetition : repetition + 1]
            copy = replace(tensor, name=repetition_name(tensor.name, repetition), data=data)
            if repetition == 0:
                self.tensors[old] = copy
                local[old] = old
            else:
                self.tensors.append(copy)
                local[old] = TensorId(len(self.tensors) - 1)
        return local


def _compact(graph: Graph) -> Graph:
    """Drop tensors that nothing uses any more (the block's carried names)."""
    used = {i for op, _ in graph.ops() for i in (*op.inputs, *op.outputs) if i is not None}
    used |= {*graph.inputs, *graph.outputs}
    used |= {TensorId(i) for i, t in enumerate(graph.tensors) if t.role in _PRIVATE}
    place = {old: TensorId(new) for new, old in enumerate(sorted(used))}
    body = tuple(
        replace(
            op,
            inputs=tuple(None if i is None else place[i] for i in op.inputs),
            outputs=tuple(place[i] for i in op.outputs),
        )
        for op, _ in graph.ops()
    )
    return replace(
        graph,
        tensors=tuple(graph.tensors[i] for i in sorted(used)),
        body=body,
        inputs=tuple(place[i] for i in graph.inputs),
        outputs=tuple(place[i] for i in graph.outputs),
    )
