"""Layers of spiking neurons as torch modules, and the Graph that they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from torch import Tensor, nn

from netwright.errors import JobError
from netwright.graph.build import Builder
from netwright.graph.format import FP32
from netwright.graph.graph import Graph
from netwright.graph.ops.linear import Linear
from netwright.graph.tensor import TensorId
from netwright.learn.lif import Given, lif
from netwright.learn.lif_step import Gradient, Spiking
from netwright.learn.surrogate import surrogate

ATAN = Gradient(surrogate("atan"))


@final
class SpikingLayer(nn.Module):
    """Weights without bias, then neurons: spikes [T, B, inputs] → spikes [T, B, neurons]."""

    def __init__(
        self, inputs: int, neurons: int, kind: Spiking, gradient: Gradient = ATAN, gain: float = 1.0
    ) -> None:
        super().__init__()
        self.kind, self.gradient = kind, gradient
        bound = gain * (3.0 / inputs) ** 0.5
        self.weight = nn.Parameter(torch.empty(neurons, inputs).uniform_(-bound, bound))

    def forward(self, spikes: Tensor) -> Tensor:
        """The neurons' spikes at every step, from rest."""
        return lif(spikes @ self.weight.t(), self.kind, self.gradient)[0]

    def run(self, spikes: Tensor, carried: Tensor | None) -> tuple[Tensor, Tensor]:
        """Spikes [T, B, inputs] and the membrane carried in → spikes and the one carried on.

        Every step's membrane is a constant to the backward pass of the step after.
        """
        current = spikes @ self.weight.t()
        apart = replace(self.gradient, through_time=False)
        return lif(current, self.kind, apart, Given(v=carried))


@final
class Readout(nn.Module):
    """Weights without bias and without neurons: spikes [T, B, inputs] → logits [T, B, classes]."""

    def __init__(self, inputs: int, classes: int, gain: float = 1.0) -> None:
        super().__init__()
        bound = gain * (3.0 / inputs) ** 0.5
        self.weight = nn.Parameter(torch.empty(classes, inputs).uniform_(-bound, bound))

    def forward(self, spikes: Tensor) -> Tensor:
        """What every step says by itself."""
        return spikes @ self.weight.t()


@final
class SpikingNetwork(nn.Module):
    """Layers one after the other, then the readout where there is one."""

    def __init__(self, layers: Sequence[SpikingLayer], readout: Readout | None = None) -> None:
        super().__init__()
        if not layers:
            raise JobError("a spiking network needs at least one layer")
        self.layers = nn.ModuleList(layers)
        self.readout = readout

    def each(self, spikes: Tensor) -> list[Tensor]:
        """The spikes of every layer, [T, B, neurons] each."""
        found: list[Tensor] = []
        for layer in self.layers:
            spikes = layer(spikes)
            found.append(spikes)
        return found

    def forward(self, spikes: Tensor) -> Tensor:
        """The spikes of the last layer, or what the readout makes of them."""
        last = self.each(spikes)[-1]
        return last if self.readout is None else self.readout(last)

    def run(
        self, spikes: Tensor, carried: Sequence[Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Some steps: the outputs [T, B, classes] and the membranes carried on, as constants.

        No gradient flows from step to step. `carried`: what the steps before gave; None: at rest.
        """
        after: list[Tensor] = []
        for index, layer in enumerate(self.layers):
            assert isinstance(layer, SpikingLayer)
            spikes, v = layer.run(spikes, None if carried is None else carried[index])
            after.append(v.detach())
        return spikes if self.readout is None else self.readout(spikes), tuple(after)


def rounded(network: SpikingNetwork, fraction_bits: int) -> SpikingNetwork:
    """The same network with every weight a multiple of 2^-fraction_bits."""
    layers: list[SpikingLayer] = []
    scale = 2.0**fraction_bits
    for layer in network.layers:
        assert isinstance(layer, SpikingLayer)
        neurons, inputs = layer.weight.shape
        copy = SpikingLayer(inputs, neurons, layer.kind, layer.gradient)
        with torch.no_grad():
            copy.weight.copy_(torch.round(layer.weight * scale) / scale)
        layers.append(copy)
    if network.readout is None:
        return SpikingNetwork(layers)
    readout = Readout(*network.readout.weight.shape[::-1])
    with torch.no_grad():
        readout.weight.copy_(torch.round(network.readout.weight * scale) / scale)
    return SpikingNetwork(layers, readout)


@final
@dataclass(frozen=True, slots=True)
class Sizes:
    """Steps and samples of one call of a graph."""

    steps: int
    batch: int = 1


def graph_of(network: SpikingNetwork, sizes: Sizes, name: str = "spiking") -> Graph:
    """The network as a Graph: input `spikes` [T, B, inputs]; outputs the spikes of every layer.

    Where there is a readout, its `logits` [T, B, classes] are the last output.
    """
    builder = Builder(name)
    first = network.layers[0]
    assert isinstance(first, SpikingLayer)
    time = (("step", sizes.steps), ("batch", sizes.batch))
    spikes = builder.input("spikes", (*time, ("input", first.weight.shape[1])))
    outputs: list[TensorId] = []
    for index, layer in enumerate(network.layers):
        assert isinstance(layer, SpikingLayer)
        values = np.ascontiguousarray(layer.weight.detach().cpu().numpy(), dtype=np.float32)
        dims = (("neuron", values.shape[0]), ("input", values.shape[1]))
        weight = builder.weight(f"weight_{index}", dims, FP32, values)
        current = builder.add(Linear(), (spikes, weight), f"current_{index}")
        spikes = builder.add(layer.kind, (current, None), f"spikes_{index}")
        outputs.append(spikes)
    if network.readout is not None:
        outputs.append(_readout(builder, spikes, network.readout))
    return builder.finish(outputs)


def _readout(builder: Builder, spikes: TensorId, readout: Readout) -> TensorId:
    values = np.ascontiguousarray(readout.weight.detach().cpu().numpy(), dtype=np.float32)
    dims = (("class", values.shape[0]), ("input", values.shape[1]))
    weight = builder.weight("weight_readout", dims, FP32, values)
    return builder.add(Linear(), (spikes, weight), "logits")
