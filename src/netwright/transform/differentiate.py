"""Differentiate: Graph → Graph with its gradients, those of inputs apart from those of weights.

Reverse mode, operator by operator (Griewank and Walther, "Evaluating Derivatives", 2nd ed., 2008).
A pipeline sends the gradient of a chunk's input to the chunk before and can wait with the gradients
of its weights (Qi et al., arXiv 2401.10241), so the result is cut in three: forward, input
gradient, weight gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

from netwright.errors import GraphError, UnsupportedError
from netwright.graph.element import type_of
from netwright.graph.graph import Graph
from netwright.graph.op import Op
from netwright.graph.ops.elementwise import Binary
from netwright.graph.tensor import Role, TensorId
from netwright.graph.unroll import unrolled
from netwright.graph.verify import verify
from netwright.transform.gradients.expand import expanded, reopened
from netwright.transform.gradients.table import RULES
from netwright.transform.gradients.tape import Saved, Tape

Pairs = tuple[tuple[TensorId, TensorId], ...]


@final
@dataclass(frozen=True, slots=True)
class Derivative:
    """A network and its gradients as three graphs over the same tensors, to be run one by one.

    What an earlier one computes and a later one reads is an output of the first and an input of
    the second. `seeds` are (output, gradient of it, which the caller gives); `inputs` and `weights`
    are (tensor, its gradient). A weight that is read several times has a pair for each: they add
    up, in whatever format the caller sums gradients.
    """

    forward: Graph
    input_gradient: Graph
    weight_gradient: Graph
    seeds: Pairs
    inputs: Pairs
    weights: Pairs

    @property
    def outputs(self) -> tuple[TensorId, ...]:
        """The network's own outputs, among those of `forward`."""
        return tuple(place for place, _ in self.seeds)


def differentiate(graph: Graph, constants: Sequence[str] = ()) -> Derivative:
    """Gradients of every float input and of every float weight but those named in `constants`.

    The caller gives the gradient of each float output as an input named `d_` and its name.

    Raises:
        UnsupportedError: an operator on a gradient's way has no rule, or a size is a symbol.
        GraphError: nothing of the result depends on an input or weight.
    """
    flat = unrolled(graph)
    known = len(flat.tensors)  # an expansion's own constants stand behind
    return _Reverse(expanded(flat), frozenset(constants), known).run()


class _Reverse:
    """One differentiation: the tape, what was saved for each operator, and the gradients so far."""

    def __init__(self, flat: Graph, constants: frozenset[str], known: int) -> None:
        self.flat = flat
        self.tape = Tape(reopened(flat), set())
        self.gradients: dict[TensorId, TensorId] = {}
        self.of_weights: dict[TensorId, list[TensorId]] = {}
        self.roots: set[TensorId] = set()  # gradients that the chunk before may wait for
        made = {i for op, _ in flat.ops() for i in op.outputs}
        read = {i for op, _ in flat.ops() for i in op.inputs if i is not None}
        self.sources = [
            TensorId(i)
            for i, t in enumerate(flat.tensors[:known])
            if TensorId(i) in read - made
            and t.role in (Role.INPUT, Role.WEIGHT)
            and type_of(t).element == "float"
            and t.name not in constants
        ]

    def run(self) -> Derivative:
        ops = [op for op, _ in self.flat.ops()]
        active = self.tape.wanted
        active.update(self.sources)
        for op in ops:
            if any(i in active for i in op.inputs if i is not None):
                active.update(i for i in op.outputs if type_of(self.flat[i]).element == "float")
        saved = [self._forward(op) for op in ops]
        seeds = self._seed()
        forward_end = len(self.tape.builder.operators)
        for op, kept in zip(reversed(ops), reversed(saved), strict=True):
            self._backward(op, kept)
        return self._cut(forward_end, seeds)

    def _forward(self, op: Op) -> Saved:
        self.tape.name = op.name
        rule = RULES.get(type(op.kind))
        wanted = any(i in self.tape.wanted for i in op.outputs)
        if wanted and rule is None:
            covered = ", ".join(sorted(k.__name__ for k in RULES))
            raise UnsupportedError(
                f"differentiate: {op.name}: {type(op.kind).__name__} has no gradient rule; "
                f"covered: {covered}"
            )
        if wanted and rule is not None and rule.forward is not None:
            return rule.forward(self.tape, op)
        self.tape.builder.append(op)
        return ()

    def _seed(self) -> Pairs:
        seeds: list[tuple[TensorId, TensorId]] = []
        for place in self.flat.outputs:
            if place not in self.tape.wanted:
                continue
            tensor = self.flat[place]
            dims = [(d.name, d.size) for d in tensor.dims]
            seed = self.tape.builder.input(f"d_{tensor.name}", dims, tensor.format)
            self.gradients[place] = seed
            seeds.append((place, seed))
        return tuple(seeds)

    def _backward(self, op: Op, saved: Saved) -> None:
        dy = self.gradients.get(op.outputs[0])
        rule = RULES.get(type(op.kind))
        if dy is None or rule is None:
            return
        self.tape.name = f"d_{op.name}"
        found = rule.backward(self.tape, op, saved, dy)
        for index in sorted(found):
            place = op.inputs[index]
            assert place is not None
            before, now = self.gradients.get(place), found[index]
            if self.flat[place].role is Role.WEIGHT:
                self.of_weights.setdefault(place, []).append(now)
                continue
            if before is not None:
                now = self.tape.add(Binary("add"), before, now)
            self.gradients[place] = now
            self.roots.add(now)

    def _cut(self, forward_end: int, seeds: Pairs) -> Derivative:
        for place in self.sources:
            if place not in self.gradients and place not in self.of_weights:
                raise GraphError(
                    f"{self.flat.name}: no output depends on {self.flat[place].name}; leave it out"
                )
        body = self.tape.builder.operators
        first, rest = body[:forward_end], body[forward_end:]
        needed = set(self.roots)
        early: list[Op] = []
        late: list[Op] = []
        for op in reversed(rest):
            if needed.intersection(op.outputs):
                needed.update(i for i in op.inputs if i is not None)
                early.append(op)
            else:
                late.append(op)
        inputs = tuple((i, self.gradients[i]) for i in self.sources if i in self.gradients)
        weights = tuple((w, of) for w in self.sources for of in self.of_weights.get(w, ()))
        parts = (first, early[::-1], late[::-1])
        ends = [i for _, i in (*inputs, *weights)]
        graphs = _parts(self.tape, parts, [*self.flat.outputs, *ends], frozenset(ends))
        return Derivative(graphs[0], graphs[1], graphs[2], seeds, inputs, weights)


def _parts(
    tape: Tape,
    parts: Sequence[Sequence[Op]],
    outputs: Sequence[TensorId],
    ends: frozenset[TensorId],
) -> list[Graph]:
    """A graph for each part: what it takes of others is an input, what others take an output."""
    builder = tape.builder
    reads = [{i for op in part for i in op.inputs if i is not None} for part in parts]
    writes = [{i for op in part for i in op.outputs} for part in parts]
    graphs: list[Graph] = []
    for index, part in enumerate(parts):
        wanted = set(outputs).union(*reads[index + 1 :])
        given = {
            i for i in reads[index] - writes[index] if builder.tensors[i].role is not Role.WEIGHT
        }
        tensors = tuple(
            replace(t, role=_role(TensorId(i), t.role, given, ends))
            for i, t in enumerate(builder.tensors)
        )
        graph = Graph(
            f"{builder.name}.{('forward', 'input_gradient', 'weight_gradient')[index]}",
            tensors,
            tuple(part),
            tuple(sorted(given)),
            tuple(sorted(wanted & writes[index])),
        )
        verify(graph)
        graphs.append(graph)
    return graphs


def _role(place: TensorId, role: Role, given: set[TensorId], ends: frozenset[TensorId]) -> Role:
    if place in given:
        return Role.INPUT
    if place in ends:
        return Role.GRADIENT
    return Role.ACTIVATION if role is Role.INPUT else role
