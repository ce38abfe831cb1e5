"""Multilayer perceptron."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from netwright.graph.build import Builder
from netwright.graph.format import FP32, Format
from netwright.graph.graph import Graph
from netwright.graph.ops.function import IDENTITY, Function
from netwright.graph.ops.linear import Linear
from netwright.graph.zoo.weights import RandomWeights


def mlp(widths: Sequence[int], batch: int = 1, form: Format = FP32, seed: int | None = 0) -> Graph:
    """Linear layers of these widths with relu between them. Input x [batch, widths[0]]."""
    b = Builder("mlp")
    weights = RandomWeights(b, seed)
    y = b.input("x", (("batch", batch), ("width0", widths[0])))
    for layer, (inputs, units) in enumerate(pairwise(widths)):
        matrix = weights.matrix(
            f"weight{layer}", ((f"width{layer + 1}", units), (f"width{layer}", inputs)), form
        )
        bias = weights.bias(f"bias{layer}", (f"width{layer + 1}", units))
        function = IDENTITY if layer == len(widths) - 2 else Function("relu")
        y = b.add(Linear(function=function), (y, matrix, bias), f"linear{layer}")
    return b.finish((y,))
