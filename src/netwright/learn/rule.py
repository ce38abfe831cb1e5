"""How a batch becomes gradients: one loss or one a step, back through time or step by step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias, cast, final

import numpy as np
import torch
from torch import Tensor

from netwright.errors import JobError
from netwright.learn.network import SpikingNetwork
from netwright.learn.quantised import QuantisedNetwork

Network: TypeAlias = SpikingNetwork | QuantisedNetwork


@final
@dataclass(frozen=True, slots=True)
class Batch:
    """Spikes or values [T, B, inputs], labels [B], and what times an output is a logit."""

    spikes: Tensor
    labels: Tensor
    scale: float = 1.0


@final
@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """Logits [B, classes], summed over the steps, and the loss, both without gradient."""

    logits: Tensor
    loss: float


class Rule(ABC):
    """A way from a batch to gradients."""

    @abstractmethod
    def learn(self, network: Network, batch: Batch, random: np.random.Generator) -> Answer:
        """Adds the batch's gradients to the network's parameters."""


@final
@dataclass(frozen=True, slots=True)
class Counted(Rule):
    """One cross-entropy, on the outputs summed over the steps; one backward pass."""

    def learn(self, network: Network, batch: Batch, random: np.random.Generator) -> Answer:
        logits = network(batch.spikes).sum(0) * batch.scale
        loss = torch.nn.functional.cross_entropy(logits, batch.labels)
        cast(Any, loss).backward()
        return Answer(logits.detach(), float(loss.detach()))


@final
@dataclass(frozen=True, slots=True)
class EachStep(Rule):
    """The mean of every step's cross-entropy; one backward pass over all steps.

    It goes through time where the layers' `Gradient` does; memory grows with the steps.
    """

    def learn(self, network: Network, batch: Batch, random: np.random.Generator) -> Answer:
        logits = network(batch.spikes) * batch.scale
        target = batch.labels.expand(len(logits), -1)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten())
        cast(Any, loss).backward()
        return Answer(logits.detach().sum(0), float(loss.detach()))


@final
@dataclass(frozen=True, slots=True)
class Spatial(Rule):
    """The loss of EachStep without the way back through time: a backward pass after every step.

    Of each step only what it needs itself is held, so that memory does not grow with the steps.
    Gradients are those of EachStep with `Gradient(through_time=False)`. `learnt_steps`: only so
    many, drawn anew for every batch, have a backward pass (SLTT-K); None: all. `steps_at_once`:
    steps on end that all learn, or all do not, run as one call, at most so many; gradients are the
    same, larger products are quicker, and as many steps of activations live at a time.
    Source: Meng et al., "Towards Memory- and Time-Efficient Backpropagation for Training Spiking
    Neural Networks", ICCV 2023, arXiv 2302.14311, algorithms 1 and 2.
    """

    learnt_steps: int | None = None
    steps_at_once: int = 1

    def __post_init__(self) -> None:
        if self.steps_at_once < 1:
            raise JobError(f"train: {self.steps_at_once} steps at once; expected 1 or more")

    def learn(self, network: Network, batch: Batch, random: np.random.Generator) -> Answer:
        """As Rule.

        Raises:
            JobError: more steps are to be learnt than there are, or none.
        """
        steps = len(batch.spikes)
        number = steps if self.learnt_steps is None else self.learnt_steps
        if not 1 <= number <= steps:
            raise JobError(f"train: {number} learnt steps of {steps}; expected 1 to {steps}")
        drawn = set(random.permutation(steps)[:number].tolist())
        carried = None
        total, loss = torch.zeros(()), 0.0
        for start, end in _runs([step in drawn for step in range(steps)], self.steps_at_once):
            learns = start in drawn
            with torch.set_grad_enabled(learns):
                out, carried = network.run(batch.spikes[start:end], carried)
                logits = out * batch.scale
                target = batch.labels.expand(end - start, -1).flatten()
                each = torch.nn.functional.cross_entropy(logits.flatten(0, 1), target)
                own = each * ((end - start) / steps)
            if learns:
                cast(Any, own).backward()
            total, loss = total + logits.detach().sum(0), loss + float(own.detach())
        return Answer(total, loss)


def _runs(learns: list[bool], most: int) -> Iterator[tuple[int, int]]:
    """Start and end of every run of steps that are alike, cut after so many."""
    start = 0
    for end in range(1, len(learns) + 1):
        if end == len(learns) or learns[end] != learns[start] or end - start == most:
            yield start, end
            start = end
