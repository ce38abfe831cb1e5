"""Seeded random weights: the same network for the same seed, on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.graph.build import Builder
from netwright.graph.format import FP32, Format
from netwright.graph.tensor import TensorId

Shape: TypeAlias = Sequence[tuple[str, int]]


@final
class RandomWeights:
    """Adds weights to a builder; `repeat` of them each, for use inside a block of that many.

    Matrices are normal with variance 1 / fan-in (the product of all dims but the first), so
    activations keep their scale; scales stand near one, biases near zero. Without a seed, weights
    are shapes only: a network of any size to plan and simulate, not to run.
    """

    def __init__(self, builder: Builder, seed: int | None) -> None:
        self._builder = builder
        self._random = None if seed is None else np.random.default_rng(seed)
        self.repeat = 1

    def matrix(self, name: str, dims: Shape, form: Format = FP32) -> TensorId:
        """A weight [out, in, ...]."""
        fan_in = int(np.prod([size for _, size in dims[1:]]))
        return self._add(name, dims, form, 0.0, fan_in**-0.5)

    def scale(self, name: str, dim: tuple[str, int]) -> TensorId:
        """A vector near one."""
        return self._add(name, (dim,), FP32, 1.0, 0.1)

    def bias(self, name: str, dim: tuple[str, int]) -> TensorId:
        """A vector near zero."""
        return self._add(name, (dim,), FP32, 0.0, 0.1)

    def variance(self, name: str, dim: tuple[str, int]) -> TensorId:
        """A vector of positive numbers."""
        if self._random is None:
            return self._builder.weight(name, (dim,), FP32)
        values = [self._random.uniform(0.5, 1.5, dim[1]) for _ in range(self.repeat)]
        return self._builder.weight(name, (dim,), FP32, values)

    def _add(self, name: str, dims: Shape, form: Format, mean: float, spread: float) -> TensorId:
        if self._random is None:
            return self._builder.weight(name, dims, form)
        shape = [size for _, size in dims]
        values: list[NDArray[np.float64]] = [
            mean + spread * self._random.standard_normal(shape) for _ in range(self.repeat)
        ]
        return self._builder.weight(name, dims, form, values)
