"""Non-negative least squares against scipy."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from netwright.cost.least_squares import non_negative


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 20), st.integers(1, 8))
def test_it_is_as_good_as_scipy(seed: int, rows: int, columns: int) -> None:
    random = np.random.default_rng(seed)
    features = random.standard_normal((rows, columns)) * 10.0 ** random.integers(-3, 4, columns)
    target = random.standard_normal(rows)
    got = non_negative(features, target)
    _, residual = nnls(features, target)
    assert (got >= 0).all()
    assert np.linalg.norm(features @ got - target) <= residual * (1 + 1e-6) + 1e-9
