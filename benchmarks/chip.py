"""The chip simulator beside SANA-FE: its published energies, and packets a second.

    python -m benchmarks.chip

Energies and time: the two runs of SANA-FE 2.2.9 on its Loihi (simple timing; neurons of threshold 1
with a bias, random fan-out from Python's generator with seed 0), within 1e-12. Speed: the second
network for many steps in which a share of the neurons fires; counted is what follows the spikes
(events by core and step, energy, time), on one thread. SANA-FE's own speed on these networks was
about 1 M packets a second.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import TypeAlias, final

import numpy as np
from benchmarks.tables import machine_line, show
from numpy.typing import NDArray

from netwright.cost.spiking import pay
from netwright.graph.ops.neuron import If
from netwright.graph.ops.neuron_rule import Discretisation, Reset
from netwright.graph.tensor import TensorId
from netwright.machine.load import machine
from netwright.machine.spiking import SpikingMesh
from netwright.plan.chip.axons import Axons, axons
from netwright.plan.chip.synapse import SPARSE, Population, Projection, Wiring
from netwright.simulate.chip import happened, trace_of

CORES, TURNS, LONG_STEPS, FIRING = 128, 7, 2000, 0.05
CLAIMED_ERROR, CLAIMED_PACKETS = 1e-12, 10e6
PARTS = ("synapses J", "somas J", "network J", "all J", "seconds")

Homes: TypeAlias = NDArray[np.int32]


@final
@dataclass(frozen=True, slots=True)
class Golden:
    """A run as SANA-FE 2.2.9 reports it; joules of synapses, somas, network, all; seconds."""

    neurons: int
    fan_out: int
    steps: int
    bias: float
    packets: int
    figures: tuple[float, float, float, float, float]


GOLDEN = (
    Golden(
        1024, 32, 50, 0.05, 58282,
        (2.2020096e-06, 3.8692864e-06, 7.2331884e-06, 1.33044844e-05, 0.0001051452),
    ),
    Golden(
        4096, 64, 25, 0.1, 414282,
        (1.76160768e-05, 8.0224256e-06, 5.14176144e-05, 7.70561168e-05, 0.0001266832),
    ),
)  # fmt: skip


def wired(neurons: int, fan_out: int, mesh: SpikingMesh) -> tuple[Axons, Homes]:
    """The recipe's wiring, neurons evenly over the cores."""
    random.seed(0)
    target = np.array([random.randrange(neurons) for _ in range(neurons * fan_out)])
    source = np.repeat(np.arange(neurons), fan_out)
    everyone = Population("hidden", TensorId(0), 0, neurons, False)
    wires = Wiring((everyone,), (Projection(source, target, SPARSE),))
    home = (np.arange(neurons) * CORES // neurons).astype(np.int32)
    return axons(wires, home, mesh), home


def energies(golden: Golden, mesh: SpikingMesh) -> list[str]:
    """Our figures against theirs: the largest relative difference of each."""
    kind = If(1.0, Discretisation(1.0, reset=Reset.ZERO))
    current = np.full((golden.steps, 1, golden.neurons), golden.bias)
    spikes = kind.reference([current, None])[0]
    events = happened(trace_of([spikes]), *wired(golden.neurons, golden.fan_out, mesh), mesh)
    found = pay(mesh, events)
    joules = [found.synapse_joules.sum(), found.soma_joules.sum(), found.network_joules.sum()]
    ours = [float(x) for x in (*joules, sum(joules), found.step_seconds.sum())]
    apart = [abs(a / b - 1) for a, b in zip(ours, golden.figures, strict=True)]
    same = int(events.packets_in.sum()) == golden.packets
    verdict = "reached" if same and max(apart) < CLAIMED_ERROR else "missed"
    name = f"{golden.neurons} neurons, fan-out {golden.fan_out}, {golden.steps} steps"
    return [name, f"{golden.packets}: {'yes' if same else 'NO'}", *map(_small, apart), verdict]


def _small(difference: float) -> str:
    return f"{difference:.0e}" if difference else "0"


def speed(mesh: SpikingMesh) -> list[list[str]]:
    """Packets a CPU second, median and best of several turns."""
    wires, home = wired(GOLDEN[1].neurons, GOLDEN[1].fan_out, mesh)
    shape = (LONG_STEPS, 1, GOLDEN[1].neurons)
    spikes = (np.random.default_rng(0).random(shape) < FIRING).astype(np.float32)
    trace = trace_of([spikes])
    events = happened(trace, wires, home, mesh)
    packets = int(events.packets_in.sum())
    stages: tuple[tuple[str, Callable[[], object]], ...] = (
        ("events, energy and time", lambda: pay(mesh, happened(trace, wires, home, mesh))),
        ("and the trace, out of dense spikes", lambda: whole()),
    )

    def whole() -> object:
        return pay(mesh, happened(trace_of([spikes]), wires, home, mesh))

    rows: list[list[str]] = []
    for name, run in stages:
        taken: list[float] = []
        for _ in range(TURNS):
            start = time.process_time()
            run()
            taken.append(time.process_time() - start)
        middle = packets / median(taken)
        verdict = "reached" if middle >= CLAIMED_PACKETS else "missed"
        rows.append(
            [name, str(packets), _millions(middle), _millions(packets / min(taken)), verdict]
        )
    return rows


def _millions(rate: float) -> str:
    return f"{rate / 1e6:.0f} M"


def main() -> None:
    mesh = machine("loihi").spiking
    assert mesh is not None
    print(machine_line())
    head = ["run", "packets, as theirs", *PARTS, f"< {CLAIMED_ERROR:.0e}"]
    show("relative differences to SANA-FE 2.2.9", head, [energies(g, mesh) for g in GOLDEN])
    head = ["what", "packets", "a CPU second: median", "best", f">= {_millions(CLAIMED_PACKETS)}"]
    show(f"{GOLDEN[1].neurons} neurons, {LONG_STEPS} steps, {FIRING:.0%} fire", head, speed(mesh))


if __name__ == "__main__":
    main()
