"""A spiking network as a chip sees it: populations, and every synapse between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.graph.ops.neuron import CobaLif, CubaLif, If, Li, Lif
from netwright.graph.tensor import TensorId

Index: TypeAlias = NDArray[np.int64]
NEURONS = (Lif, If, Li, CubaLif, CobaLif)
DENSE, SPARSE, CONVOLUTION = 0, 1, 2  # places in cost.spiking.SYNAPSES


@final
@dataclass(frozen=True, slots=True)
class Population:
    """Neurons of one operator, or the inputs of the graph (`outside`); numbers start at `first`."""

    name: str
    tensor: TensorId
    first: int
    size: int
    outside: bool


@final
@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """Synapses from neuron `source[i]` to neuron `target[i]`, numbered over all populations."""

    source: Index
    target: Index
    kind: int


@final
@dataclass(frozen=True, slots=True, eq=False)
class Wiring:
    """A spiking network as a chip sees it. Neurons outside come first."""

    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]

    @property
    def size(self) -> int:
        """Neurons of all populations, those outside among them."""
        return sum(p.size for p in self.populations)

    @property
    def outside(self) -> int:
        """How many neurons are outside the chip: the inputs."""
        return sum(p.size for p in self.populations if p.outside)
