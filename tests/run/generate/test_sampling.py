"""Sampling against its definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from netwright.errors import JobError
from netwright.run.generate.sampling import (
    GREEDY,
    Draw,
    Filter,
    Greedy,
    MinP,
    RepetitionPenalty,
    Sampler,
    Temperature,
    TopK,
    TopP,
    sampling,
)

LOGITS = hnp.arrays(np.float64, st.integers(1, 30), elements=st.floats(-20, 20))


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max())
    return e / e.sum()


def kept(step: Filter, logits: np.ndarray) -> np.ndarray:
    return np.flatnonzero(np.isfinite(step.apply(logits, ())))


@given(logits=LOGITS, k=st.integers(1, 40))
def test_top_k(logits: np.ndarray, k: int) -> None:
    found = kept(TopK(k), logits)
    least = np.sort(logits)[::-1][: min(k, len(logits))].min()
    assert set(found) == set(np.flatnonzero(logits >= least))


@given(logits=LOGITS, p=st.floats(0.01, 0.99))
def test_top_p_is_the_smallest_set(logits: np.ndarray, p: float) -> None:
    probabilities = softmax(logits)
    found = kept(TopP(p), logits)
    assert probabilities[found].sum() >= p - 1e-9
    assert probabilities[found].sum() - probabilities[found].min() < p + 1e-9
    others = np.delete(probabilities, found)
    assert not len(others) or others.max() <= probabilities[found].min()


@given(logits=LOGITS, p=st.floats(0.001, 1))
def test_min_p(logits: np.ndarray, p: float) -> None:
    probabilities = softmax(logits)
    clear = np.abs(probabilities / (p * probabilities.max()) - 1) > 1e-9
    expected = probabilities >= p * probabilities.max()
    mask = np.isin(np.arange(len(logits)), kept(MinP(p), logits))
    assert (mask == expected)[clear].all()


def test_temperature_and_penalty() -> None:
    logits = np.array([2.0, -2.0, 1.0])
    assert Temperature(0.5).apply(logits, ()).tolist() == [4, -4, 2]
    changed = RepetitionPenalty(2.0, window=3).apply(logits, [2, 0, 1, 1])
    assert changed.tolist() == [1, -4, 1]
    assert logits.tolist() == [2, -2, 1]
    assert RepetitionPenalty(2.0).apply(logits, []) is logits


def test_draws_follow_the_distribution() -> None:
    logits = np.array([0.0, 1.0, 2.0, -1.0])
    sampler = Sampler(Draw((Temperature(1.3),), seed=1))
    counts = np.bincount([sampler.choose(logits) for _ in range(20000)], minlength=4)
    expected = softmax(logits / 1.3)
    # five standard deviations of a binomial count
    assert (np.abs(counts / 20000 - expected) < 5 * np.sqrt(expected / 20000)).all()


@given(logits=LOGITS, seed=st.integers(0, 2**32))
def test_a_seed_fixes_the_draws(logits: np.ndarray, seed: int) -> None:
    chosen = sampling(temperature=0.8, top_k=5, top_p=0.9, min_p=0.05, seed=seed)
    first, second = Sampler(chosen), Sampler(chosen)
    assert [first.choose(logits) for _ in range(5)] == [second.choose(logits) for _ in range(5)]


@given(logits=LOGITS)
def test_greedy_is_argmax(logits: np.ndarray) -> None:
    best = int(np.flatnonzero(logits == logits.max())[0])
    assert Sampler(GREEDY).choose(logits.astype(np.float32)) in np.flatnonzero(
        logits.astype(np.float32) == logits.astype(np.float32).max()
    )
    assert Sampler(GREEDY).choose(logits) == best
    narrow = Sampler(Draw((TopK(1), Temperature(1e-3)), 0)).choose(logits)
    assert logits[narrow] == logits.max()


def test_chain() -> None:
    assert sampling() == Greedy()
    assert sampling(repetition_penalty=1.1) == Greedy((RepetitionPenalty(1.1),))
    assert sampling(temperature=0.5, top_k=3, seed=9) == Draw((TopK(3), Temperature(0.5)), 9)


@pytest.mark.parametrize(
    "values",
    [{"temperature": -1}, {"top_k": -1}, {"top_p": 2}, {"min_p": -1}, {"repetition_penalty": 0}],
)
def test_values_out_of_range(values: dict[str, float]) -> None:
    with pytest.raises(JobError, match=r"got .* expected"):
        sampling(**{"temperature": 1.0, **values})  # type: ignore[arg-type]
