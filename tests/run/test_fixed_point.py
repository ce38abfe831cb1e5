"""Parallel rounds give what computing one after the other gives, and never take longer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from netwright.errors import RunError
from netwright.graph.build import Builder
from netwright.graph.ops.elementwise import Unary
from netwright.graph.ops.function import Function
from netwright.graph.ops.linear import Linear
from netwright.job.job import Infer
from netwright.machine.load import library_machine
from netwright.plan.make import make_plan
from netwright.run.fixed_point import Update, block_jacobi, equations, jacobi
from netwright.run.native import NativeRuntime

Array = NDArray[Any]


def chain(count: int, reach: int, seed: int) -> Update:
    """Equation t: the sign of a sum of up to `reach` values before it and a constant."""
    rng = np.random.default_rng(seed)
    weight = np.tril(rng.standard_normal((count, count)), -1)
    weight *= np.tril(np.ones((count, count)), -1) - np.tril(np.ones((count, count)), -1 - reach)
    constant = rng.standard_normal(count)

    def update(now: Array) -> Array:
        return np.sign(now @ weight.T + constant)

    return update


@settings(max_examples=80, deadline=None)
@given(
    count=st.integers(1, 24),
    reach=st.integers(1, 24),
    block=st.integers(1, 24),
    batch=st.integers(1, 3),
    seed=st.integers(0, 999),
)
def test_blocks_and_rounds_agree_with_one_after_the_other(
    count: int, reach: int, block: int, batch: int, seed: int
) -> None:
    update, start = chain(count, reach, seed), np.zeros((batch, count))
    sequential = start.copy()
    for t in range(count):
        sequential[:, t] = update(sequential)[:, t]
    alone = block_jacobi(update, start, 1)
    assert alone.rounds == count
    for found in (alone, block_jacobi(update, start, block), jacobi(update, start)):
        assert np.array_equal(found.values, sequential)
        assert found.rounds <= count
    # The first k values are exact after k rounds.
    now = start
    for k in range(1, count + 1):
        now = update(now)
        assert np.array_equal(now[:, :k], sequential[:, :k])


def test_a_network_on_the_native_runtime_is_a_system_of_equations() -> None:
    rng = np.random.default_rng(2)
    weight = np.tril(rng.standard_normal((12, 12)), -1).astype(np.float32)
    b = Builder("triangular")
    x = b.input("x", (("b", 2), ("t", 12)))
    w = b.weight("w", (("n", 12), ("k", 12)), data=(weight,))
    bias = b.weight("bias", (("n", 12),), data=(rng.standard_normal(12).astype(np.float32),))
    y = b.add(Unary(Function("tanh")), (b.add(Linear(), (x, w, bias)),))
    graph = b.finish((y,))
    runtime = NativeRuntime(make_plan(graph, library_machine("raspberry-pi-5"), Infer()).program)
    update = equations(runtime, "forward", "x", {}, graph[y].name)
    start = np.zeros((2, 12), np.float32)
    exact, one_by_one = jacobi(update, start), block_jacobi(update, start, 1)
    assert np.array_equal(exact.values, one_by_one.values)
    assert np.array_equal(update(exact.values), exact.values)
    near = jacobi(update, start, tolerance=0.3)
    assert near.rounds < exact.rounds


def test_equations_along_another_axis() -> None:
    update = chain(9, 3, 4)
    found = jacobi(lambda now: update(now.T).T, np.zeros((9, 2)), axis=0)
    assert np.array_equal(found.values.T, jacobi(update, np.zeros((2, 9))).values)


def test_what_is_not_triangular_is_refused() -> None:
    with pytest.raises(RunError, match="depends on itself"):
        jacobi(lambda now: now + 1, np.zeros((1, 5)))
    with pytest.raises(RunError, match="at least 1"):
        block_jacobi(lambda now: now, np.zeros((1, 5)), 0)
    # Not-a-number that stays is settled.
    assert jacobi(lambda now: now * np.nan, np.zeros((1, 2))).rounds == 2
