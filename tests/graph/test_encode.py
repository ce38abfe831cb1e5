"""Encoders against what they promise: chances, first spikes, and what changes can be told from."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import GraphError
from netwright.graph.encode import delta, latency, rate

few = settings(max_examples=25, deadline=None)


def test_rates_are_chances_and_a_seed_fixes_them() -> None:
    values = np.array([[0.0, 0.1], [0.5, 1.0]])
    spikes = rate(values, 4000, seed=3)
    assert spikes.shape == (4000, 2, 2) and set(np.unique(spikes)) == {0.0, 1.0}
    np.testing.assert_allclose(spikes.mean(0), values, atol=5 * (0.25 / 4000) ** 0.5)
    assert spikes[:, 0, 0].sum() == 0 and spikes[:, 1, 1].all()
    np.testing.assert_array_equal(rate(values, 10, seed=3), spikes[:10])
    assert (rate(values, 4000, seed=4) != spikes).any()


@few
@given(st.integers(2, 50), st.lists(st.floats(0.0, 1.0), min_size=1, max_size=9))
def test_the_larger_value_comes_first_and_once(steps: int, values: list[float]) -> None:
    spikes = latency(np.array(values), steps)
    np.testing.assert_array_equal(spikes.sum(0), np.array(values) > 0)
    when = np.where(spikes.any(0), spikes.argmax(0), steps)
    assert all(when[i] <= when[j] for i in range(len(values)) for j in range(len(values))
               if values[i] >= values[j])  # fmt: skip
    assert latency(np.ones(1), steps)[0, 0] == 1.0


@few
@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_changes_told_by_spikes_stay_within_a_threshold(seed: int, steps: int) -> None:
    random = np.random.default_rng(seed)
    values = np.cumsum(random.uniform(-0.5, 0.5, (steps, 3)), axis=0)
    spikes = delta(values, 0.5)
    told = values[0] + 0.5 * np.cumsum(spikes[:, :3] - spikes[:, 3:], axis=0)
    assert np.abs(told - values).max() < 0.5 + 1e-9


def test_what_cannot_be_encoded_is_refused() -> None:
    for call in (
        lambda: rate(np.array([1.5]), 3),
        lambda: latency(np.array([-0.1]), 3),
        lambda: rate(np.array([0.5]), 0),
        lambda: delta(np.zeros((3, 1)), 0.0),
        lambda: delta(np.full((3, 1), np.nan), 1.0),
    ):
        with pytest.raises(GraphError, match="expected"):
            call()
