"""When a network that answers step by step may stop: early exit in time, and its bound.

Source: Li, Jones, Furber, "Unleashing the Potential of Spiking Neural Networks by Dynamic
Confidence", ICCV 2023, arXiv 2303.10276.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import JobError

Array: TypeAlias = NDArray[Any]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Ended:
    """Steps that every sample took (at least 1) and its answer, both [B]."""

    steps: NDArray[np.int64]
    answers: NDArray[np.int64]

    @property
    def mean_steps(self) -> float:
        """Over the samples."""
        return float(self.steps.mean())

    def share_right(self, labels: Array) -> float:
        """The share of answers that are the label."""
        return float((self.answers == labels).mean())


@final
@dataclass(frozen=True, slots=True)
class Confidence:
    """Stop at the first step where the largest softmax of sum(outputs) / scale is the threshold.

    A sample that is never so sure takes all steps.
    """

    scale: float
    threshold: float

    def ended(self, outputs: Array) -> Ended:
        """For the outputs of every step [T, B, classes]."""
        sure = _sureness(outputs, self.scale)
        return _at(_first(sure >= self.threshold), _answers(outputs))


def fixed(outputs: Array, steps: int) -> Ended:
    """Every sample takes so many steps."""
    step: Array = np.zeros(outputs.shape[1], np.int64) + (steps - 1)
    return _at(step, _answers(outputs))


def earliest_right(outputs: Array, labels: Array) -> Ended:
    """The first step with the right answer, by the labels: what no rule can beat. All, if none."""
    answers = _answers(outputs)
    return _at(_first(answers == labels), answers)


def fewest_steps(outputs: Array, labels: Array, allowed_loss: float = 0.0) -> int:
    """The fewest fixed steps that lose no more than so large a share of right answers."""
    least = fixed(outputs, len(outputs)).share_right(labels) - allowed_loss
    for steps in range(1, len(outputs) + 1):
        if fixed(outputs, steps).share_right(labels) >= least:
            return steps
    return len(outputs)


def calibrated(
    outputs: Array, labels: Array, scales: Sequence[float], allowed_loss: float = 0.0
) -> Confidence:
    """The rule with the fewest steps on these samples that loses no more than so large a share.

    Every scale is tried with 200 thresholds, closer to each other the surer they are. The samples
    must be others than those that are learnt from or tested on.

    Raises:
        JobError: no scale, or none above zero.
    """
    if not scales or min(scales) <= 0:
        raise JobError(f"confidence: scales {list(scales)}; expected at least one, all above 0")
    least = fixed(outputs, len(outputs)).share_right(labels) - allowed_loss
    answers = _answers(outputs)
    best, fewest = Confidence(scales[0], np.inf), float(len(outputs))
    for scale in scales:
        sure = _sureness(outputs, scale)
        for threshold in np.unique(np.quantile(sure, 1.0 - np.geomspace(1e-5, 1.0, 200))):
            found = _at(_first(sure >= threshold), answers)
            if found.mean_steps < fewest and found.share_right(labels) >= least:
                best, fewest = Confidence(scale, float(threshold)), found.mean_steps
    return best


def _sureness(outputs: Array, scale: float) -> Array:
    """The largest softmax of the outputs so far, [T, B]."""
    total = np.cumsum(outputs, 0, dtype=np.float64) / scale
    return 1.0 / np.exp(total - total.max(2, keepdims=True)).sum(2)


def _first(holds: Array) -> Array:
    """The first step [B] at which it holds [T, B]; the last where it never does."""
    return np.where(holds.any(0), holds.argmax(0), len(holds) - 1)


def _answers(outputs: Array) -> Array:
    """By the sum of the outputs so far, [T, B]."""
    return np.cumsum(outputs, 0, dtype=np.float64).argmax(2)


def _at(step: Array, answers: Array) -> Ended:
    chosen = answers[step, np.arange(answers.shape[1])]
    return Ended(step.astype(np.int64) + 1, chosen.astype(np.int64))
