"""Slopes in Triton. Printed by surrogate_text from surrogate.py: do not edit."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit()
def _squared(x: tl.tensor) -> tl.tensor:
    return x * x


@triton.jit()
def slope(x: tl.tensor, a: tl.tensor, CODE: tl.constexpr) -> tl.tensor:
    """The slope of surrogate CODE at x with sharpness a."""
    if CODE == 0:  # atan
        found = ((0.5 * a) / (1.0 + _squared(((1.5707963267948966 * a) * x))))
    elif CODE == 1:  # sigmoid
        found = ((a * tl.exp(((-a) * tl.abs(x)))) / _squared((1.0 + tl.exp(((-a) * tl.abs(x))))))
    elif CODE == 2:  # fast_sigmoid
        found = (1.0 / _squared((1.0 + (a * tl.abs(x)))))
    elif CODE == 3:  # super_spike
        found = (a / _squared((1.0 + tl.abs(x))))
    elif CODE == 4:  # triangle
        found = tl.where((tl.abs((a * x)) < 1.0), (a * (1.0 - tl.abs((a * x)))), (0.0 * x))
    elif CODE == 5:  # box
        found = tl.where((tl.abs((a * x)) < 0.5), (a + (0.0 * x)), (0.0 * x))
    else:  # single_exponential
        found = (a * tl.exp(((-a) * tl.abs(x))))
    return found
