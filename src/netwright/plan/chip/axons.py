"""Axons: for every neuron the cores that listen to it, and the synapses that it has there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.machine.spiking import SpikingMesh
from netwright.plan.chip.wiring import Wiring

Narrow: TypeAlias = NDArray[np.int32]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Axons:
    """Axons of neuron n are `start[n]` to `start[n + 1]`: the core, its synapses, their kind.

    `home` is a neuron's core, -1 outside; hops are those of one packet to every listening core.
    """

    start: NDArray[np.int64]
    core: Narrow
    synapses: Narrow
    kind: NDArray[np.int8]
    home: Narrow
    column_hops: NDArray[np.int64]
    row_hops: NDArray[np.int64]


def axons(wiring: Wiring, home: Narrow, mesh: SpikingMesh) -> Axons:
    """The axons when neuron n is on core `home[n]`; packets go along columns and rows.

    Neurons outside send from the tile in column 0, row 0.
    """
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
    tile = np.array([mesh.place(c) for c in range(cores)], dtype=np.int64)
    at = np.where(home[source] < 0, 0, home[source])
    apart = np.abs(tile[core] - tile[at])
    hops = [np.bincount(source, apart[:, k], minlength=wiring.size) for k in (0, 1)]
    starts = np.concatenate(([0], np.cumsum(np.bincount(source, minlength=wiring.size))))
    return Axons(
        starts.astype(np.int64),
        core.astype(np.int32),
        count.astype(np.int32),
        (key % kinds).astype(np.int8),
        home,
        hops[0].astype(np.int64),
        hops[1].astype(np.int64),
    )
