"""What a neuromorphic chip is beyond units and memories: cores on a mesh, priced by events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from netwright.machine.machine import Source

# What can happen, and what each costs:
EVENTS = (
    "neuron_access",  # a neuron's state is read, every step
    "neuron_update",  # and brought forward, every step
    "spike",  # it fires
    "axon_out",  # a packet leaves for one core that listens
    "axon_in",  # a packet arrives
    "synapse_dense",  # a synapse of it adds its weight: rows stored whole,
    "synapse_sparse",  # or with indices,
    "synapse_convolution",  # or shared
    "hop_column",  # a packet moves to the next column of tiles (east or west)
    "hop_row",  # or to the next row (north or south)
)


@final
@dataclass(frozen=True, slots=True)
class Event:
    """What one event costs."""

    joules: float
    seconds: float


@final
@dataclass(frozen=True, slots=True)
class SpikingMesh:
    """`columns` of `rows` tiles, `cores_per_tile` cores each; tiles count through a column first.

    Limits are those of one core: `neurons`, `axons_in` (distinct neurons that it listens to) and
    `axons_out` (pairs of a neuron and a core that listens to it). A synapse takes
    `synapse_bits` of the unit's innermost memory. `barrier_seconds` is what ending a step takes,
    by tiles in use (the entry of the largest number that is not more).
    """

    columns: int
    rows: int
    cores_per_tile: int
    neurons: int
    axons_in: int
    axons_out: int
    synapse_bits: int
    events: tuple[tuple[str, Event], ...]
    barrier_seconds: tuple[tuple[int, float], ...]
    source: Source

    @property
    def num_cores(self) -> int:
        """Cores of the whole chip."""
        return self.columns * self.rows * self.cores_per_tile

    def event(self, name: str) -> Event:
        """What an event costs; a KeyError is a bug of the caller, not of a file."""
        return dict(self.events)[name]

    def place(self, core: int) -> tuple[int, int]:
        """Column and row of a core's tile."""
        return divmod(core // self.cores_per_tile, self.rows)

    def barrier(self, cores: Iterable[int]) -> float:
        """Seconds that ending a step takes when these cores are in use."""
        tiles = len({core // self.cores_per_tile for core in cores})
        found = [seconds for least, seconds in self.barrier_seconds if least <= tiles]
        return found[-1] if found else 0.0
