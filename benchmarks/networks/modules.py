"""The torch modules whose weights ship as .pth files: EfficientNet-Lite0 and a digit CNN."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


class Stage(NamedTuple):
    """A run of inverted bottlenecks of one width."""

    expansion: int
    channels: int
    repeats: int
    stride: int
    kernel: int


# EfficientNet-B0's stages (Tan and Le, arXiv 1905.11946, table 1) without squeeze-excitation.
STAGES = (
    Stage(1, 16, 1, 1, 3),
    Stage(6, 24, 2, 2, 3),
    Stage(6, 40, 2, 2, 5),
    Stage(6, 80, 3, 2, 3),
    Stage(6, 112, 3, 1, 5),
    Stage(6, 192, 4, 2, 5),
    Stage(6, 320, 1, 1, 3),
)
_EPSILON = 1e-3


class SameConv(nn.Conv2d):
    """A convolution that pads as TensorFlow's SAME does: the odd pixel after."""

    def forward(self, x: Tensor) -> Tensor:
        pads: list[int] = []
        for size, kernel, stride in zip(
            reversed(x.shape[2:]), reversed(self.kernel_size), reversed(self.stride), strict=True
        ):
            total = max((-(-int(size) // stride) - 1) * stride + kernel - int(size), 0)
            pads += [total // 2, total - total // 2]
        return super().forward(functional.pad(x, pads) if any(pads) else x)


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> SameConv:
    return SameConv(inputs, outputs, kernel, stride, groups=groups, bias=False)


class Bottleneck(nn.Module):
    """Expand 1x1, depthwise, project 1x1; names as in the file."""

    def __init__(self, inputs: int, stage: Stage, stride: int) -> None:
        super().__init__()
        wide = inputs * stage.expansion
        if stage.expansion > 1:
            self._expand_conv = _conv(inputs, wide, 1)
            self._bn0 = nn.BatchNorm2d(wide, _EPSILON)
        self._depthwise_conv = _conv(wide, wide, stage.kernel, stride, wide)
        self._bn1 = nn.BatchNorm2d(wide, _EPSILON)
        self._project_conv = _conv(wide, stage.channels, 1)
        self._bn2 = nn.BatchNorm2d(stage.channels, _EPSILON)
        self.expands = stage.expansion > 1
        self.adds = stride == 1 and inputs == stage.channels

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = functional.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.adds else y


class EfficientNetLite0(nn.Module):
    """x [N, 3, 224, 224] = (pixel - 127) / 128 → logits [N, 1000]."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = _conv(3, 32, 3, 2)
        self._bn0 = nn.BatchNorm2d(32, _EPSILON)
        blocks: list[nn.Module] = []
        width = 32
        for stage in STAGES:
            for i in range(stage.repeats):
                blocks.append(Bottleneck(width, stage, stage.stride if i == 0 else 1))
                width = stage.channels
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = _conv(width, 1280, 1)
        self._bn1 = nn.BatchNorm2d(1280, _EPSILON)
        self._fc = nn.Linear(1280, 1000)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            y = block(y)
        y = functional.relu6(self._bn1(self._conv_head(y)))
        return self._fc(y.mean((2, 3)))


class DigitCnn(nn.Module):
    """x [N, 1, 28, 28] = (pixel / 255 - 0.1307) / 0.3081 → logits [N, 10]."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in ((1, 32), (32, 64), (64, 128)):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        self.conv_layers = nn.Sequential(*layers)
        self.fc_layers = nn.Sequential(nn.Linear(1152, 256), nn.ReLU(), nn.Linear(256, 10))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc_layers(torch.flatten(self.conv_layers(x), 1))
