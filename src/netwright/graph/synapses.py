"""Synapses between two populations, in every way that they can be given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import GraphError

Array: TypeAlias = NDArray[Any]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """One synapse an entry: source[k] to target[k]; doubled ones count twice.

    `weight` is one number for all or one a synapse; `delay_steps` one a synapse, or None.
    """

    source: Array
    target: Array
    weight: float | Array
    delay_steps: Array | None = None

    def __post_init__(self) -> None:
        given = (self.target, self.weight, self.delay_steps)
        for name, array in zip(("target", "weight", "delay_steps"), given, strict=True):
            if isinstance(array, np.ndarray) and array.shape != self.source.shape:
                raise GraphError(
                    f"synapses: {name} has shape {array.shape}, expected {self.source.shape}"
                )
        if self.source.ndim != 1:
            raise GraphError(f"synapses: source has {self.source.ndim} dims, expected 1")


@final
@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """All to all: `weight` [sources, targets]."""

    weight: Array


@final
@dataclass(frozen=True, slots=True, eq=False)
class Convolution:
    """Sources lie as `shape` [C, H, W]; `weight` [O, C, kh, kw]."""

    shape: tuple[int, int, int]
    weight: Array
    stride: int = 1
    padding: int = 0


@final
@dataclass(frozen=True, slots=True)
class Chance:
    """Every pair is joined with one chance, drawn by counter from the seed."""

    chance: float
    weight: float
    seed: int = 0


Synapses: TypeAlias = Pairs | Matrix | Convolution | Chance


def by_source(synapses: Pairs, sources: int, targets: int) -> tuple[Array, Array, Array]:
    """→ (starts [sources + 1], order of the synapses, target): rows, in the order given inside.

    Raises:
        GraphError: a source or target is not there.
    """
    for name, array, most in (
        ("source", synapses.source, sources),
        ("target", synapses.target, targets),
    ):
        if array.size and not (array.min() >= 0 and array.max() < most):
            raise GraphError(
                f"synapses: {name} goes from {array.min()} to {array.max()}, expected 0 to below"
                f" {most}"
            )
    counts = np.bincount(synapses.source, minlength=sources)
    starts = np.concatenate([[0], np.cumsum(counts)])
    # Rows sorted by target: neighbours in memory are met one after another.
    order = np.lexsort((synapses.target, synapses.source))
    return starts, order, synapses.target[order]
