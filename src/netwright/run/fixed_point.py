"""Feedforward computation as a triangular system of equations, solved by parallel rounds.

s_t = h_t(s_1 .. s_{t-1}) for t = 1 .. T is what any chain of layers, a recurrent network or an
autoregressive model that is sampled computes. One round evaluates all equations (or all of a block)
at the values of the round before; after k rounds the first k values are exact, so T rounds always
do, and often far fewer: Song et al., "Accelerating Feedforward Computation via Parallel Nonlinear
Equation Solving", ICML 2021, arXiv 2002.03629, algorithms 1 to 4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import RunError
from netwright.run.runtime import Runtime

Array: TypeAlias = NDArray[Any]
Update: TypeAlias = Callable[[Array], Array]  # s to h(s), every equation at once


@final
@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """The values, and the rounds that one after the other they took.

    A round that only finds that nothing changes any more counts, too.
    """

    values: Array
    rounds: int


def equations(
    runtime: Runtime, entry: str, values: str, fixed: Mapping[str, Array], output: str
) -> Update:
    """A network as equations: its output is the next values of its input `values`."""

    def update(now: Array) -> Array:
        return runtime.call(entry, {**fixed, values: now}, {})[output]

    return update


def jacobi(update: Update, start: Array, axis: int = -1, tolerance: float = 0.0) -> Solution:
    """Rounds over all equations along `axis` until none changes by more than `tolerance`.

    With a tolerance of 0 the values are those of computing one after the other, bit for bit.

    Raises:
        RunError: the equations are not triangular along `axis`: T rounds did not settle them.
    """
    return block_jacobi(update, start, start.shape[axis], axis, tolerance)


def block_jacobi(
    update: Update, start: Array, block: int, axis: int = -1, tolerance: float = 0.0
) -> Solution:
    """Blocks of so many equations in order (Gauss-Seidel), rounds inside each (Jacobi).

    A block of 1 is computing one after the other; one of all is `jacobi`.

    Raises:
        RunError: as `jacobi`; or the block is empty.
    """
    if block < 1:
        raise RunError(f"a block of {block} equations; expected at least 1")
    count = start.shape[axis]
    now, rounds = np.moveaxis(start, axis, 0).copy(), 0
    for first in range(0, count, block):
        part = slice(first, min(first + block, count))
        for _ in range(part.stop - first):
            rounds += 1
            after = _evaluate(update, now, axis)
            change = _change(after[part], now[part])
            now[part] = after[part]
            if change <= tolerance:
                break
    if tolerance == 0 and _change(_evaluate(update, now, axis), now) != 0:
        raise RunError(
            f"{count} equations along axis {axis} did not settle in as many rounds: one of them "
            "depends on itself or on a later one"
        )
    return Solution(np.moveaxis(now, 0, axis), rounds)


def _evaluate(update: Update, now: Array, axis: int) -> Array:
    return np.moveaxis(update(np.ascontiguousarray(np.moveaxis(now, 0, axis))), axis, 0)


def _change(after: Array, before: Array) -> float:
    """The largest change; of what is not a number, infinite unless it stays so."""
    same = (after == before) | ((after != after) & (before != before))
    if same.all():
        return 0.0
    wide = np.abs(np.subtract(after, before, dtype=np.float64))[~same]
    return float(np.nan_to_num(wide, nan=np.inf).max())
