"""The table of surrogates: slopes are those of the smooth functions, everywhere the same."""

from pathlib import Path

import numpy as np
import pytest

from netwright.errors import JobError
from netwright.learn.surrogate import FORMULAS, NUMPY, Formula, surrogate
from netwright.learn.surrogate_text import cpp_header, triton_module
from netwright.native import core

ROOT = Path(__file__).parents[2]
HEADER = ROOT / "native" / "spikes" / "surrogate_table.hpp"
TRITON = ROOT / "src" / "netwright" / "learn" / "surrogate_triton.py"


def native_slope(x: np.ndarray, code: int, sharpness: float, avx2: bool) -> np.ndarray:
    """One step of neurons with threshold 0 and no reset: its gradient is the slope."""
    n = len(x)
    u = np.ascontiguousarray(x, np.float32).reshape(1, 1, n)
    rows = np.zeros((5, n), np.float32)
    rows[1] = 1.0
    d_x, d_v = np.empty((1, 1, n), np.float32), np.empty((1, n), np.float32)
    core.train_lif_backward(
        rows, 0, False, u, None, np.ones_like(u), None, d_x, d_v, None, None,
        code, sharpness, False, True, 1, avx2,
    )  # fmt: skip
    return d_x.reshape(n)


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda f: f.name)
@pytest.mark.parametrize("times", [1.0, 0.5, 3.0])
def test_a_slope_is_the_finite_difference_of_its_smooth_function(
    formula: Formula, times: float
) -> None:
    found = surrogate(formula.name, formula.sharpness * times)
    x = np.linspace(-2.5, 2.5, 4001) + 1e-4  # off the kinks at 0, 1 / a and 1 / 2a
    step = 1e-6
    expected = (found.smooth(x + step, NUMPY) - found.smooth(x - step, NUMPY)) / (2 * step)
    slope = found.slope(x, NUMPY)
    kinks = np.abs(np.abs(x * found.sharpness) - 1.0) < 1e-4
    kinks |= np.abs(np.abs(x * found.sharpness) - 0.5) < 1e-4
    np.testing.assert_allclose(slope[~kinks], expected[~kinks], rtol=1e-6, atol=1e-7)
    assert slope.max() > 0, "a surrogate without slope trains nothing"


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda f: f.name)
def test_native_slopes_are_the_table_and_both_forms_agree_bit_for_bit(formula: Formula) -> None:
    x = np.concatenate([np.linspace(-3, 3, 997), [0.0, 1e-30, -50.0, 80.0, 1e6]]).astype(np.float32)
    scalar = native_slope(x, formula.code, formula.sharpness, avx2=False)
    expected = surrogate(formula.name).slope(x.astype(np.float64), NUMPY)
    np.testing.assert_allclose(scalar, expected, rtol=2e-6, atol=1e-37)
    if core.has_avx2():
        fast = native_slope(x, formula.code, formula.sharpness, avx2=True)
        assert scalar.tobytes() == fast.tobytes()


def test_the_native_table_is_the_one_that_python_prints() -> None:
    assert HEADER.read_text() == cpp_header(), "python -m netwright.learn.surrogate_text > it"


def test_the_triton_table_is_the_one_that_python_prints() -> None:
    assert TRITON.read_text() == triton_module(), "python -m netwright.learn.surrogate_text triton"


def test_codes_are_places() -> None:
    assert [f.code for f in FORMULAS] == list(range(len(FORMULAS)))


@pytest.mark.parametrize(("name", "sharpness"), [("arctan", None), ("atan", 0.0), ("box", -1.0)])
def test_unknown_surrogates_are_refused(name: str, sharpness: float | None) -> None:
    with pytest.raises(JobError, match="expected"):
        surrogate(name, sharpness)
