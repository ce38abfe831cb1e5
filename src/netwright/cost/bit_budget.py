"""Bits that a spiking network computes with: steps x bits of a spike x bits of a weight.

The same measure for every connection of a spiking network (T steps, spikes of b_s bits) and of a
quantised one (one step of b_s bits). Weighed by the share of neurons that fire, it is an energy
measure of arithmetic alone (S-ACE; without the share NS-ACE).
Source: Shen, Zhao et al., "Is Conventional SNN Really Efficient?", CVPR 2024, arXiv 2311.10802.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import UnsupportedError
from netwright.graph.graph import Graph
from netwright.graph.ops.linear import Linear
from netwright.graph.ops.neuron import If, Lif


@final
@dataclass(frozen=True, slots=True)
class LayerBits:
    """One product: its connections, and what each of them spends in one inference."""

    name: str
    connections: int
    steps: int
    spike_bits: int
    weight_bits: int
    rate: float  # share of steps and sources with a spike

    @property
    def budget_bits(self) -> int:
        """T b_s b_w of one connection."""
        return self.steps * self.spike_bits * self.weight_bits

    @property
    def dense_bits(self) -> int:
        """Of all connections, whether a spike comes or not (NS-ACE)."""
        return self.connections * self.budget_bits

    @property
    def sparse_bits(self) -> float:
        """Of the connections whose source fires (S-ACE)."""
        return self.rate * self.dense_bits


def layer_bits(
    graph: Graph, weight_bits: int, spikes: Mapping[str, NDArray[Any]]
) -> tuple[LayerBits, ...]:
    """Every product of spikes [T, B, n] with weights; `spikes` by population, as a run found them.

    Raises:
        UnsupportedError: a product's source is no population, or its spikes are not given.
    """
    made = {op.outputs[0]: op for op, _ in graph.ops()}
    found: list[LayerBits] = []
    for op, _ in graph.ops():
        if not isinstance(op.kind, Linear):
            continue
        source, weight = op.inputs[:2]
        assert source is not None
        assert weight is not None
        maker = made.get(source)
        rule = maker.kind.rule if maker and isinstance(maker.kind, If | Lif) else None
        if maker is not None and rule is None:
            raise UnsupportedError(f"{graph.name}: {op.name} multiplies no spikes")
        name = graph[source].name
        if name not in spikes:
            raise UnsupportedError(f"{graph.name}: the spikes of {name} are not given")
        given = np.asarray(spikes[name])
        most = int(given.max(initial=1)) if rule is None else rule.most_spikes
        shape = [size for size in graph[weight].shape if isinstance(size, int)]
        found.append(
            LayerBits(
                op.name,
                prod(shape),
                given.shape[0],
                max(1, most.bit_length()),
                weight_bits,
                np.count_nonzero(given) / max(1, given.size),
            )
        )
    return tuple(found)
