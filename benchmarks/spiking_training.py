"""Training one spiking layer: Linear(n, n) + LIF, batch 16, 500 steps, forward and backward.

The definition is Open Neuromorphic's benchmark of spiking libraries; with --common all libraries
have the same dynamics (decay 0.95, threshold 1, subtracting reset, input as it is), where the
neurons do spike. Processor seconds of a step on one thread. Every library has a process of its own,
and all take turns. The gauge of the probe is looked at before and after the product, the neurons
and the weights' gradient; "left alone" is each of the three brought to the gauge's least, as
benchmarks/truth.py does. Run by a Python that has torch and the peers:

    python -m benchmarks.spiking_training --neurons 1024 --turns 9
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from statistics import median
from typing import final

import numpy as np
from benchmarks.tables import machine_line, show
from benchmarks.workers.protocol import OURS, Answer, Worker, WorkerError
from benchmarks.workers.training import BATCH, CONTESTANTS, STEPS

from netwright.machine.probe.undisturbed import (
    LEAST_SHARE,
    Samples,
    Usual,
    sensitivity,
    undisturbed,
)

GATES = {(1024, False): 0.50, (256, False): 0.08}  # seconds a step, by neurons and same dynamics
WARM_UPS = 3  # steps until the allocators have settled
SLICES = 3


@final
@dataclass(frozen=True, slots=True)
class Measured:
    """A contestant's steps: slices [step][slice] = (seconds, gauge); spikes a neuron and step."""

    name: str
    steps: list[list[tuple[float, float]]]
    rate: float

    @property
    def seconds(self) -> list[float]:
        """Of each step."""
        return [sum(s for s, _ in step) for step in self.steps]

    def cells(self, usual: Usual, product: float, gate: float | None) -> list[str]:
        """One line of the table; `product` is the bare Linear's median."""
        slices: list[Samples] = [[(*s[i], 0.0) for s in self.steps] for i in range(SLICES)]
        power = sensitivity(slices, usual)
        alone = sum(median(undisturbed(samples, power, usual)) for samples in slices)
        share = usual.num_alone([s for samples in slices for s in samples]) / (
            SLICES * len(self.steps)
        )
        middle = median(self.seconds)
        kept = gate is not None and self.name == "netwright"
        return [
            self.name,
            f"{middle:.3f}",
            f"{min(self.seconds):.3f}",
            f"{alone:.3f}",
            f"{share:.0%}",
            f"{middle - product:+.3f}",
            ("reached" if middle < (gate or 0) else "missed") if kept else "",
            "" if self.name == "bare Linear" else f"{100 * self.rate:.2f} %",
        ]


def measure(names: list[str], neurons: int, common: bool, turns: int) -> list[Measured]:
    """All contestants in turn; one that is missing is left out, and that is said."""
    running: dict[str, Worker] = {}
    steps: dict[str, list[Answer]] = {}
    arguments = [str(neurons), *(["common"] if common else [])]
    try:
        for name in names:
            try:
                worker = Worker(OURS, "benchmarks.workers.training", name, arguments)
            except WorkerError as error:
                print(f"{name}: left out ({error})")
                continue
            running[name] = worker
            for _ in range(WARM_UPS):
                worker.ask({})
        for _ in range(turns):
            for name, worker in running.items():
                steps.setdefault(name, []).append(worker.ask({}))
    finally:
        for worker in running.values():
            worker.close()
    return [
        Measured(name, [[(s[0], s[1]) for s in a["slices"]] for a in answers], answers[-1]["rate"])
        for name, answers in steps.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--neurons", type=int, default=1024)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--only", nargs="*", default=list(CONTESTANTS))
    parser.add_argument("--common", action="store_true", help="the same dynamics for all")
    given = parser.parse_args()
    found = measure(given.only, given.neurons, given.common, given.turns)
    gauges = [gauge for each in found for step in each.steps for _, gauge in step]
    usual = Usual(float(np.quantile(gauges, LEAST_SHARE)), 0.0)
    bare = [median(each.seconds) for each in found if each.name == "bare Linear"]
    gate = GATES.get((given.neurons, given.common))
    print(machine_line())
    print(f"gauge: least {1e6 * usual.reference_seconds:.1f} us, median {1e6 * median(gauges):.1f}")
    kind = "the same dynamics" if given.common else "each library's parameters"
    n = given.neurons
    show(
        f"Linear({n}, {n}) + LIF, batch {BATCH}, {STEPS} steps, {kind}: CPU s of a training step",
        [
            "library", "median", "best", "left alone", "slices left alone", "beside bare Linear",
            "" if gate is None else f"gate < {gate:.2f}", "spikes",
        ],
        [each.cells(usual, bare[0] if bare else 0.0, gate) for each in found],
    )  # fmt: skip


if __name__ == "__main__":
    main()
