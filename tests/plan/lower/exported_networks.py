"""The families of networks that people export, as small as their shapes allow."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    )


class Residual(nn.Module):
    """ResNet's basic block."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first, self.second = conv(inputs, outputs, 3, stride), conv(outputs, outputs, 3)
        self.short = conv(inputs, outputs, 1, stride) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.second(functional.relu(self.first(x))) + self.short(x))


def resnet() -> nn.Module:
    stem = [conv(3, 8, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    blocks = [Residual(8, 8, 1), Residual(8, 16, 2)]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))


class Inverted(nn.Module):
    """MobileNetV3's block: expand, depthwise, squeeze and excite, project."""

    def __init__(self, width: int, wide: int) -> None:
        super().__init__()
        self.expand, self.depthwise = conv(width, wide, 1), conv(wide, wide, 5, 1, wide)
        self.squeeze = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(wide, 8, 1), nn.ReLU(), nn.Conv2d(8, wide, 1),
            nn.Hardsigmoid(),
        )  # fmt: skip
        self.project = conv(wide, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.hardswish(self.depthwise(functional.relu6(self.expand(x))))
        return x + self.project(y * self.squeeze(y))


def mobilenet() -> nn.Module:
    stem = [conv(3, 8, 3, 2), nn.Hardswish()]
    return nn.Sequential(*stem, Inverted(8, 24), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(512, 10))


def vgg() -> nn.Module:
    layers: list[nn.Module] = []
    for inputs, outputs in ((3, 8), (8, 12)):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2, 2)]
    head = [nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(192, 16), nn.ReLU(), nn.Dropout()]
    return nn.Sequential(*layers, *head, nn.Linear(16, 10))


class Dense(nn.Module):
    """DenseNet's layers: norms that no convolution before can take in."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.BatchNorm2d(8 + 4 * i) for i in range(3))
        self.layers = nn.ModuleList(nn.Conv2d(8 + 4 * i, 4, 3, padding=1) for i in range(2))
        self.stem = nn.Conv2d(3, 8, 3, 2, 1)
        self.head = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        found = [self.stem(x)]
        for norm, layer in zip(self.norms, self.layers, strict=False):
            found.append(layer(functional.relu(norm(torch.cat(found, 1)))))
        y = functional.relu(self.norms[2](torch.cat(found, 1)))
        return self.head(functional.adaptive_avg_pool2d(y, 1).flatten(1))


class Fire(nn.Module):
    """SqueezeNet's module."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.squeeze, self.one = nn.Conv2d(inputs, 6, 1), nn.Conv2d(6, 10, 1)
        self.three = nn.Conv2d(6, 10, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.squeeze(x))
        return torch.cat([functional.relu(self.one(y)), functional.relu(self.three(y))], 1)


def squeezenet() -> nn.Module:
    stem = [nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True)]
    head = [nn.Conv2d(20, 10, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*stem, Fire(8), *head)


class Shuffled(nn.Module):
    """ShuffleNetV2's unit: split, one branch, concatenate, shuffle the channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.branch = nn.Sequential(
            conv(half, half, 1), nn.ReLU(), conv(half, half, 3, 1, half), conv(half, half, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        kept, other = x.chunk(2, 1)
        y = torch.cat([kept, functional.relu(self.branch(other))], 1)
        batch, width, high, wide = y.shape
        return y.view(batch, 2, width // 2, high, wide).transpose(1, 2).reshape(y.shape)


def shufflenet() -> nn.Module:
    stem = [conv(3, 12, 3, 2), nn.ReLU(), Shuffled(12), Shuffled(12)]
    return nn.Sequential(*stem, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 10))


class Encoder(nn.Module):
    """A transformer layer; BERT's norms stand after the sums, ViT's before the layers."""

    def __init__(self, width: int, norm_first: bool) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.out, self.up = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.norm_first = norm_first

    def attend(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        q, k, v = (
            part(x).view(batch, tokens, 4, width // 4).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        weights = (q @ k.transpose(2, 3) / (width // 4) ** 0.5).softmax(-1)
        return self.out((weights @ v).transpose(1, 2).reshape(batch, tokens, width))

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.norms
        if self.norm_first:
            x = x + self.attend(first(x))
            return x + self.down(functional.gelu(self.up(second(x))))
        x = first(x + self.attend(x))
        return second(x + self.down(functional.gelu(self.up(x))))


class Bert(nn.Module):
    """Tokens, positions and two layers; the pooled first token."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(50, 32), nn.Embedding(16, 32)
        self.norm = nn.LayerNorm(32)
        self.layers = nn.Sequential(Encoder(32, False), Encoder(32, False))
        self.pool = nn.Linear(32, 32)

    def forward(self, tokens: Tensor) -> Tensor:
        places = torch.arange(tokens.shape[1])
        x = self.layers(self.norm(self.words(tokens) + self.places(places)))
        return torch.tanh(self.pool(x[:, 0]))


class Vit(nn.Module):
    """Patches, a class token, positions and two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 32, 8, 8)
        self.token = nn.Parameter(torch.randn(1, 1, 32))
        self.places = nn.Parameter(torch.randn(1, 17, 32))
        self.layers = nn.Sequential(Encoder(32, True), Encoder(32, True), nn.LayerNorm(32))
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        y = self.patches(x).flatten(2).transpose(1, 2)
        y = torch.cat([self.token.expand(y.shape[0], -1, -1), y], 1) + self.places
        return self.head(self.layers(y)[:, 0])


class Network(NamedTuple):
    """How to make a network, and the shape of its input; of token ids where `tokens`."""

    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    tokens: bool = False


NETWORKS = {
    "resnet": Network(resnet, (2, 3, 32, 32)),
    "mobilenet": Network(mobilenet, (1, 3, 32, 32)),
    "vgg": Network(vgg, (1, 3, 32, 32)),
    "densenet": Network(Dense, (2, 3, 16, 16)),
    "squeezenet": Network(squeezenet, (1, 3, 33, 33)),
    "shufflenet": Network(shufflenet, (2, 3, 16, 16)),
    "bert": Network(Bert, (2, 9), tokens=True),
    "vit": Network(Vit, (2, 3, 32, 32)),
}
