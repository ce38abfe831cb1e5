"""Searching the scales of small groups, as ggml's reference quantisers do.

Source: `make_qkx2_quants`, `make_q3_quants`, `make_qx_quants` of ggml-quants.c, MIT licence; here
over many groups at once. All arrays are float32 [groups, n] or [groups, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from netwright.graph.format.blocks import Numbers, reciprocal

# Below this a group is all zeros to ggml.
GROUP_MAX_EPSILON = np.float32(1e-15)


@final
@dataclass(frozen=True, slots=True)
class AffineSearch:
    """Which scales `affine_scales` tries: `(top + first + i * step) / range` for i in 0..steps.

    `squared` says whether the weighted error is of squares or of magnitudes.
    """

    top: int
    first: float
    steps: int
    squared: bool
    step: float = 0.1


def affine_scales(x: Numbers, weights: Numbers, search: AffineSearch) -> tuple[Numbers, Numbers]:
    """Scale and -minimum (both >= 0), [groups, 1], of the best `scale * code + minimum` found."""

    def fit_error(scale: Numbers, least: Numbers, codes: Numbers) -> Numbers:
        off = scale * codes + least - x
        off = off * off if search.squared else np.abs(off)
        return (weights * off).sum(axis=1, keepdims=True)

    zero = np.float32(0)
    least = np.minimum(x.min(axis=1, keepdims=True), zero)
    span = x.max(axis=1, keepdims=True) - least
    inverse = reciprocal(span)
    sum_w = weights.sum(axis=1, keepdims=True)
    sum_x = (weights * x).sum(axis=1, keepdims=True)
    scale: Numbers = span / np.float32(search.top)
    shift = least
    codes = np.rint((x - least) * (search.top * inverse)).clip(0, search.top)
    best = fit_error(scale, shift, codes)
    for i in range(search.steps + 1):
        factor = np.float32(search.top + search.first + search.step * i)
        codes = np.rint((x - least) * (factor * inverse)).clip(0, search.top)
        weighted = weights * codes
        sum_l = weighted.sum(axis=1, keepdims=True)
        sum_l2 = (weighted * codes).sum(axis=1, keepdims=True)
        sum_xl = (weighted * x).sum(axis=1, keepdims=True)
        determinant = sum_w * sum_l2 - sum_l * sum_l
        new_scale: Numbers = (sum_w * sum_xl - sum_x * sum_l) / determinant
        new_shift = (sum_l2 * sum_x - sum_l * sum_xl) / determinant
        above = new_shift > 0
        new_scale = np.where(above, sum_xl / sum_l2, new_scale)
        new_shift = np.where(above, zero, new_shift)
        error = fit_error(new_scale, new_shift, codes)
        better = (determinant > 0) & (error < best)
        best = np.where(better, error, best)
        scale = np.where(better, new_scale, scale)
        shift = np.where(better, new_shift, shift)
    return np.where(span > 0, scale, zero), -shift


def symmetric_scales(x: Numbers, limit: int) -> Numbers:
    """The signed scale [groups, 1] of the best `scale * code`, code in [-limit, limit): 19 tries,
    each with its least-squares scale under weights x^2.
    """
    peak = np.take_along_axis(x, np.abs(x).argmax(axis=1)[:, None], axis=1)
    # Relative to the peak, so that no square leaves float32's range.
    x = x * reciprocal(peak)
    weights = x * x
    scale = np.zeros_like(peak)
    best = np.zeros_like(peak)
    for i in (0, *range(-9, 0), *range(1, 10)):
        factor = np.float32(-(limit + 0.1 * i))
        codes = np.rint(x * factor).clip(-limit, limit - 1)
        weighted = weights * codes
        sum_lx = (weighted * x).sum(axis=1, keepdims=True)
        sum_l2 = (weighted * codes).sum(axis=1, keepdims=True)
        better = (sum_l2 > 0) & (sum_lx * sum_lx > best * sum_l2)
        scale = np.where(better, sum_lx / sum_l2, scale)
        best = np.where(better, scale * sum_lx, best)
    return np.where(np.abs(peak) >= GROUP_MAX_EPSILON, scale * peak, np.float32(0))


def descent_scales(x: Numbers, limit: int) -> Numbers:
    """As `symmetric_scales`, but moving one code at a time while that helps (at most 5 rounds)."""
    peak = np.take_along_axis(x, np.abs(x).argmax(axis=1)[:, None], axis=1)
    x = x * reciprocal(peak)
    codes = np.rint(x * -limit).clip(-limit, limit - 1)
    weights = x * x
    sum_lx: Numbers = (weights * x * codes).sum(axis=1)
    sum_l2: Numbers = (weights * codes * codes).sum(axis=1)
    for _ in range(5):
        changed = False
        for i in range(x.shape[1]):
            value, weight, code = x[:, i], weights[:, i], codes[:, i]
            rest_lx = sum_lx - weight * value * code
            rest_l2 = sum_l2 - weight * code * code
            new = np.rint(value * rest_l2 / rest_lx).clip(-limit, limit - 1)
            new = np.where(rest_lx > 0, new, code)
            new_lx = rest_lx + weight * value * new
            new_l2 = rest_l2 + weight * new * new
            gain = new_lx * new_lx * sum_l2 > sum_lx * sum_lx * new_l2
            better = (new != code) & (new_l2 > 0) & gain
            codes[:, i] = np.where(better, new, code)
            sum_lx = np.where(better, new_lx, sum_lx)
            sum_l2 = np.where(better, new_l2, sum_l2)
            changed = changed or bool(better.any())
        if not changed:
            break
    scale = np.where(sum_l2 > 0, sum_lx / sum_l2, np.float32(0))[:, None]
    return np.where(np.abs(peak) >= GROUP_MAX_EPSILON, scale * peak, np.float32(0))
