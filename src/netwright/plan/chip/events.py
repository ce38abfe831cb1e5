"""Events by expectation: what every core does in a step when neurons fire as often as declared."""

from __future__ import annotations

import numpy as np

from netwright.cost.spiking import SYNAPSES, Happened
from netwright.machine.spiking import SpikingMesh
from netwright.plan.chip.axons import hops
from netwright.plan.chip.flat import Chip


def expected(chip: Chip, mesh: SpikingMesh) -> Happened:
    """One step of mean events: [1, cores]."""
    axons, home, cores = chip.axons, chip.home, mesh.num_cores
    density = np.concatenate([np.full(p.size, p.density) for p in chip.parts])
    inside = home >= 0

    def by_core(core: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return np.bincount(core, weights, minlength=cores)[None, :cores]

    each = np.diff(axons.start)
    sender = np.repeat(np.arange(len(home)), each)
    column, row = hops(axons, home, mesh)
    at = np.maximum(home, 0)
    kinds = [
        by_core(axons.core, density[sender] * axons.synapses * (axons.kind == kind))
        for kind in range(len(SYNAPSES))
    ]
    return Happened(
        np.bincount(home[inside], minlength=cores),
        by_core(home[inside], density[inside]),
        by_core(home[inside], (density * each)[inside]),
        by_core(axons.core, density[sender]),
        np.stack(kinds, axis=-1),
        by_core(at, density * column),
        by_core(at, density * row),
    )
