"""LSTM and GRU against ONNX Runtime: directions, absent operands, both resets."""

import numpy as np
import pytest
from tests.graph.ops.onnx_oracle import by_runtime
from tests.graph.oracle import run

from netwright.errors import GraphError
from netwright.graph.op import TensorType
from netwright.graph.ops.recurrent import Gru, Lstm

DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}
STEPS, BATCH, INPUTS, HIDDEN = 5, 2, 3, 4


def operands(gates, number, states, absent):
    random = np.random.default_rng(0)
    rows = gates * HIDDEN
    arrays = [random.standard_normal(s) for s in (
        (STEPS, BATCH, INPUTS), (number, rows, INPUTS), (number, rows, HIDDEN), (number, 2 * rows)
    )]  # fmt: skip
    initial = [random.standard_normal((number, BATCH, HIDDEN)) for _ in range(states)]
    return arrays[:3] if absent else [*arrays, *initial]


def compare(found, expected):
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("absent", [False, True], ids=["all", "bare"])
def test_lstm_equals_onnx(direction, absent):
    arrays = operands(4, DIRECTIONS[direction], 2, absent)
    given = [*arrays[:4], None, *arrays[4:]] if not absent else arrays
    expected = by_runtime("LSTM", *given, outputs=3, hidden_size=HIDDEN, direction=direction)
    compare(run(Lstm(HIDDEN, direction), *arrays), expected)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("absent", [False, True], ids=["all", "bare"])
@pytest.mark.parametrize("linear", [False, True], ids=["reset-before", "reset-after"])
def test_gru_equals_onnx(direction, absent, linear):
    arrays = operands(3, DIRECTIONS[direction], 1, absent)
    given = [*arrays[:4], None, *arrays[4:]] if not absent else arrays
    expected = by_runtime(
        "GRU", *given, outputs=2, hidden_size=HIDDEN, direction=direction,
        linear_before_reset=int(linear),
    )  # fmt: skip
    compare(run(Gru(HIDDEN, direction, linear), *arrays), expected)


def test_wrong_weights_are_named():
    types = [TensorType(s) for s in ((5, 2, 3), (1, 16, 3), (1, 16, 5))]
    with pytest.raises(GraphError, match=r"Lstm: r has shape \[1, 16, 5\], expected \[1, 16, 4\]"):
        Lstm(4).infer(types)
