"""Randomly wired networks: stages of random graphs of separable convolutions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias, final

import numpy as np

from netwright.graph.build import Builder
from netwright.graph.graph import Graph
from netwright.graph.ops.elementwise import Binary
from netwright.graph.tensor import TensorId
from netwright.graph.zoo.vision import VisionParts
from netwright.graph.zoo.weights import RandomWeights

Edges: TypeAlias = frozenset[tuple[int, int]]  # from the lower node to the higher one
Draw: TypeAlias = Callable[[int, np.random.Generator], Edges]


def erdos_renyi(nodes: int, draw: np.random.Generator) -> Edges:
    """Every pair with probability 0.2."""
    pairs = list(combinations(range(nodes), 2))
    return frozenset(p for p, u in zip(pairs, draw.random(len(pairs)), strict=True) if u < 0.2)


def barabasi_albert(nodes: int, draw: np.random.Generator) -> Edges:
    """Five edges from each new node to others, drawn by how many they have."""
    edges: set[tuple[int, int]] = set()
    ends = list(range(min(5, nodes - 1)))
    first = len(ends)
    for node in range(first, nodes):
        chosen: set[int] = set(range(first)) if node == first else set()
        while len(chosen) < first:
            chosen.add(ends[int(draw.integers(len(ends)))])
        edges |= {(other, node) for other in chosen}
        ends += [*sorted(chosen), *[node] * first]
    return frozenset(edges)


def watts_strogatz(nodes: int, draw: np.random.Generator) -> Edges:
    """A ring of four neighbours each, every edge moved with probability 0.75."""
    near: list[set[int]] = [set() for _ in range(nodes)]
    for step in (1, 2):
        for node in range(nodes):
            near[node].add((node + step) % nodes)
            near[(node + step) % nodes].add(node)
    for step in (1, 2):
        for node in range(nodes):
            old = (node + step) % nodes
            free = [n for n in range(nodes) if n != node and n not in near[node]]
            if draw.random() < 0.75 and free and old in near[node]:
                new = free[int(draw.integers(len(free)))]
                near[node] = near[node] - {old} | {new}
                near[old].discard(node)
                near[new].add(node)
    return frozenset((a, b) for a in range(nodes) for b in near[a] if a < b)


@final
@dataclass(frozen=True, slots=True)
class WiredSizes:
    """The defaults are the small regime without its second stage, which has half the nodes."""

    nodes: int = 32
    stages: int = 3
    width: int = 78
    image: int = 224
    classes: int = 1000


def wired(graph: Draw, sizes: WiredSizes, seed: int = 0) -> Graph:
    """Input `image` [1, 3, image, image]; output `logits` [1, classes].

    A node sums what comes in, then relu, a separable 3x3 convolution and batch norm. Nodes without
    an edge to them read the stage's input with stride 2; those without one from them are summed.
    Source: Xie et al., "Exploring Randomly Wired Neural Networks for Image Recognition", ICCV 2019,
    arXiv 1904.01569, section 3; sums have no learnt weights here, and the average is a sum.
    """
    b, draw = Builder("wired"), np.random.default_rng(seed)
    parts = VisionParts(b, RandomWeights(b, seed))
    shape = (("batch", 1), ("channel", 3), ("y", sizes.image), ("x", sizes.image))
    x = parts.conv("stem", b.input("image", shape), sizes.width // 2, 3, 2)
    x = _separable(parts, "second", x, sizes.width, 2)
    for stage in range(sizes.stages):
        units = sizes.width << stage
        x = _stage(parts, f"s{stage}", x, units, (sizes.nodes, graph(sizes.nodes, draw)))
    x = parts.relu("last_relu", parts.conv("last", parts.relu("end", x), 4 * sizes.width, 1, 1))
    return b.finish((parts.classifier(x, sizes.classes),))


def _stage(
    parts: VisionParts, name: str, x: TensorId, units: int, graph: tuple[int, Edges]
) -> TensorId:
    nodes, edges = graph
    made: list[TensorId] = []
    for node in range(nodes):
        inputs = [made[a] for a, end in sorted(edges) if end == node]
        total = _sum(parts, inputs or [x])
        made.append(_separable(parts, f"{name}n{node}", total, units, 1 if inputs else 2))
    return _sum(parts, [made[n] for n in range(nodes) if all(a != n for a, _ in edges)])


def _separable(parts: VisionParts, name: str, x: TensorId, units: int, stride: int) -> TensorId:
    y = parts.depthwise(f"{name}_dw", parts.relu(f"{name}_relu", x), 3, stride)
    return parts.conv(f"{name}_pw", y, units, 1, 1)


def _sum(parts: VisionParts, values: list[TensorId]) -> TensorId:
    total = values[0]
    for value in values[1:]:
        total = parts.builder.add(Binary("add"), (total, value))
    return total
