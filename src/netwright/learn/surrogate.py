"""Surrogate gradients: the one table of formulas that torch, the native core and Triton share.

A spike is the step function of x = membrane - threshold, whose slope is zero almost everywhere; in
the backward pass it is replaced by the slope of a smooth function. Each formula is an expression in
`x` and the sharpness `a`. `surrogate_text` prints them as C++ and as Triton, and `evaluate`
computes them with whatever has the functions (numpy, torch).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import CodeType
from typing import Any, final

import numpy as np

from netwright.errors import JobError


@final
@dataclass(frozen=True, slots=True)
class Formula:
    """One surrogate: its slope, the smooth function that has that slope, and where it is from.

    `code` is what the native core calls it. `a` is the sharpness; functions: abs, exp, atan,
    square, where.
    """

    name: str
    code: int
    slope: str
    smooth: str
    sharpness: float
    source: str


FORMULAS: tuple[Formula, ...] = (
    Formula(
        "atan", 0,
        "0.5 * a / (1.0 + square(1.5707963267948966 * a * x))",
        "atan(1.5707963267948966 * a * x) / 3.141592653589793 + 0.5",
        2.0,
        "Fang et al., ICCV 2021, arXiv 2007.05785",
    ),
    Formula(
        "sigmoid", 1,
        "a * exp(-a * abs(x)) / square(1.0 + exp(-a * abs(x)))",
        "where(x < 0.0, exp(-a * abs(x)) / (1.0 + exp(-a * abs(x))), "
        "1.0 / (1.0 + exp(-a * abs(x))))",
        4.0,
        "as in SpikingJelly 2.0: the slope of 1 / (1 + exp(-a x))",
    ),
    Formula(
        "fast_sigmoid", 2,
        "1.0 / square(1.0 + a * abs(x))",
        "x / (1.0 + a * abs(x))",
        25.0,
        "Zenke and Ganguli, Neural Computation 30(6), 2018; the sharpness is snnTorch's",
    ),
    Formula(
        "super_spike", 3,
        "a / square(1.0 + abs(x))",
        "a * x / (1.0 + abs(x))",
        1.0,
        "Zenke and Ganguli, 2018, as SpikingJelly 2.0 scales it",
    ),
    Formula(
        "triangle", 4,
        "where(abs(a * x) < 1.0, a * (1.0 - abs(a * x)), 0.0 * x)",
        "where(abs(a * x) < 1.0, a * x - 0.5 * a * x * abs(a * x), "
        "where(x < 0.0, -0.5 + 0.0 * x, 0.5 + 0.0 * x))",
        1.0,
        "Bellec et al., NeurIPS 2018, arXiv 1803.09574",
    ),
    Formula(
        "box", 5,
        "where(abs(a * x) < 0.5, a + 0.0 * x, 0.0 * x)",
        "where(abs(a * x) < 0.5, a * x, where(x < 0.0, -0.5 + 0.0 * x, 0.5 + 0.0 * x))",
        1.0,
        "Wu et al., Frontiers in Neuroscience 12:331, 2018, h1",
    ),
    Formula(
        "single_exponential", 6,
        "a * exp(-a * abs(x))",
        "where(x < 0.0, exp(-a * abs(x)), 2.0 - exp(-a * abs(x)))",
        2.0,
        "Shrestha and Orchard (SLAYER), NeurIPS 2018, arXiv 1810.08646; the sharpness is Sinabs'",
    ),
)  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class Surrogate:
    """A formula with the sharpness chosen: what a spike's slope is taken to be."""

    formula: Formula
    sharpness: float

    def slope(self, x: Any, functions: Mapping[str, Callable[..., Any]]) -> Any:
        """The slope at `x`, computed with `functions` (numpy's or torch's)."""
        return evaluate(self.formula.slope, x, self.sharpness, functions)

    def smooth(self, x: Any, functions: Mapping[str, Callable[..., Any]]) -> Any:
        """The function whose slope it is."""
        return evaluate(self.formula.smooth, x, self.sharpness, functions)


def surrogate(name: str = "atan", sharpness: float | None = None) -> Surrogate:
    """A surrogate by name, with its usual sharpness unless one is given.

    Raises:
        JobError: no such name, or a sharpness that is not a positive number.
    """
    for formula in FORMULAS:
        if formula.name == name:
            break
    else:
        raise JobError(
            f"surrogate: got {name!r}, expected one of {', '.join(f.name for f in FORMULAS)}"
        )
    chosen = formula.sharpness if sharpness is None else sharpness
    if not 0.0 < chosen < math.inf:
        raise JobError(f"surrogate {name}: sharpness {chosen}, expected a positive number")
    return Surrogate(formula, chosen)


NUMPY: Mapping[str, Callable[..., Any]] = {
    "abs": np.abs,
    "atan": np.arctan,
    "exp": np.exp,
    "square": np.square,
    "where": np.where,
}

_COMPILED: Mapping[str, CodeType] = {
    text: compile(text, "<surrogate>", "eval")
    for formula in FORMULAS
    for text in (formula.slope, formula.smooth)
}


def evaluate(text: str, x: Any, a: float, functions: Mapping[str, Callable[..., Any]]) -> Any:
    """A formula of the table at `x`; only its own texts are known, nothing else is executed."""
    return eval(_COMPILED[text], {"__builtins__": {}}, {**functions, "x": x, "a": a})
