"""Train: many steps of a network on data, over one or more workers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias, final

from netwright.errors import JobError


@final
@dataclass(frozen=True, slots=True)
class Sgd:
    """Stochastic gradient descent with momentum."""

    rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 0.0


@final
@dataclass(frozen=True, slots=True)
class AdamW:
    """Adam with decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101)."""

    rate: float = 3e-4
    beta1: float = 0.9
    beta2: float = 0.99
    epsilon: float = 1e-8
    weight_decay: float = 0.01


@final
@dataclass(frozen=True, slots=True)
class Delays:
    """What is done against late gradients where no pipeline is flushed (arXiv 2003.11666).

    A gradient is D updates late. `spike_compensation`: it gets at once what it would have had
    through the momentum meanwhile. `weight_prediction`: forward passes use weights D steps ahead,
    along the last step.
    """

    spike_compensation: bool = False
    weight_prediction: bool = False


Optimiser: TypeAlias = Sgd | AdamW


@final
@dataclass(frozen=True, slots=True)
class Train:
    """`steps` steps of `microbatches` micro-batches each, the loss being the mean over all.

    The graph is that of one micro-batch: its batch dim says how many sequences that is. Results do
    not depend on `workers`, `schedule` or `recompute`: with it a chunk keeps only its input of a
    micro-batch and does the forward pass again before the backward one (Chen et al., arXiv
    1604.06174; GPipe, arXiv 1811.06965). Under `pipelined-backprop` each micro-batch is a step of
    the optimiser, and gradients are late: `delays` says what is done against that.

    Raises:
        JobError: a count is below one.
    """

    steps: int = 50
    microbatches: int = 8
    workers: int = 1
    schedule: str = "1f1b"
    optimiser: Optimiser = field(default_factory=AdamW)
    seed: int = 0
    link_delay_seconds: float = 0.0
    recompute: bool = False
    delays: Delays = Delays()

    def __post_init__(self) -> None:
        for name in ("steps", "microbatches", "workers"):
            if getattr(self, name) < 1:
                raise JobError(f"train: {name} is {getattr(self, name)}, expected at least 1")
        if not 0.0 <= self.link_delay_seconds < 60.0:
            raise JobError(
                f"train: link delay {self.link_delay_seconds} s, expected 0 to 60 seconds"
            )
        if self.delays.spike_compensation and not isinstance(self.optimiser, Sgd):
            raise JobError("train: spike compensation is of SGD with momentum; use Sgd(...)")
