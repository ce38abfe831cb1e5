"""Encoders: values → spikes over steps, [steps, ...] of zeros and ones; the same for a seed."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from netwright.errors import GraphError
from netwright.graph.ops.philox import chance_bound, words

Array: TypeAlias = NDArray[Any]


def rate(values: Array, steps: int, seed: int = 0) -> Array:
    """Each value in [0, 1] is the chance of a spike in every step: [steps, *values.shape].

    The draw depends on (seed, place, step) alone, as that of `Circuit.source`.

    Raises:
        GraphError: a value outside [0, 1], or no step.
    """
    flat = _checked(values, steps, 0.0, 1.0).reshape(-1)
    bounds = np.array([chance_bound(float(v)) for v in flat], np.uint64)
    rows = [words(flat.size, step, seed, 0) < bounds for step in range(steps)]
    return np.stack(rows).reshape(steps, *np.shape(values)).astype(np.float32)


def latency(values: Array, steps: int) -> Array:
    """One spike each, the earlier the larger: 1 in step 0, towards 0 in the last, 0 never.

    Raises:
        GraphError: a value outside [0, 1], or no step.
    """
    given = _checked(values, steps, 0.0, 1.0)
    when = np.rint((1.0 - given) * (steps - 1)).astype(np.int64)
    at = np.arange(steps).reshape(steps, *(1,) * given.ndim)
    return ((at == when) & (given > 0.0)).astype(np.float32)


def delta(values: Array, threshold: float) -> Array:
    """Values [steps, ..., n] → spikes [steps, ..., 2 n]: first of rises, then of falls.

    A spike says that a value is at least a threshold above (or below) what its spikes have told so
    far, which then moves by one threshold; it starts at the value of step 0.

    Raises:
        GraphError: no step, a threshold that is not above 0, or a value that is no number.
    """
    given = _checked(values, len(values), -np.inf, np.inf)
    if not threshold > 0.0:
        raise GraphError(f"delta: a threshold of {threshold}, expected above 0")
    told, rows = given[0].copy(), list[Array]()
    for now in given:
        rises, falls = now - told >= threshold, told - now >= threshold
        told = told + threshold * rises - threshold * falls
        rows.append(np.concatenate([rises, falls], axis=-1))
    return np.stack(rows).astype(np.float32)


def _checked(values: Array, steps: int, low: float, high: float) -> Array:
    given = np.asarray(values, np.float64)
    if steps < 1 or given.size == 0:
        raise GraphError(f"encoder: {given.size} values over {steps} steps, expected at least one")
    if not ((given >= low) & (given <= high)).all():
        raise GraphError(
            f"encoder: values {given.min()} to {given.max()}, expected {low} to {high}"
        )
    return given
