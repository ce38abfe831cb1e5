"""Quadratic binary problems: values by hand, least values by trying all, and the circuit."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import GraphError
from netwright.graph.interpret import Interpreter
from netwright.graph.qubo import NAME, Qubo, Search, circuit_of, independent_set, states


def run(qubo: Qubo, search: Search, steps: int) -> np.ndarray:
    """Spikes [steps, n] by the references."""
    step, state, rows = Interpreter(circuit_of(qubo, search).graph()), {}, []
    for _ in range(steps):
        outputs, state = step({}, {}, state)
        rows.append(outputs[NAME][0, 0] > 0)
    return np.array(rows)


def every(n: int) -> np.ndarray:
    return np.array(list(product((0, 1), repeat=n)))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(0, 99))
def test_values_and_couplings(n: int, seed: int) -> None:
    matrix = np.random.default_rng(seed).integers(-4, 5, (n, n))
    qubo = Qubo(matrix)
    for x in every(n):
        assert qubo.values(x) == x @ matrix @ x
    # The change by one variable is its local field.
    x = every(n)[-1]
    field = np.diag(matrix) + qubo.couplings @ x
    for i in range(n):
        less = x.copy()
        less[i] = 0
        assert qubo.values(x) - qubo.values(less) == pytest.approx(field[i])


def test_an_independent_set_is_the_minimum() -> None:
    ring = np.zeros((6, 6), bool)
    ring[np.arange(6), (np.arange(6) + 1) % 6] = True
    values = independent_set(ring | ring.T).values(every(6))
    assert values.min() == -3
    assert {tuple(x) for x in every(6)[values == -3]} == {(0, 1) * 3, (1, 0) * 3}


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 12), st.integers(1, 5), st.integers(0, 99))
def test_states_are_who_fired_lately(steps: int, on: int, seed: int) -> None:
    spikes = np.random.default_rng(seed).random((steps, 3)) < 0.3
    expected = [spikes[max(0, t - on + 1) : t + 1].any(0) for t in range(steps)]
    np.testing.assert_array_equal(states(spikes, on), expected)


@pytest.mark.parametrize("seed", range(4))
def test_the_circuit_finds_the_minimum_of_small_problems(seed: int) -> None:
    random = np.random.default_rng(seed)
    qubo = Qubo(np.triu(random.integers(-3, 4, (7, 7))).astype(float))
    on = states(run(qubo, Search(noise=1.0, on_steps=6, bar=1.5, seed=seed), 400), 6)
    assert qubo.values(on).min() == qubo.values(every(7)).min()


def test_joined_nodes_are_hardly_ever_on_together() -> None:
    pair = np.array([[False, True], [True, False]])
    on = states(run(independent_set(pair), Search(0.5, 10, 1.7), 600), 10)
    assert on.any(1).mean() > 0.3
    assert on.all(1).mean() < 0.05


def test_what_is_no_problem_is_refused() -> None:
    for call, words in (
        (lambda: Qubo(np.zeros((2, 3))), "shape"),
        (lambda: Qubo(np.full((2, 2), np.nan)), "finite"),
        (lambda: independent_set(np.eye(2, dtype=bool)), "itself"),
        (lambda: independent_set(np.zeros((2, 2), bool), 2.0), "above 2"),
        (lambda: Search(0.0, 3), "noise 0.0"),
    ):
        with pytest.raises(GraphError, match=words):
            call()
