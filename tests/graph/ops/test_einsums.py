"""Every kind's cascade of einsums, evaluated as written, equals its reference."""

import numpy as np
import pytest
from tests.graph.oracle import check_einsums, run

from netwright.graph.ops.attention import Attention, Rope
from netwright.graph.ops.conv import Conv, ConvTranspose
from netwright.graph.ops.elementwise import Binary, Glu, Unary
from netwright.graph.ops.function import Function
from netwright.graph.ops.linear import Linear, MatMul
from netwright.graph.ops.norm import BatchNorm, GroupNorm, LayerNorm, LpNorm, RmsNorm
from netwright.graph.ops.pool import Pool
from netwright.graph.ops.recurrent import Gru, Lstm
from netwright.graph.ops.reduce import REDUCE_CODES, CumulativeSum, Reduce
from netwright.graph.ops.softmax import Softmax

RELU = Function("relu")
X = (2, 4, 7, 6)
CASES = [
    (Linear(function=RELU), [(2, 3, 4), (5, 4), (5,), (2, 3, 5)]),
    (Linear(), [(2, 3, 4), (5, 4)]),
    (Linear(input_major=True), [(2, 4), (4, 5), None, (5,)]),
    (MatMul(scale=0.5, transpose_b=True), [(2, 1, 3, 4), (5, 6, 4)]),
    (MatMul(transpose_a=True), [(4, 3), (2, 4, 6)]),
    (MatMul(), [(4,), (4,)]),
    (MatMul(), [(3, 1, 4), (1, 4, 5)]),
    (
        Conv((2, 1), ((1, 1), (0, 2)), (1, 2), 2, RELU),
        [X, (6, 2, 3, 2), (6,), (1, 6, 1, 1)],
    ),
    (Conv((1,), ((1, 1),), (1,)), [(1, 3, 5), (2, 3, 3)]),
    (Conv((1, 1), ((1, 1), (1, 1)), (1, 1), 4), [X, (4, 1, 3, 3)]),
    (
        ConvTranspose((2, 1), ((1, 1), (0, 0)), (1, 2), (1, 0), 2, RELU),
        [X, (4, 3, 3, 2), (6,)],
    ),
    (Pool("max", (3, 2), (2, 2), ((1, 1), (1, 0)), (1, 1)), [X]),
    (Pool("average", (3, 2), (2, 2), ((0, 0), (0, 0)), (1, 1)), [X]),
    (Attention(0.3), [(2, 3, 4, 5), (2, 6, 2, 5), (2, 6, 2, 7)]),
    (Attention(0.3, softcap=2.0), [(3, 4, 5), (6, 2, 5), (6, 2, 7), (4, 3, 6)]),
    (Attention(0.3), [(2, 3, 4, 5), (1, 6, 2, 5), (1, 6, 2, 7), (1, 6)]),
    (Softmax(1), [X]),
    (Softmax(-1, log=True), [X]),
    (LayerNorm(2, 1e-5), [X, (7, 6), (7, 6)]),
    (LayerNorm(1, 1e-5), [X, (6,)]),
    (RmsNorm(1e-5), [X, (6,)]),
    (BatchNorm(1e-5), [X, (4,), (4,), (4,), (4,)]),
    (GroupNorm(2, 1e-5), [X, (4,), (4,)]),
    (GroupNorm(4, 1e-5), [(2, 4, 5), (4,), (4,)]),
    (LpNorm(1, 2), [X]),
    (LpNorm(-1, 1), [X]),
    (CumulativeSum(1), [X]),
    (CumulativeSum(1, exclusive=True), [X]),
    (Rope(10000.0, 4, 3), [(5, 2, 6)]),
    (Rope(10000.0, 6, 0, interleaved=True), [(5, 2, 6), (3,)]),
    (Lstm(4), [(5, 2, 3), (1, 16, 3), (1, 16, 4), (1, 32)]),
    (Lstm(4), [(5, 2, 3), (1, 16, 3), (1, 16, 4)]),
    (Gru(4), [(5, 2, 3), (1, 12, 3), (1, 12, 4), (1, 24)]),
    (Gru(4, linear_before_reset=True), [(5, 2, 3), (1, 12, 3), (1, 12, 4), (1, 24)]),
    (Gru(4, linear_before_reset=True), [(5, 2, 3), (1, 12, 3), (1, 12, 4)]),
    (Glu(Function("silu")), [X, X]),
    (Binary("sub", RELU), [X, (6,)]),
    (Unary(Function("clip", -0.5, 0.5)), [X]),
    *((Reduce(f, (1, -1), keepdims=True), [X]) for f in REDUCE_CODES),
    *((Reduce(f, (0,)), [X]) for f in REDUCE_CODES),
]


@pytest.mark.parametrize(("kind", "shapes"), CASES, ids=lambda c: type(c).__name__)
def test_cascade_equals_reference(kind, shapes):
    random = np.random.default_rng(0)
    # Positive numbers suit variances and rotary factors; signs come from the first operand.
    arrays = [None if s is None else random.uniform(0.1, 1.0, s) for s in shapes]
    arrays[0] = arrays[0] * random.choice([-1.0, 1.0], shapes[0])
    run(kind, *arrays)
    check_einsums(kind, *arrays)
