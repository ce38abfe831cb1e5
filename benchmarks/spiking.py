"""Spiking networks on one core: CPU seconds a biological second, spikes, predictions and peers.

    python -m benchmarks.spiking [case ...] [--brian2 PYTHON] [--nest PYTHON]

One table: ours against the gates, then the peers that the named interpreters have, with the same
wirings and steps. "Left alone" is the same run cut into pieces of a few milliseconds, each brought
to the least of the probe's gauge, as benchmarks/truth.py does; a plain median stands beside it.
Peers that would take long run a shorter biological time, and are scaled to a second: the table says
how much they ran.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, final

import numpy as np
from benchmarks.spiking_cases import (
    CASES,
    HIDDEN_SPIKES,
    INFERENCE,
    INFERENCE_GATE_SECONDS,
    OUTPUT_SPIKES,
    Case,
    layers,
)
from benchmarks.tables import machine_line, show

import netwright as nw
from netwright.graph.graph import Graph
from netwright.machine.load import machine
from netwright.machine.probe import full
from netwright.machine.probe.door import core
from netwright.machine.probe.undisturbed import (
    Samples,
    Usual,
    gauges_of,
    sensitivity,
    undisturbed,
)
from netwright.plan.make import make_plan
from netwright.run.native import NativeRuntime

STEPS = 10_000
TURNS = 5
PIECE_SECONDS = 2e-3  # between two looks at the gauge
ONE = nw.Limits(threads=1)
# Biological milliseconds of each peer: all take a second of CPU time or more as it is.
BRIAN2_MS = {"cuba-4000": 1000, "cuba-40000": 1000, "coba-4000": 1000, "brunel": 250}
NEST_MS = {"cuba-4000": 1000, "cuba-40000": 100, "coba-4000": 250, "brunel": 100}
HEAD = [
    "network", "who", "CPU s a second: median", "best", "left alone", "gate", "predicted", "error",
    "spikes", "expected", "biological ms",
]  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class Taken:
    """Whole runs, and the pieces of runs with the gauge beside each: [piece][turn]."""

    whole: list[float]
    pieces: list[Samples]

    def alone(self, usual: Usual) -> float:
        """Seconds of a run on a machine left alone."""
        power = sensitivity(self.pieces, usual)
        return sum(median(undisturbed(samples, power, usual)) for samples in self.pieces)


def looked_at(run: Callable[[], None], count: int) -> list[tuple[float, float, float]]:
    """CPU seconds of `count` calls, one after the other, and the slower look at the gauge."""
    found: list[tuple[float, float, float]] = []
    before = core.reference_seconds(True)
    for _ in range(count):
        start = time.process_time()
        run()
        seconds = time.process_time() - start
        after = core.reference_seconds(True)
        found.append((seconds, max(before, after), 0.0))
        before = after
    return found


def _runtime(graph: Graph, steps: int) -> tuple[NativeRuntime, Callable[[], None], Any]:
    """A circuit that runs `steps` steps a call, how it starts anew, and its prediction."""
    plan = make_plan(graph, machine("here"), nw.Stream(steps=steps, limits=ONE))
    runtime = NativeRuntime(plan.lower())
    begins = any(e.name == "start" for e in plan.program.entries)

    def again() -> None:
        runtime.reset()
        if begins:
            runtime.execute("start", {})

    return runtime, again, plan.prediction("step")


def run_case(name: str, case: Case, usual: Usual) -> list[str]:
    """10,000 steps several times, whole and in pieces by turns."""
    graph = case.make()
    whole, start_whole, prediction = _runtime(graph, STEPS)
    share = PIECE_SECONDS / prediction.seconds
    pieces = max(d for d in (1, 2, 5, 10, 20, 50, 100, 200, 500) if d <= max(1.0, 1.0 / share))
    part, start_part, _ = _runtime(graph, STEPS // pieces)
    taken = Taken([], [[] for _ in range(pieces)])
    for turn in range(TURNS + 1):  # the first meets pages that were never touched
        start_whole()
        ((seconds, _, _),) = looked_at(lambda: whole.execute("step", {}), 1)
        start_part()
        samples = looked_at(lambda: part.execute("step", {}), pieces)
        if turn:
            taken.whole.append(seconds)
            for kept, sample in zip(taken.pieces, samples, strict=True):
                kept.append(sample)
    spikes = int(np.unpackbits(whole.view("step", "cells", {})).sum())
    within = abs(spikes / case.spikes - 1) <= case.tolerance
    expected = f"{case.spikes} within {case.tolerance:.1%}: {'yes' if within else 'NO'}"
    return _ours(name, taken, (case.gate_seconds, prediction.seconds), usual, (spikes, expected))


def inference(usual: Usual) -> list[str]:
    """784-1000-10, 100 steps, batch 1; an infer is a piece."""
    graph, x = layers()
    plan = make_plan(graph, machine("here"), nw.Infer(limits=ONE))
    runtime = NativeRuntime(plan.lower())
    out = runtime.call("forward", {"x": x}, {})
    counts = sorted(int(v.sum()) for v in out.values())
    samples = looked_at(lambda: runtime.execute("forward", {}), 400)
    taken = Taken([s[0] for s in samples], [samples])
    within = counts == [OUTPUT_SPIKES, HIDDEN_SPIKES]
    expected = f"{HIDDEN_SPIKES} and {OUTPUT_SPIKES}: {'yes' if within else 'NO'}"
    found = (INFERENCE_GATE_SECONDS, plan.prediction("forward").seconds)
    return _ours(INFERENCE, taken, found, usual, (f"{counts[1]} and {counts[0]}", expected))


def _ours(
    name: str, taken: Taken, times: tuple[float, float], usual: Usual, spikes: tuple[object, str]
) -> list[str]:
    (gate, predicted), alone, middle = times, taken.alone(usual), median(taken.whole)
    return [
        name,
        "netwright",
        _shown(middle),
        _shown(min(taken.whole)),
        _shown(alone),
        f"< {_shown(gate)} {'reached' if middle < gate else 'missed'}",
        _shown(predicted),
        f"{predicted / alone - 1:+.0%}",
        str(spikes[0]),
        spikes[1],
        "100 steps" if name == INFERENCE else "1000",
    ]


def _shown(seconds: float) -> str:
    return f"{1e3 * seconds:.3g} ms" if seconds < 0.01 else f"{seconds:.3g}"


def peer(python: Path, script: str, case: str, milliseconds: int) -> list[str]:
    """A peer's row; it builds first, and prints CPU seconds scaled to a second."""
    file = Path(__file__).with_name(script)
    done = subprocess.run(
        [str(python), str(file), case, str(milliseconds)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        return [case, script, f"failed: {last}", *[""] * (len(HEAD) - 3)]
    found = json.loads(lines[-1])
    seconds = found["cpu_seconds"]
    first = [case, found["peer"], _shown(median(seconds)), _shown(min(seconds))]
    return [*first, "", "", "", "", str(found["spikes"]), "", str(milliseconds)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", help=", ".join([*CASES, INFERENCE]))
    parser.add_argument("--brian2", type=Path, help="a Python that has Brian2")
    parser.add_argument("--nest", type=Path, help="a Python that has NEST")
    asked = parser.parse_args()
    usual = gauges_of(full())
    assert usual is not None, "a full profile keeps its gauges"
    rows: list[list[str]] = []
    for name in asked.cases or [*CASES, INFERENCE]:
        rows.append(inference(usual) if name == INFERENCE else run_case(name, CASES[name], usual))
        if name in CASES and asked.brian2:
            rows.append(peer(asked.brian2, "spiking_brian2.py", name, BRIAN2_MS[name]))
        if name in CASES and asked.nest:
            rows.append(peer(asked.nest, "spiking_nest.py", name, NEST_MS[name]))
    looks = [core.reference_seconds(True) for _ in range(200)]
    print(machine_line())
    print(f"gauge now {median(looks) / usual.reference_seconds:.2f} times the probe's least")
    show("one thread, one biological second in steps of 0.1 ms", HEAD, rows)


if __name__ == "__main__":
    main()
