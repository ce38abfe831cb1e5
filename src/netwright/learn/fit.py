"""A training loop for spiking networks that classify by their outputs summed over the steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast, final

import numpy as np
import torch
from torch import Tensor

from netwright.errors import JobError
from netwright.learn.digits import Images, Labels
from netwright.learn.rule import Batch, Counted, Network, Rule

Encode: TypeAlias = Callable[[Images], Images]


@final
@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train: Adam, a rate that falls along a cosine, gradients by the rule.

    `count_scale` times an output (the spikes of an output neuron) is its logit. `shift_pixels`:
    images are moved by up to so many pixels each way.
    """

    epochs: int = 20
    batch: int = 64
    rate: float = 2e-3
    count_scale: float = 1.0
    shift_pixels: int = 0
    seed: int = 0
    rule: Rule = field(default_factory=Counted)


@final
@dataclass(frozen=True, slots=True)
class Epoch:
    """Mean loss of an epoch, and the share of training samples that it got right."""

    number: int
    loss: float
    share_right: float


def fit(
    network: Network,
    samples: tuple[Images, Labels],
    encode: Encode,
    recipe: Recipe,
    told: Callable[[Epoch], None] = lambda epoch: None,
) -> tuple[Epoch, ...]:
    """Train in place; `encode` turns images [samples, inputs] into spikes [T, samples, inputs].

    Raises:
        JobError: the recipe asks for no epoch or no sample.
    """
    images, labels = samples
    if recipe.epochs < 1 or recipe.batch < 1 or len(labels) < recipe.batch:
        raise JobError(
            f"train: {recipe.epochs} epochs of batches of {recipe.batch} from {len(labels)} "
            "samples; at least one of each is needed"
        )
    random = np.random.default_rng(recipe.seed)
    optimiser = torch.optim.Adam(network.parameters(), lr=recipe.rate)
    steps = recipe.epochs * (len(labels) // recipe.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    epochs: list[Epoch] = []
    for number in range(recipe.epochs):
        total, right, seen = 0.0, 0, 0
        for chosen in _batches(len(labels), recipe.batch, random):
            moved = shifted(images[chosen], recipe.shift_pixels, random)
            spikes, target = tensor_of(encode(moved)), tensor_of(labels[chosen])
            optimiser.zero_grad()
            answer = recipe.rule.learn(network, Batch(spikes, target, recipe.count_scale), random)
            cast(Any, optimiser).step()
            schedule.step()
            total += answer.loss * len(chosen)
            right += int((answer.logits.argmax(1) == target).sum())
            seen += len(chosen)
        epochs.append(Epoch(number, total / seen, right / seen))
        told(epochs[-1])
    return tuple(epochs)


def tensor_of(array: np.ndarray) -> Tensor:
    """The array as a tensor, sharing its memory."""
    return cast(Any, torch).from_numpy(array)


def counts(network: Network, spikes: Tensor) -> Tensor:
    """Outputs (spikes of the last layer, or logits) over all steps, [B, classes]."""
    return network(spikes).sum(0)


def share_right(
    network: Network, samples: tuple[Images, Labels], encode: Encode, batch: int = 250
) -> float:
    """The share of samples whose most active output neuron (the first of equals) is their label."""
    images, labels = samples
    right = 0
    with torch.no_grad():
        for start in range(0, len(labels), batch):
            spikes = tensor_of(encode(images[start : start + batch]))
            answer = counts(network, spikes).argmax(1).numpy()
            right += int((answer == labels[start : start + batch]).sum())
    return right / len(labels)


def _batches(number: int, size: int, random: np.random.Generator) -> Iterator[np.ndarray]:
    order = random.permutation(number)
    for start in range(0, number - size + 1, size):
        yield order[start : start + size]


def shifted(images: Images, most: int, random: np.random.Generator) -> Images:
    """Square images moved by up to `most` pixels each way, dark beyond the edge."""
    if most == 0:
        return images
    side = round(images.shape[1] ** 0.5)
    if side * side != images.shape[1]:
        raise JobError(f"train: {images.shape[1]} inputs are no square image; use shift_pixels=0")
    padded = np.pad(images.reshape(-1, side, side), ((0, 0), (most, most), (most, most)))
    down, right = random.integers(0, 2 * most + 1, (2, len(images)))
    place = np.arange(side, dtype=np.int64)
    moved = padded[
        np.arange(len(images))[:, None, None],
        (down[:, None] + place)[:, :, None],
        (right[:, None] + place)[:, None, :],
    ]
    return np.ascontiguousarray(moved.reshape(len(images), -1))
