"""MobileNet v1: depthwise separable convolutions."""

from __future__ import annotations

from collections.abc import Sequence

from netwright.graph.build import Builder
from netwright.graph.graph import Graph
from netwright.graph.zoo.vision import VisionParts
from netwright.graph.zoo.weights import RandomWeights

# (output channels at width 1, stride) of the 13 separable layers: table 1 of the paper.
_LAYERS = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1),
    (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1),
)  # fmt: skip


def mobilenet_v1(
    image: int = 224,
    width: float = 1.0,
    classes: int = 1000,
    seed: int | None = 0,
    *,
    group_channels: int | Sequence[int] = 1,
) -> Graph:
    """Input `image` [1, 3, image, image]; output `logits` [1, classes].

    `width` multiplies every layer's channels. With `group_channels` above 1 the depthwise layers
    are convolutions over groups of so many channels: more products for each input that is read;
    given 13 numbers, each layer has its own.
    Source: Howard et al., arXiv 1704.04861, table 1.
    """
    each = [group_channels] * len(_LAYERS) if isinstance(group_channels, int) else group_channels
    b = Builder("mobilenet_v1")
    parts = VisionParts(b, RandomWeights(b, seed))
    x = b.input("image", (("batch", 1), ("channel", 3), ("y", image), ("x", image)))
    x = parts.relu("stem", parts.conv("stem", x, max(1, int(32 * width)), 3, 2))
    for index, ((channels, stride), group) in enumerate(zip(_LAYERS, each, strict=True)):
        x = parts.relu(f"depth{index}", parts.grouped(f"depth{index}", x, group, 3, stride))
        units = max(1, int(channels * width))
        x = parts.relu(f"point{index}", parts.conv(f"point{index}", x, units, 1, 1))
    return b.finish((parts.classifier(x, classes),))
