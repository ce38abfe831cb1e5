"""ResNet with basic or bottleneck blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from netwright.graph.build import Builder
from netwright.graph.graph import Graph
from netwright.graph.ops.elementwise import Binary
from netwright.graph.ops.function import Function
from netwright.graph.ops.pool import Pool
from netwright.graph.tensor import TensorId
from netwright.graph.zoo.vision import VisionParts
from netwright.graph.zoo.weights import RandomWeights


@final
@dataclass(frozen=True, slots=True)
class ResnetSizes:
    """The defaults are ResNet-18; `bottleneck` with layers (3, 4, 6, 3) is ResNet-50."""

    layers: tuple[int, ...] = (2, 2, 2, 2)
    bottleneck: bool = False
    width: int = 64
    image: int = 224
    classes: int = 1000
    batch: int = 1


def resnet(sizes: ResnetSizes, seed: int | None = 0) -> Graph:
    """Input `image` [batch, 3, image, image]; output `logits` [batch, classes].

    Bottlenecks stride in their 3x3 convolution, as torchvision does.
    Source: He et al., arXiv 1512.03385, table 1.
    """
    b = Builder("resnet")
    parts = VisionParts(b, RandomWeights(b, seed))
    shape = (("batch", sizes.batch), ("channel", 3), ("y", sizes.image), ("x", sizes.image))
    x = b.input("image", shape)
    x = parts.relu("stem", parts.conv("stem", x, sizes.width, 7, 2))
    x = b.add(Pool("max", (3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1)), (x,), "stem_pool")
    for group, number in enumerate(sizes.layers):
        for index in range(number):
            stride = 2 if group and index == 0 else 1
            x = _residual(parts, f"g{group}b{index}", x, sizes.width << group, stride, sizes)
    return b.finish((parts.classifier(x, sizes.classes),))


def _residual(
    parts: VisionParts, name: str, x: TensorId, width: int, stride: int, sizes: ResnetSizes
) -> TensorId:
    """relu(convolutions(x) + x), the second x through a 1x1 convolution where shapes differ."""
    if sizes.bottleneck:
        units = 4 * width
        y = parts.relu(f"{name}_relu0", parts.conv(f"{name}_c0", x, width, 1, 1))
        y = parts.relu(f"{name}_relu1", parts.conv(f"{name}_c1", y, width, 3, stride))
        y = parts.conv(f"{name}_c2", y, units, 1, 1)
    else:
        units = width
        y = parts.relu(f"{name}_relu0", parts.conv(f"{name}_c0", x, width, 3, stride))
        y = parts.conv(f"{name}_c1", y, units, 3, 1)
    if stride != 1 or parts.channels(x) != units:
        x = parts.conv(f"{name}_shortcut", x, units, 1, stride)
    return parts.builder.add(Binary("add", Function("relu")), (y, x), f"{name}_out")
