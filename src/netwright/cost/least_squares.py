"""Least squares with no coefficient negative."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 1e-10


def non_negative(features: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """The x >= 0 [columns] that makes |features x - target| least.

    Source: Lawson and Hanson, Solving Least Squares Problems, 1974, algorithm NNLS (chapter 23).
    """
    scale = np.maximum(np.linalg.norm(features, axis=0), 1e-300)
    a = features / scale
    columns = a.shape[1]
    x, active = np.zeros(columns), np.zeros(columns, dtype=bool)
    for _ in range(3 * columns):
        pull = a.T @ (target - a @ x)
        pull[active] = -np.inf
        best = int(pull.argmax())
        if pull[best] <= TOLERANCE:
            break
        active[best] = True
        x = _feasible(a, target, x, active)
    return x / scale


def _feasible(
    a: NDArray[np.float64],
    target: NDArray[np.float64],
    x: NDArray[np.float64],
    active: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """The inner loop: solves on the active columns, drops those that would turn negative."""
    while active.any():
        trial = np.zeros_like(x)
        trial[active] = np.linalg.lstsq(a[:, active], target, rcond=None)[0]
        bad = active & (trial <= 0)
        if not bad.any():
            return trial
        step = float((x[bad] / np.maximum(x[bad] - trial[bad], 1e-300)).min())
        x = x + step * (trial - x)
        active &= x > TOLERANCE * max(float(x.max()), 1e-300)
        x = np.where(active, x, 0.0)
    return np.zeros_like(x)
