"""Bits of products of spikes, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.cost.bit_budget import layer_bits
from netwright.errors import UnsupportedError
from netwright.graph.build import Builder
from netwright.graph.graph import Graph
from netwright.graph.ops.linear import Linear
from netwright.graph.ops.neuron import If
from netwright.graph.ops.neuron_rule import Discretisation, Reset


def two_layers(most_spikes: int) -> Graph:
    b = Builder("two")
    x = b.input("x", (("t", 5), ("b", 2), ("n", 8)))
    rule = Discretisation(1.0, reset=Reset.SUBTRACT, most_spikes=most_spikes)
    first = b.add(Linear(), (x, b.weight("w", (("o", 4), ("n", 8)), data=np.ones((4, 8)))))
    mid = b.add(If(1.0, rule), (first,), "mid")
    last = b.add(Linear(), (mid, b.weight("u", (("o", 3), ("n", 4)), data=np.ones((3, 4)))), "out")
    return b.finish((last,))


@pytest.mark.parametrize(("most", "bits"), [(1, 1), (3, 2), (7, 3)])
def test_by_hand(most: int, bits: int) -> None:
    x = np.zeros((5, 2, 8))
    x[:, 0, :4] = 1
    mid = np.full((5, 2, 4), most)
    first, last = layer_bits(two_layers(most), 4, {"x": x, "mid": mid})
    assert (first.connections, first.budget_bits, first.rate) == (32, 5 * 1 * 4, 0.25)
    assert (last.connections, last.budget_bits, last.rate) == (12, 5 * bits * 4, 1.0)
    assert first.sparse_bits == 0.25 * 32 * 20
    assert last.dense_bits == 12 * 5 * bits * 4


def test_spikes_must_be_given() -> None:
    with pytest.raises(UnsupportedError, match="spikes of x"):
        layer_bits(two_layers(1), 4, {})
