"""The field between scattered points: exact laws and a smooth function that we know."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.cost.kriging import field

GRID = np.array([(x, y) for x in range(6) for y in range(6)], dtype=np.float64)


def hills(places: np.ndarray) -> np.ndarray:
    return np.sin(places[..., 0]) * np.cos(0.5 * places[..., 1])


@settings(max_examples=50, deadline=None)
@given(st.floats(0.5, 4.5), st.floats(0.5, 4.5))
def test_between_points_a_smooth_function_is_found(x: float, y: float) -> None:
    found, deviation = field(GRID, hills(GRID)).at(np.array([x, y]))
    assert abs(found - hills(np.array([x, y]))) < 0.12
    assert deviation > 0


def test_far_from_all_points_the_mean_is_zero_and_the_deviation_is_the_fields_own() -> None:
    known = field(GRID, hills(GRID))
    mean, far = known.at(np.array([1e3, 1e3]))
    assert mean == pytest.approx(0.0, abs=1e-9)
    assert far > known.at(np.array([2.5, 2.5]))[1]
    assert far == pytest.approx(np.sqrt(known.variance * (1 + known.nugget)))


def test_leaving_one_out_is_what_solving_without_it_gives() -> None:
    """Equation 5.12 against the solution by hand."""
    values = hills(GRID)
    known = field(GRID, values)
    spare = 1.0 / np.diag(known.inverse)
    for i in (0, 7, 21):
        rest = np.arange(len(values)) != i
        covariance = np.linalg.inv(known.inverse)
        near = covariance[i][rest]
        by_hand = near @ np.linalg.solve(covariance[np.ix_(rest, rest)], values[rest])
        assert values[i] - known.weights[i] * spare[i] == pytest.approx(by_hand, abs=1e-8)


def test_noise_is_smoothed_and_shows_in_the_deviation() -> None:
    rng = np.random.default_rng(3)
    noisy = hills(GRID) + rng.normal(0.0, 0.3, len(GRID))
    assert field(GRID, noisy).deviation > 2 * field(GRID, hills(GRID)).deviation


def test_one_point_is_enough() -> None:
    mean, _ = field(np.zeros((1, 2)), np.array([0.5])).at(np.zeros(2))
    assert mean == pytest.approx(0.5, rel=0.3)
