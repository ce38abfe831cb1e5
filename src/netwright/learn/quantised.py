"""Layers whose weights and activations learn at few bits, and the Graph that they are.

Both are rounded forwards and passed straight through backwards, with a scale that is learnt
(Esser et al., "Learned Step Size Quantization", ICLR 2020, arXiv 1902.08153, equations 1 to 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import final

import numpy as np
import torch
from torch import Tensor, nn

from netwright.errors import JobError
from netwright.graph.build import Builder
from netwright.graph.format import FP32
from netwright.graph.graph import Graph
from netwright.graph.ops.linear import Linear
from netwright.graph.ops.quantise import FakeQuantise
from netwright.graph.tensor import TensorId


@final
@dataclass(frozen=True, slots=True)
class Widths:
    """Bits of a weight, signed and symmetric (1: its sign), and of an activation, unsigned."""

    weight_bits: int
    activation_bits: int

    def __post_init__(self) -> None:
        if not (1 <= self.weight_bits <= 16 and 1 <= self.activation_bits <= 16):
            raise JobError(
                f"widths: {self.weight_bits} bits a weight, {self.activation_bits} an activation;"
                " expected 1 to 16"
            )

    @property
    def levels(self) -> int:
        """The largest code of an activation."""
        return (1 << self.activation_bits) - 1

    @property
    def weight_levels(self) -> int:
        """The largest code of a weight."""
        return max(1, (1 << (self.weight_bits - 1)) - 1)


@final
class QuantisedLayer(nn.Module):
    """Weights of few bits and a bias; then, unless it is the last, an activation of few bits."""

    def __init__(self, inputs: int, neurons: int, widths: Widths, last: bool) -> None:
        super().__init__()
        self.widths, self.last = widths, last
        bound = (6.0 / inputs) ** 0.5
        weight = torch.empty(neurons, inputs).uniform_(-bound, bound)
        first = 2.0 * float(weight.abs().mean()) / widths.weight_levels**0.5
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(neurons))
        self.weight_scale = nn.Parameter(
            torch.tensor(first if widths.weight_bits > 1 else first / 2)
        )
        self.scale = nn.Parameter(torch.tensor(2.0 / widths.levels))

    def coded(self) -> Tensor:
        """The weights as they are computed with, [neurons, inputs]."""
        most = self.widths.weight_levels
        scale = _slowed(self.weight_scale, (self.weight.numel() * most) ** -0.5)
        if self.widths.weight_bits == 1:
            sign = torch.where(self.weight >= 0, 1.0, -1.0)
            return (sign + self.weight.clamp(-1, 1) - self.weight.clamp(-1, 1).detach()) * scale
        return _rounded((self.weight / scale).clamp(-most, most)) * scale

    def forward(self, x: Tensor) -> Tensor:
        """Values [..., inputs] → activations, or of the last layer logits, [..., neurons]."""
        sums = x @ self.coded().t() + self.bias
        if self.last:
            return sums
        most = self.widths.levels
        scale = _slowed(self.scale, (self.weight.shape[0] * most) ** -0.5)
        return _rounded((sums / scale).clamp(0, most)) * scale


@final
class QuantisedNetwork(nn.Module):
    """Layers one after the other on inputs of 0 to 1, which get as many bits as activations."""

    def __init__(self, sizes: Sequence[int], widths: Widths) -> None:
        super().__init__()
        if len(sizes) < 2:
            raise JobError("a quantised network needs the sizes of its input and its output")
        pairs = list(pairwise(sizes))
        self.sizes, self.widths = tuple(sizes), widths
        self.layers = nn.ModuleList(
            QuantisedLayer(i, n, widths, place == len(pairs) - 1)
            for place, (i, n) in enumerate(pairs)
        )

    def forward(self, x: Tensor) -> Tensor:
        """[..., inputs] → logits [..., classes]."""
        x = _rounded(x.clamp(0, 1) * self.widths.levels) / self.widths.levels
        for layer in self.layers:
            x = layer(x)
        return x

    def run(
        self, x: Tensor, carried: Sequence[Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """As a spiking network's: nothing is carried."""
        return self(x), ()


def graph_of_quantised(network: QuantisedNetwork, batch: int, name: str = "quantised") -> Graph:
    """The network as a Graph: input `x` [batch, inputs], output `logits` [batch, classes]."""
    builder = Builder(name)
    bits = network.widths.activation_bits
    x = builder.input("x", (("batch", batch), ("input", network.sizes[0])))
    x = _activation(builder, x, "input_codes", bits, 1.0 / network.widths.levels)
    for index, layer in enumerate(network.layers):
        assert isinstance(layer, QuantisedLayer)
        coded, bias = _array(layer.coded()), _array(layer.bias)
        dims = (("neuron", coded.shape[0]), ("input", coded.shape[1]))
        weights = (
            builder.weight(f"weight_{index}", dims, FP32, coded),
            builder.weight(f"bias_{index}", dims[:1], FP32, bias),
        )
        x = builder.add(Linear(), (x, *weights), "logits" if layer.last else f"sums_{index}")
        if not layer.last:
            x = _activation(builder, x, f"codes_{index}", bits, float(layer.scale.detach()))
    return builder.finish((x,))


def _activation(builder: Builder, x: TensorId, name: str, bits: int, scale: float) -> TensorId:
    given = (
        builder.weight(f"{name}.{what}", (("one", 1),), FP32, np.array([value]))
        for what, value in (("scale", scale), ("zero", 0.0))
    )
    return builder.add(FakeQuantise(bits, False, False, "HALF_UP"), (x, *given), name)


def _array(tensor: Tensor) -> np.ndarray:
    return np.ascontiguousarray(tensor.detach().cpu().numpy(), dtype=np.float32)


def _rounded(x: Tensor) -> Tensor:
    """Rounded, half up; its gradient is that of x."""
    return x + (torch.floor(x + 0.5) - x).detach()


def _slowed(scale: Tensor, share: float) -> Tensor:
    """The scale, with so much of its gradient."""
    return scale * share + (scale * (1.0 - share)).detach()
