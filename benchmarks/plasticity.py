"""A liquid that learns, on one core: CPU seconds a biological second, beside the reference.

    python -m benchmarks.plasticity

1,000 neurons on a grid, 784 inputs, 134,163 synapses with STDP under one astrocyte, steps of 1 ms
(`graph.liquid`). Inputs fire by chance, 5 % a step on average, at rates of their own. Ours and the
reference take turns; the reference runs fewer steps, scaled to a second.
"""

from __future__ import annotations

import time
from statistics import median
from typing import Any

import numpy as np

import netwright as nw
from netwright.graph.interpret import Interpreter
from netwright.graph.liquid import Grid, Learning, liquid, wires
from netwright.run.native import NativeRuntime

STEPS, PIECE, OF_REFERENCE, TURNS = 10_000, 1000, 40, 5


def given(inputs: int) -> np.ndarray:
    """Input spikes [STEPS, 1, inputs]."""
    random = np.random.default_rng(0)
    chance = random.beta(0.2, 3.8, inputs)
    return (random.random((STEPS, 1, inputs)) < chance).astype(np.float32)


def ours(runtime: NativeRuntime, spikes: np.ndarray) -> tuple[float, int]:
    """CPU seconds a biological second, and the liquid's spikes."""
    runtime.reset()
    runtime.execute("start", {})
    spent, fired = 0.0, 0
    for first in range(0, STEPS, PIECE):
        runtime.view("step", "spikes", {})[...] = spikes[first : first + PIECE]
        began = time.process_time()
        runtime.execute("step", {})
        spent += time.process_time() - began
        fired += int(runtime.view("step", "fired", {}).sum())
    return spent * 1000.0 / STEPS, fired


def reference(step: Interpreter, spikes: np.ndarray) -> float:
    """CPU seconds a biological second of the graph's own references."""
    state: dict[str, Any] = {}
    _, state = step({"spikes": spikes[:1]}, {}, state)
    began = time.process_time()
    for row in spikes[1 : 1 + OF_REFERENCE]:
        _, state = step({"spikes": row[None]}, {}, state)
    return (time.process_time() - began) * 1000.0 / OF_REFERENCE


def main() -> None:
    known = wires(Grid((10, 10, 10), 784))
    graph, spikes = liquid(known, 1, Learning()), given(known.inputs)
    program = nw.plan(graph, nw.machine("epyc-7763"), nw.Stream(steps=PIECE)).lower()
    runtime, step = NativeRuntime(program, threads=1), Interpreter(graph)
    turns = [(ours(runtime, spikes), reference(step, spikes)) for _ in range(TURNS)]
    taken, fired = [one[0] for one, _ in turns], turns[0][0][1]
    slow = [two for _, two in turns]
    print(f"{len(known.source)} synapses, {spikes.sum() / STEPS:.1f} input spikes a step")
    print(f"netwright  {median(taken):.4f} ({min(taken):.4f}) s, {fired / STEPS:.1f} spikes a step")
    print(f"reference  {median(slow):.2f} ({min(slow):.2f}) s")


if __name__ == "__main__":
    main()
