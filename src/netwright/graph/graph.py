"""Graph: what is computed. Frozen; transforms return a new one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias, final

from netwright.graph.extent import Extent
from netwright.graph.op import Op
from netwright.graph.tensor import Tensor, TensorId
from netwright.graph.text import graph_text


@final
@dataclass(frozen=True, slots=True)
class Carry:
    """A value that flows through a block: enters as `first`, is `inside` at the start of each
    repetition and `updated` at its end, and leaves as `last`.
    """

    first: TensorId
    inside: TensorId
    updated: TensorId
    last: TensorId


@final
@dataclass(frozen=True, slots=True)
class Block:
    """Operators that stand `repeat` times one after another, folded into one.

    Tensors with data, states and caches that the block's operators touch are private to a
    repetition (a weight has `repeat` data entries); activations are rebuilt in each.
    """

    name: str
    repeat: int
    body: tuple[Op, ...]
    carries: tuple[Carry, ...]


Node: TypeAlias = Op | Block


@final
@dataclass(frozen=True, slots=True)
class Symbol:
    """A size that is known only when the graph runs, with the most it can be."""

    name: str
    low: int
    high: int


@final
@dataclass(frozen=True, slots=True)
class Graph:
    """A network. `TensorId` indexes `tensors`; `body` is in an order that can be executed.

    `metadata` is what the file said about itself (architecture, licence, tokenizer keys), never
    read by planners.
    """

    name: str
    tensors: tuple[Tensor, ...]
    body: tuple[Node, ...]
    inputs: tuple[TensorId, ...]
    outputs: tuple[TensorId, ...]
    symbols: tuple[Symbol, ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return graph_text(self)

    def __getitem__(self, tensor: TensorId) -> Tensor:
        return self.tensors[tensor]

    def ops(self) -> Iterator[tuple[Op, int]]:
        """Every operator once, with how many times it stands in the network."""
        for node in self.body:
            if isinstance(node, Block):
                for op in node.body:
                    yield op, node.repeat
            else:
                yield node, 1

    def extent_bounds(self) -> tuple[dict[str, int], dict[str, int]]:
        """Lowest and highest value of every symbol."""
        return {s.name: s.low for s in self.symbols}, {s.name: s.high for s in self.symbols}


def shape_text(shape: tuple[Extent, ...]) -> str:
    """`[n_tokens, 576]`."""
    return "[" + ", ".join(str(e) for e in shape) + "]"
