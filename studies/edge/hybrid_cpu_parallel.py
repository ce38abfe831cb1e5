"""A dynamic parallel method for hybrid CPUs: shares by measured speed, and parts that are claimed.

The paper splits a kernel before it starts, in proportion to what each core did last time. Netwright
cuts it into fixed parts that free cores claim. Both are played on simulated hybrid CPUs, with the
parts that the planner cuts; speeds differ a little from region to region. Claims also run on two
cores here, beside what the two do with a product each.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import fmean, median

import numpy as np

from netwright.errors import RunError
from netwright.graph.build import Builder
from netwright.graph.ops.linear import Linear
from netwright.job.job import Infer, Limits
from netwright.machine.load import library_machine
from netwright.plan.make import make_plan
from netwright.program.program import Program
from netwright.run.native import NativeRuntime
from netwright.simulate.split import Ratios, claimed, cut, ideal_seconds
from netwright.study import Claim, Finding, Paper, Study, at_least, main

KEPT = 0.3  # weight of the old ratios
NOISE = 0.05  # of a core's speed from region to region (standard deviation of its logarithm)
BYTES = 32e6
# Speeds of cores alone (bytes a second) and what they share: the paper's two shapes, our figures.
CHIPS = {
    "8 + 8 cores": ([20e9] * 8 + [8e9] * 8, 76e9),
    "4 + 8 + 2 cores": ([20e9] * 4 + [9e9] * 8 + [3e9] * 2, 90e9),
    "8 + 8 cores, arithmetic": ([3e9] * 8 + [1e9] * 8, float("inf")),
}

SIMULATED, USED = "simulated cores, speeds ours", "of all speeds or the bandwidth used"
BY_RATIO = Claim(f"{USED}, shares by ratio", "abstract", 0.9, at_least(0.9), smaller=SIMULATED)
BY_CLAIMS = Claim(f"{USED}, claimed as planned", "ours", 0.9, at_least(0.9), smaller=SIMULATED)
# Of what two cores do side by side, each alone with a product of its own: the best there can be.
HERE = "two equal cores of this machine, fp32"
PRODUCTS = {"arithmetic": (512, 2048, 2048), "bandwidth": (1, 8192, 8192)}
OF = "of two cores side by side"
REAL = {
    name: Claim(f"{OF}, {name}", "abstract", 0.9, at_least(0.9), "1", HERE, clock=True)
    for name in PRODUCTS
}


def planned(rows: int, inputs: int, outputs: int, form: type[np.generic], cores: int) -> Program:
    """A product with a weight in this format, for so many cores."""
    b = Builder("product")
    x = b.input("x", (("t", rows), ("k", inputs)))
    w = b.weight("w", (("n", outputs), ("k", inputs)), data=(np.ones((outputs, inputs), form),))
    graph, job = b.finish((b.add(Linear(), (x, w)),)), Infer(limits=Limits(threads=cores))
    return make_plan(graph, library_machine("epyc-7763"), job).program


def simulated(speeds: Sequence[float], capacity: float, regions: int) -> tuple[float, ...]:
    """Mean share of the ideal: by ratio after three regions to learn, claimed, equal."""
    rng = np.random.default_rng(7)
    ratios = Ratios.even(len(speeds))
    program = planned(512, 2048, 2048, np.float32, len(speeds))
    parts = max(task.parts for task in program.entries[0].tasks)
    shares: list[tuple[float, ...]] = []
    for region in range(regions + 3):
        now = [float(s * rng.lognormal(0.0, NOISE)) for s in speeds]
        ideal = ideal_seconds(BYTES, now, capacity)
        split = cut(ratios.shares(BYTES), now, capacity)
        claims = claimed(BYTES, parts, now, capacity)
        equal = cut(Ratios.even(len(speeds)).shares(BYTES), now, capacity)
        ratios = ratios.after(split.seconds, KEPT)
        if region >= 3:
            shares.append(tuple(ideal / each.span_seconds for each in (split, claims, equal)))
    return tuple(fmean(column) for column in zip(*shares, strict=True))


def loaded(rows: int, inputs: int, outputs: int, cores: int) -> NativeRuntime:
    """The product, run once."""
    runtime = NativeRuntime(planned(rows, inputs, outputs, np.float32, cores), cores)
    runtime.call("forward", {"x": np.ones((rows, inputs), np.float32)}, {})
    return runtime


def rate(runtime: NativeRuntime, seconds: float, core: int | None = None) -> float:
    """Products a second, of a thread that may be held on a core."""
    if core is not None:
        os.sched_setaffinity(0, {core})
    calls, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        runtime.execute("forward", {})
        calls += 1
    return calls / spent


def real(name: str, full: bool) -> Iterator[Finding | str]:
    """Two threads that claim parts, in turns with two that have a product each."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        raise RunError("this study needs two processors")
    sizes, seconds = (PRODUCTS[name], 0.2) if full else ((64, 256, 256), 0.01)
    alone, two = [loaded(*sizes, 1) for _ in cores], loaded(*sizes, 2)
    turns: list[tuple[float, float]] = []
    for _ in range(41 if full else 1):
        with ThreadPoolExecutor(2) as pool:
            best = sum(pool.map(rate, alone, (seconds, seconds), cores))
        turns.append((rate(two, seconds), best))
    shares = sorted(ours / best for ours, best in turns)
    yield f"{name}: {median(t[0] for t in turns):.1f} of {median(t[1] for t in turns):.1f} products"
    yield REAL[name].shown(median(shares), f"turns: {shares[0]:.2f} to {shares[-1]:.2f}")


def show(full: bool) -> Iterator[Finding | str]:
    """Reduced: fewer regions."""
    found: list[tuple[float, ...]] = []
    for name, (speeds, capacity) in CHIPS.items():
        found.append(simulated(speeds, capacity, 200 if full else 20))
        yield "{}: ratio {:.3f}, claimed {:.3f}, equal {:.3f} of ideal".format(name, *found[-1])
    yield BY_RATIO.shown(fmean(each[0] for each in found))
    yield BY_CLAIMS.shown(fmean(each[1] for each in found))
    for name in PRODUCTS:
        yield from real(name, full)


study = Study(
    paper=Paper(
        title="A dynamic parallel method for performance optimization on hybrid CPUs",
        authors="Luo Yu, Liu Yucheng, Shen Haihao",
        year=2024,
        venue="arXiv",
        link="https://arxiv.org/abs/2411.19542",
    ),
    shows="Shares by ratio and claimed parts on simulated hybrid CPUs; claims on two real cores.",
    scale="Simulated: 14 and 16 unequal cores. Real: two equal ones, from caches and from memory.",
    claims=(BY_RATIO, BY_CLAIMS, *REAL.values()),
    show=show,
    differences=(
        "The paper measures 4-bit language models on two Intel chips; their speeds are not known.",
        "Netwright runs claims, not ratios: equal parts need no table and keep their bits.",
        "Real cores here are equal; unequal ones are simulated. Neighbours of the host disturb both"
        " sides of a turn.",
    ),
)

if __name__ == "__main__":
    main(study)
