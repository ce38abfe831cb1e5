"""A liquid: wiring by chance and distance, learning, branching factor by a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import GraphError
from netwright.graph.interpret import Interpreter
from netwright.graph.liquid import (
    Grid,
    Learning,
    Wires,
    branching_factor,
    liquid,
    moved_in_time,
    wires,
)

GRID = Grid((6, 6, 4), 30, seed=1)


def run(known: Wires, learning: Learning | None, steps: int, batch: int = 2) -> tuple:
    spikes = (np.random.default_rng(3).random((steps, batch, known.inputs)) < 0.3).astype(float)
    step, state, rows = Interpreter(liquid(known, batch, learning)), {}, []
    for t in range(steps):
        outputs, state = step({"spikes": spikes[t : t + 1]}, {}, state)
        rows.append(outputs["fired"][0])
    return np.array(rows), state


def test_wiring_follows_the_grid() -> None:
    known = wires(Grid((10, 10, 6), 50, seed=0), 1.0, 2.0)
    inner = known.source[known.inside] - known.inputs
    place = np.stack(np.unravel_index(np.arange(600), (10, 10, 6)), 1)
    far = np.linalg.norm(place[inner] - place[known.target[known.inside]], axis=1)
    assert far.min() > 0
    assert (far < 3).mean() > 0.5
    assert np.abs(known.weight[known.inside]).max() == 2.0
    # One sign a source (Dale), and a fifth of the neurons inhibits.
    signs = {i: set(np.sign(known.weight[known.inside][inner == i])) for i in np.unique(inner)}
    assert all(len(s) == 1 for s in signs.values())
    assert (~known.inside).mean() * len(known.source) == pytest.approx(0.15 * 50 * 600, rel=0.1)


def test_without_learning_weights_stay_and_samples_do_not_mix() -> None:
    known = wires(GRID)
    fired, state = run(known, None, 60)
    assert fired.sum() > 0
    np.testing.assert_array_equal(
        state["weight"], np.broadcast_to(known.weight, (2, len(known.weight)))
    )
    alone, _ = run(known, None, 60, batch=1)
    assert alone.shape == (60, 1, 144)


def test_learning_keeps_signs_and_ends_and_refractory_time() -> None:
    known = wires(GRID)
    fired, state = run(known, Learning(rise=0.5), 120)
    assert not np.array_equal(state["weight"][0], known.weight)
    assert (state["weight"] * np.sign(known.weight) >= 0).all()
    assert np.abs(state["weight"]).max() <= 3.0
    assert not (fired[1:] * fired[:-1]).any()
    with pytest.raises(GraphError, match="beyond 3"):
        liquid(wires(GRID, weight=4.0), 1, Learning())


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 999), st.integers(1, 4), st.integers(0, 3))
def test_branching_factor_is_that_of_a_loop(seed: int, window: int, margin: int) -> None:
    random = np.random.default_rng(seed)
    known = Wires(1, 5, random.integers(0, 6, 14), random.integers(0, 5, 14), np.ones(14))
    pairs = {(s - 1, t) for s, t in zip(known.source, known.target, strict=True) if s > 0}
    fired = random.random((24, 2, 5)) < 0.3
    steps = 24 - 2 * margin
    cut = fired[margin : margin + steps]
    samples = []
    for b in range(2):
        neurons = []
        for n in range(5):
            ratios = []
            for t in range(window, steps - window):
                if cut[t, b, n]:
                    after = sum(cut[t + 1 : t + 1 + window, b, j].sum() for i, j in pairs if i == n)
                    before = sum(cut[t - window : t, b, i].sum() for i, j in pairs if j == n)
                    ratios.append(after / max(1, before))
            neurons += [np.mean(ratios)] if ratios else []
        samples += [np.mean(neurons)] if neurons else []
    expected = np.mean(samples) if samples else 0.0
    assert branching_factor(fired, known, window, margin) == pytest.approx(expected)


def test_spikes_moved_in_time_keep_rates_and_lose_causes() -> None:
    """In a chain 0 -> 1 -> 2 whoever fires makes the next one fire in the step after."""
    known = Wires(1, 3, np.array([1, 2]), np.array([1, 2]), np.ones(2))
    fired = np.zeros((400, 2, 3), bool)
    start = np.random.default_rng(0).random((400, 2)) < 0.1
    for n in range(3):
        fired[:, :, n] = np.roll(start, n, axis=0)
    moved = moved_in_time(fired, 1)
    np.testing.assert_array_equal(moved.sum(0), fired.sum(0))
    assert branching_factor(fired, known, 1) > 2 * branching_factor(moved, known, 1)
    for b, n in np.ndindex(2, 3):
        turned = [np.array_equal(np.roll(fired[:, b, n], k), moved[:, b, n]) for k in range(400)]
        assert any(turned)
