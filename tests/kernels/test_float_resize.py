"""resize against the graph kind's float64 reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.graph.ops.resize import COORDINATE_CODES, ROUNDING_CODES, Resize
from netwright.native import core

from .calls import channels_last, empty_channels_last, operand, run_all


@settings(max_examples=60, deadline=None)
@given(
    mode=st.sampled_from(["nearest", "linear"]),
    coordinates=st.sampled_from(sorted(COORDINATE_CODES)),
    rounding=st.sampled_from(sorted(ROUNDING_CODES)),
    height=st.tuples(st.integers(1, 7), st.integers(1, 15)),
    width=st.tuples(st.integers(1, 7), st.integers(1, 15)),
    channels=st.sampled_from([1, 3, 8, 21]),
    seed=st.integers(0, 99),
)
def test_equals_the_reference(
    mode: str,
    coordinates: str,
    rounding: str,
    height: tuple[int, int],
    width: tuple[int, int],
    channels: int,
    seed: int,
) -> None:
    x = np.random.default_rng(seed).standard_normal((2, channels, height[0], width[0]))
    x = channels_last(x.astype(np.float32))
    scales = (height[1] / height[0], width[1] / width[0])
    shape = (2, channels, height[1], width[1])
    kind = Resize(shape, (1.0, 1.0, *scales), mode, coordinates, rounding)
    (expected,) = kind.reference([x.astype(np.float64)])
    codes = [int(mode == "linear"), COORDINATE_CODES[coordinates], ROUNDING_CODES[rounding]]
    outs = run_all("resize", lambda: [empty_channels_last(shape)], [x], [*codes, *scales])
    for (out,) in outs:
        np.testing.assert_allclose(out, expected, rtol=0, atol=2e-6 if mode == "linear" else 0)


@pytest.mark.parametrize(
    ("index", "value", "message"),
    [(0, 2, "mode"), (1, 5, "code"), (2, 4, "code"), (3, 0.0, "scale"), (4, float("nan"), "scale")],
)
def test_refuses(index: int, value: float, message: str) -> None:
    parameters: list[int | float] = [0, 0, 0, 2.0, 2.0]
    parameters[index] = value
    out, x = empty_channels_last((1, 3, 4, 4)), empty_channels_last((1, 3, 2, 2))
    with pytest.raises(ValueError, match=message):
        core.call("resize", [operand(out), operand(x)], parameters)
