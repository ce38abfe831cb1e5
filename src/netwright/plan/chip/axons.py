"""Axons: for every neuron the cores that listen to it, and the synapses that it has there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.machine.spiking import SpikingMesh
from netwright.plan.chip.synapse import Wiring

Narrow: TypeAlias = NDArray[np.int32]
Hops: TypeAlias = NDArray[np.int64]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Axons:
    """Axons of neuron n are `start[n]` to `start[n + 1]`: the core, its synapses, their kind."""

    start: NDArray[np.int64]
    core: Narrow
    synapses: Narrow
    kind: NDArray[np.int8]


def axons(wiring: Wiring, home: Narrow, mesh: SpikingMesh) -> Axons:
    """The axons when neuron n is on core `home[n]`."""
    cores, kinds = mesh.num_cores, 3
    counted = [np.zeros(0, np.int64)]
    number = [np.zeros(0, np.int64)]
    for projection in wiring.projections:
        listener = home[projection.target].astype(np.int64)
        key = (projection.source * cores + listener) * kinds + projection.kind
        found, count = np.unique(key, return_counts=True)
        counted.append(found)
        number.append(count)
    key, order = np.unique(np.concatenate(counted), return_inverse=True)
    count = np.bincount(order, np.concatenate(number), minlength=len(key)).astype(np.int64)
    source, core = np.divmod(key // kinds, cores)
    starts = np.concatenate(([0], np.cumsum(np.bincount(source, minlength=wiring.size))))
    core = core.astype(np.int32)
    return Axons(
        starts.astype(np.int64), core, count.astype(np.int32), (key % kinds).astype(np.int8)
    )


def hops(axons: Axons, home: Narrow, mesh: SpikingMesh) -> tuple[Hops, Hops]:
    """Columns and rows that the packets of one spike of each neuron go along, all of them together.

    Neurons outside (home -1) send from the tile in column 0, row 0.
    """
    tile = np.array([mesh.place(c) for c in range(mesh.num_cores)], dtype=np.int64)
    source = np.repeat(np.arange(len(home)), np.diff(axons.start))
    at = np.where(home[source] < 0, 0, home[source])
    apart = np.abs(tile[axons.core] - tile[at])
    found = [np.bincount(source, apart[:, k], minlength=len(home)) for k in (0, 1)]
    return found[0].astype(np.int64), found[1].astype(np.int64)
