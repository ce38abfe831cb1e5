"""Parts of convolutional networks: convolution, batch norm, relu."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from netwright.graph.build import Builder
from netwright.graph.ops.conv import Conv
from netwright.graph.ops.elementwise import Unary
from netwright.graph.ops.function import Function
from netwright.graph.ops.linear import Linear
from netwright.graph.ops.norm import BatchNorm
from netwright.graph.ops.reduce import Reduce
from netwright.graph.tensor import TensorId
from netwright.graph.zoo.weights import RandomWeights


@final
@dataclass(frozen=True, slots=True)
class VisionParts:
    """Writes parts into a builder; activations are [batch, channels, height, width]."""

    builder: Builder
    weights: RandomWeights

    def channels(self, x: TensorId) -> int:
        """Channels of an activation."""
        size = self.builder.tensors[x].dims[1].size
        assert isinstance(size, int)
        return size

    def conv(self, name: str, x: TensorId, units: int, kernel: int, stride: int) -> TensorId:
        """Square convolution with 'same' padding, then batch norm."""
        return self._conv(name, x, units, kernel, stride, 1)

    def depthwise(self, name: str, x: TensorId, kernel: int, stride: int) -> TensorId:
        """One filter a channel, then batch norm."""
        channels = self.channels(x)
        return self._conv(name, x, channels, kernel, stride, channels)

    def grouped(self, name: str, x: TensorId, each: int, kernel: int, stride: int) -> TensorId:
        """As many filters as channels, each over the `each` channels of its group."""
        channels = self.channels(x)
        return self._conv(name, x, channels, kernel, stride, channels // math.gcd(channels, each))

    def _conv(
        self, name: str, x: TensorId, units: int, kernel: int, stride: int, groups: int
    ) -> TensorId:
        inputs = self.channels(x) // groups
        dims = ((f"{name}_out", units), ("in", inputs), ("kh", kernel), ("kw", kernel))
        weight = self.weights.matrix(f"{name}_weight", dims)
        pads = ((kernel // 2, kernel // 2),) * 2
        kind = Conv((stride, stride), pads, (1, 1), groups)
        y = self.builder.add(kind, (x, weight), f"{name}_conv")
        channel = dims[0]
        statistics = (
            self.weights.scale(f"{name}_scale", channel),
            self.weights.bias(f"{name}_shift", channel),
            self.weights.bias(f"{name}_mean", channel),
            self.weights.variance(f"{name}_variance", channel),
        )
        return self.builder.add(BatchNorm(1e-5), (y, *statistics), f"{name}_norm")

    def relu(self, name: str, x: TensorId) -> TensorId:
        """max(x, 0)."""
        return self.builder.add(Unary(Function("relu")), (x,), name)

    def classifier(self, x: TensorId, classes: int) -> TensorId:
        """Mean over space, then one linear layer."""
        pooled = self.builder.add(Reduce("mean", (2, 3)), (x,), "pooled")
        dims = (("class", classes), ("in", self.channels(x)))
        weight = self.weights.matrix("classifier_weight", dims)
        bias = self.weights.bias("classifier_bias", dims[0])
        return self.builder.add(Linear(), (pooled, weight, bias), "logits")
