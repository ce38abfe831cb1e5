"""What a circuit is made of before it is a graph: populations, and arrows between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, final

from numpy.typing import NDArray

from netwright.errors import GraphError
from netwright.graph.ops.neuron import CobaLif, CubaLif, If, Lif
from netwright.graph.ops.spike_time import OfStep, Poisson, SpikeSource
from netwright.graph.synapses import Synapses

Array: TypeAlias = NDArray[Any]
Neuron: TypeAlias = Lif | If | CubaLif | CobaLif


@final
@dataclass(frozen=True, slots=True)
class Population:
    """Neurons `first` .. `first` + `neurons` of a named group; a slice of it is one too."""

    name: str
    neurons: int
    first: int = 0

    def __len__(self) -> int:
        return self.neurons

    def __getitem__(self, part: slice) -> Population:
        start, stop, step = part.indices(self.neurons)
        if step != 1:
            raise GraphError(f"{self.name}: a part of a population has no steps ({step})")
        return Population(self.name, max(0, stop - start), self.first + start)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """What is known of a population before the graph is written."""

    kind: Neuron | SpikeSource | OfStep
    neurons: int
    first: Mapping[str, Array]
    rate_hz: float
    chance: Array | None
    each: Mapping[str, Array]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Arrow:
    """A projection, or noise where there are no synapses."""

    source: Population | None
    target: str
    synapses: Synapses | Poisson
    receptor: int
    delay_steps: int
