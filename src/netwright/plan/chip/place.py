"""Place: neurons on cores, as many to a core as its limits allow, in the order of the network.

Every limit of a core (neurons, synapses, axons in) grows with the neurons on it, so filling each
core before the next is begun uses the fewest cores of all cuts in this order. No mapping at all can
use fewer than neurons or synapses together need.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.machine.spiking import SpikingMesh
from netwright.plan.certificate import Certificate
from netwright.plan.chip.synapse import Wiring
from netwright.plan.infeasible import Infeasible, Lever, Term

Narrow: TypeAlias = NDArray[np.int32]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """The core of every neuron (-1: outside), how many cores that takes, and whether fewer could.

    `infeasible` says what does not fit; `home` is then not to be used.
    """

    home: Narrow
    cores: int
    certificate: Certificate
    infeasible: Infeasible | None


@final
@dataclass(frozen=True, slots=True, eq=False)
class Demand:
    """What each neuron inside asks of its core: synapses, and who it listens to (CSR)."""

    synapses: NDArray[np.int64]
    start: NDArray[np.int64]
    source: NDArray[np.int64]


def demand(wiring: Wiring) -> Demand:
    """Synapses and sources of the neurons inside, in order."""
    outside, size = wiring.outside, wiring.size
    none = np.zeros(0, np.int64)
    target = np.concatenate([none, *(p.target for p in wiring.projections)]) - outside
    source = np.concatenate([none, *(p.source for p in wiring.projections)])
    order = np.argsort(target, kind="stable")
    synapses = np.bincount(target, minlength=size - outside)
    start = np.concatenate(([0], np.cumsum(synapses))).astype(np.int64)
    return Demand(synapses, start, source[order])


def place(wiring: Wiring, mesh: SpikingMesh, core_bytes: int) -> Placement:
    """Fills core after core; `core_bytes` is the memory that a core has for synapses.

    Where a core would then send to more pairs than it can, its neurons are spread over more cores.
    """
    asked = demand(wiring)
    most = core_bytes * 8 // mesh.synapse_bits
    neurons, total = len(asked.synapses), int(asked.synapses.sum())
    bound = max(-(-neurons // mesh.neurons), -(-total // most), 1)
    method = "each core filled before the next; bound: neurons and synapses of all cores together"
    home, cores = _filled(asked, wiring, mesh, most)
    over = _alone(asked, mesh, most) or _too_many(cores, mesh, wiring)
    if over is None:
        over = _axons_out(wiring, home, mesh)
        spread = cores
        while over is not None and spread < mesh.num_cores:
            spread = min(mesh.num_cores, max(spread + 1, spread * 9 // 8))
            fewer = replace(mesh, neurons=-(-neurons // spread))
            trial, used = _filled(asked, wiring, fewer, most)
            if used <= mesh.num_cores and _axons_out(wiring, trial, mesh) is None:
                home, cores, over = trial, used, None
                method = (
                    f"at most {fewer.neurons} neurons a core, so that their axons out fit; "
                    + ("bound: neurons and synapses of all cores together")
                )
    certificate = Certificate("cores", float(cores), float(bound), method, cores == bound)
    return Placement(home, cores, certificate, over)


def _filled(asked: Demand, wiring: Wiring, mesh: SpikingMesh, most: int) -> tuple[Narrow, int]:
    """The core of every neuron in order, and how many cores that takes."""
    home = np.full(wiring.size, -1, np.int32)
    fill = _Fill(wiring.size, mesh, most)
    core = 0
    for neuron in range(len(asked.synapses)):
        listened = asked.source[asked.start[neuron] : asked.start[neuron + 1]]
        if not fill.take(len(listened), listened):
            core += 1
            fill.begin()
            fill.take(len(listened), listened)
        home[wiring.outside + neuron] = core
    return home, core + 1


class _Fill:
    """What the core that is being filled holds already."""

    def __init__(self, size: int, mesh: SpikingMesh, most_synapses: int) -> None:
        self._mesh, self._most = mesh, most_synapses
        self._heard_by = np.full(size, -1, np.int64)
        self._core = -1
        self.begin()

    def begin(self) -> None:
        self._core += 1
        self._neurons = self._synapses = self._axons = 0

    def take(self, synapses: int, sources: NDArray[np.int64]) -> bool:
        """Adds a neuron; False when it does not fit beside those that are there."""
        new = np.unique(sources[self._heard_by[sources] != self._core])
        full = (
            self._neurons + 1 > self._mesh.neurons
            or self._synapses + synapses > self._most
            or self._axons + len(new) > self._mesh.axons_in
        )
        if full and self._neurons:
            return False
        self._heard_by[new] = self._core
        self._neurons += 1
        self._synapses += synapses
        self._axons += len(new)
        return True


def _alone(asked: Demand, mesh: SpikingMesh, most: int) -> Infeasible | None:
    """A single neuron that no core can hold."""
    worst = int(asked.synapses.max(initial=0))
    limit = min(most, mesh.axons_in)
    if worst <= limit:
        return None
    levers = (Lever("neurons with fewer inputs (sparser or grouped weights)", float(limit)),)
    what = "synapses of one neuron"
    return Infeasible(what, worst, limit, "synapses", (Term("largest fan-in", worst),), levers)


def _too_many(cores: int, mesh: SpikingMesh, wiring: Wiring) -> Infeasible | None:
    if cores <= mesh.num_cores:
        return None
    terms = (Term(f"{wiring.size - wiring.outside} neurons", float(cores)),)
    levers = (Lever("a machine with as many cores", float(cores)),)
    return Infeasible("cores", cores, mesh.num_cores, "cores", terms, levers)


def _axons_out(wiring: Wiring, home: Narrow, mesh: SpikingMesh) -> Infeasible | None:
    pairs = [np.zeros(0, np.int64)]
    for projection in wiring.projections:
        inside = home[projection.source] >= 0
        listener = home[projection.target[inside]].astype(np.int64)
        pairs.append(projection.source[inside] * np.int64(1 << 20) + listener)
    source = np.unique(np.concatenate(pairs)) >> 20
    count = np.bincount(home[source], minlength=1) if len(source) else np.zeros(1, np.int64)
    worst = int(count.max())
    if worst <= mesh.axons_out:
        return None
    terms = (Term(f"core {int(count.argmax())}", float(worst)),)
    levers = (Lever("fewer neurons a core, or fewer cores that listen", float(mesh.axons_out)),)
    return Infeasible("axons out of one core", worst, mesh.axons_out, "axons", terms, levers)
