"""Early exit in time: small cases by hand, and laws between the rules."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import JobError
from netwright.run.confidence import (
    Confidence,
    calibrated,
    earliest_right,
    fewest_steps,
    fixed,
)


def drawn(seed: int, steps: int = 12, samples: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Outputs that lean to the label, more or less."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 4, samples)
    outputs = random.standard_normal((steps, samples, 4))
    outputs[:, np.arange(samples), labels] += random.uniform(-0.2, 1.5, samples)
    return outputs, labels


def test_by_hand() -> None:
    outputs = np.log(np.array([[[0.5, 0.5], [0.9, 0.1]], [[0.2, 0.8], [0.5, 0.5]]]))
    found = Confidence(1.0, 0.75).ended(outputs)
    assert found.steps.tolist() == [2, 1]
    assert found.answers.tolist() == [1, 0]
    assert Confidence(1.0, 0.95).ended(outputs).steps.tolist() == [2, 2]
    assert earliest_right(outputs, np.array([0, 1])).steps.tolist() == [1, 2]
    assert fixed(outputs, 1).answers.tolist() == [0, 0]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.floats(0.2, 20), st.floats(0.3, 0.99), st.floats(0, 0.3))
def test_laws(seed: int, scale: float, threshold: float, more: float) -> None:
    outputs, labels = drawn(seed)
    found = Confidence(scale, threshold).ended(outputs)
    assert (found.steps <= Confidence(scale, threshold + more).ended(outputs).steps).all()
    bound = earliest_right(outputs, labels)
    right = found.answers == labels
    assert bound.share_right(labels) >= found.share_right(labels)
    assert (bound.steps[right] <= found.steps[right]).all()
    assert (Confidence(scale, 0.0).ended(outputs).steps == 1).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.floats(0, 0.1))
def test_calibrated_keeps_its_word(seed: int, allowed: float) -> None:
    outputs, labels = drawn(seed)
    whole = fixed(outputs, len(outputs)).share_right(labels)
    rule = calibrated(outputs, labels, (0.5, 1.0, 2.0, 4.0), allowed)
    found = rule.ended(outputs)
    assert found.share_right(labels) >= whole - allowed
    tried = [Confidence(2.0, t).ended(outputs) for t in (0.3, 0.5, 0.7, 0.9, 0.99)]
    good = [one.mean_steps for one in tried if one.share_right(labels) >= whole - allowed]
    assert found.mean_steps <= 1.05 * min(good, default=len(outputs))
    steps = fewest_steps(outputs, labels, allowed)
    assert fixed(outputs, steps).share_right(labels) >= whole - allowed
    assert all(fixed(outputs, s).share_right(labels) < whole - allowed for s in range(1, steps))


def test_scales_are_checked() -> None:
    outputs, labels = drawn(0)
    for scales in ((), (1.0, 0.0)):
        with pytest.raises(JobError, match="scales"):
            calibrated(outputs, labels, scales)
