"""Draft: a graph open for rewriting; a rule replaces one operator and what only it used dies."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.graph.build import encoded, output_dims
from netwright.graph.element import type_of
from netwright.graph.extent import Extent
from netwright.graph.format import FP32, Format
from netwright.graph.graph import Block, Graph
from netwright.graph.interpret import read_data
from netwright.graph.op import Op, OpKind
from netwright.graph.ops.position import CacheAppend, StateUpdate
from netwright.graph.tensor import Dim, Role, Tensor, TensorId
from netwright.transform.dead_code import compacted

Array: TypeAlias = NDArray[Any]

_KEPT = frozenset((Role.STATE, Role.CACHE, Role.OPTIMISER))
_SMALL_ELEMENTS = 1 << 24  # weights larger than this are not computed with while rewriting

# What a rule puts in place of an operator; the last one writes the operator's outputs.
Replacement: TypeAlias = Sequence[Op]


@final
@dataclass(frozen=True, slots=True)
class Rule:
    """A named rewrite of one operator: its replacement, or None where it does not apply."""

    name: str
    apply: Callable[[Draft, Op], Replacement | None]


@final
@dataclass(frozen=True, slots=True)
class Rewrite:
    """What a rule did to a graph: for the plan's explanation."""

    transform: str
    rule: str
    count: int


@final
class Draft:
    """A graph's tensors, and who makes and reads each. Operators are one scope's at a time."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.tensors = list(graph.tensors)
        self.aliases: dict[TensorId, TensorId] = {}
        self._makers: dict[TensorId, Op] = {}
        self._uses = Counter[TensorId](graph.outputs)
        self._places: dict[TensorId, int] = {}
        self._repeated: set[TensorId] = set()
        self._carries: set[TensorId] = set()
        self._has_blocks = any(isinstance(node, Block) for node in graph.body)
        for node in graph.body:
            inner = node.body if isinstance(node, Block) else (node,)
            for op in inner:
                self._uses.update(i for i in op.inputs if i is not None)
            if isinstance(node, Block):
                for carry in node.carries:
                    self._uses.update((carry.first, carry.updated))
                    self._carries.update((carry.first, carry.updated))
                self._repeated.update(i for op in inner for i in op.inputs if i is not None)

    def maker(self, tensor: TensorId | None) -> Op | None:
        """The operator of this scope that computes a tensor, if it may be moved later.

        An operator that reads a state must stay before whoever writes it.
        """
        op = None if tensor is None else self._makers.get(tensor)
        if op is None or any(i is not None and self[i].role in _KEPT for i in op.inputs):
            return None
        return op

    def made_by(self, tensor: TensorId | None, kind: type[OpKind]) -> Op | None:
        """The maker, if it is of this kind."""
        op = self.maker(tensor)
        return op if op is not None and isinstance(op.kind, kind) else None

    def alone(self, tensor: TensorId) -> bool:
        """Whether only one operator reads a tensor."""
        return self._uses[tensor] == 1

    def place(self, tensor: TensorId) -> int:
        """Where in the scope a tensor is made; -1 for one from outside."""
        return self._places.get(tensor, -1)

    def __getitem__(self, tensor: TensorId) -> Tensor:
        return self.tensors[tensor]

    def shape(self, tensor: TensorId) -> tuple[Extent, ...]:
        """The shape of a tensor."""
        return self.tensors[tensor].shape

    def is_constant(self, tensor: TensorId | None) -> bool:
        """Whether a tensor is a weight with data, the same in every repetition."""
        if tensor is None or tensor in self._repeated:
            return False
        found = self.tensors[tensor]
        return found.role is Role.WEIGHT and len(found.data) == 1

    def values(self, tensor: TensorId | None) -> Array | None:
        """The values of a constant; None for anything else, and for what is too large."""
        if tensor is None or not self.is_constant(tensor):
            return None
        found = self.tensors[tensor]
        shape = tuple(e for e in found.shape if isinstance(e, int))
        if math.prod(shape) > _SMALL_ELEMENTS:
            return None
        raw = read_data(found.data[0], found.name)
        if raw.size == 0:
            return np.empty(shape)
        rows = raw.reshape(-1, found.format.row_bytes(shape[-1] if shape else 1))
        return found.format.decode(rows).reshape(shape)

    def number(self, tensor: TensorId | None) -> float | None:
        """The value of a float constant with one element."""
        if tensor is None or not self.is_constant(tensor):
            return None
        if math.prod(e if isinstance(e, int) else 2 for e in self.shape(tensor)) != 1:
            return None
        values = self.values(tensor)
        if values is None or values.dtype.kind != "f":
            return None
        return float(values.reshape(-1)[0])

    def weight(self, name: str, values: Array, form: Format = FP32) -> TensorId:
        """A new constant."""
        dims = tuple(Dim(f"d{i}", size) for i, size in enumerate(values.shape))
        data = (encoded(form, values),)
        return self._add(Tensor(name, dims, form, Role.WEIGHT, data=data))

    def viewed(self, tensor: TensorId, shape: tuple[Extent, ...]) -> TensorId:
        """A constant's own bytes in another shape."""
        found = self.tensors[tensor]
        dims = tuple(Dim(f"d{i}", size) for i, size in enumerate(shape))
        return self._add(replace(found, dims=dims))

    def like(self, tensor: TensorId, name: str) -> TensorId:
        """A new tensor of the same type."""
        return self._add(replace(self.tensors[tensor], name=name))

    def op(self, name: str, kind: OpKind, inputs: Sequence[TensorId | None]) -> Op:
        """A new operator with one new output."""
        given = [None if i is None else self.tensors[i] for i in inputs]
        types = [None if t is None else type_of(t) for t in given]
        inferred = kind.infer(types)[0]
        present = [t for t in given if t is not None]
        dims = tuple(Dim(n, s) for n, s in output_dims(inferred, present))
        form = next((t.format for t in present if t.role is not Role.WEIGHT), FP32)
        output = self._add(Tensor(name, dims, form, Role.ACTIVATION))
        return Op(name, kind, tuple(inputs), (output,))

    def _add(self, tensor: Tensor) -> TensorId:
        self.tensors.append(tensor)
        return TensorId(len(self.tensors) - 1)

    def sweep(self, body: Sequence[Op], rules: Sequence[Rule], done: Counter[str]) -> list[Op]:
        """The operators of one scope, each rewritten until no rule applies to it any more."""
        self._makers = {}
        self._places = {}
        slots: list[Op | None] = []
        for original in body:
            op = self._renamed(original)
            pending = [op]
            while pending:
                current = pending.pop(0)
                found = self._first(current, rules)
                if found is None:
                    self._settle(current, slots)
                    continue
                rule, replacement = found
                done[rule.name] += 1
                self._uses.update(i for new in replacement for i in new.inputs if i is not None)
                self._release(current, slots)
                pending[:0] = replacement
        return [op for op in slots if op is not None]

    def _first(self, op: Op, rules: Sequence[Rule]) -> tuple[Rule, Replacement] | None:
        for rule in rules:
            replacement = rule.apply(self, op)
            if replacement is not None:
                return rule, replacement
        return None

    def _settle(self, op: Op, slots: list[Op | None]) -> None:
        for output in op.outputs:
            self._makers[output] = op
            self._places[output] = len(slots)
        slots.append(op)

    def _renamed(self, op: Op) -> Op:
        if not any(i in self.aliases for i in op.inputs if i is not None):
            return op
        inputs = tuple(None if i is None else self.aliases.get(i, i) for i in op.inputs)
        return replace(op, inputs=inputs)

    def _release(self, op: Op, slots: list[Op | None]) -> None:
        """An operator is gone: so is whatever nobody else reads."""
        for tensor in op.inputs:
            if tensor is None:
                continue
            self._uses[tensor] -= 1
            maker = self._makers.get(tensor)
            if maker is None or isinstance(maker.kind, (CacheAppend, StateUpdate)):
                continue
            if not any(self._uses[output] for output in maker.outputs):
                slots[self._places[tensor]] = None
                for output in maker.outputs:
                    del self._makers[output]
                self._release(maker, slots)

    def forward(self, old: TensorId, new: TensorId) -> bool:
        """Let readers of `old` read `new` instead; False where `old` must keep its name."""
        if old in self.graph.outputs or self._carried(old):
            return False
        if self._has_blocks and self.tensors[new].role is not Role.ACTIVATION:
            return False  # a block's weights and states must stay its own
        self.aliases[old] = new
        self._uses[new] += self._uses[old]
        return True

    def _carried(self, tensor: TensorId) -> bool:
        return tensor in self._carries


def rewrite(
    graph: Graph, transform: str, rules: Sequence[Rule]
) -> tuple[Graph, tuple[Rewrite, ...]]:
    """The graph after one pass of the rules over every scope, and what they did."""
    draft = Draft(graph)
    done = Counter[str]()
    body: list[Op | Block] = []
    run: list[Op] = []
    for node in graph.body:
        if isinstance(node, Op):
            run.append(node)
            continue
        body += draft.sweep(run, rules, done)
        run = []
        body.append(replace(node, body=tuple(draft.sweep(node.body, rules, done))))
    body += draft.sweep(run, rules, done)
    if not done:
        return graph, ()
    tensors = tuple(draft.tensors)
    result = compacted(replace(graph, tensors=tensors, body=tuple(body)))
    return result, tuple(Rewrite(transform, rule.name, done[rule.name])
                         for rule in rules if done[rule.name])  # fmt: skip
