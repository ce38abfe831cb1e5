"""A dynamic parallel method for hybrid CPUs: shares by measured speed, and parts that are claimed.

The paper splits a kernel before it starts, in proportion to what each core did last time. Netwright
cuts it into fixed parts that free cores claim. Both are played on simulated hybrid CPUs, with the
parts that the planner cuts; speeds differ a little from region to region.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

import numpy as np

from netwright.graph.build import Builder
from netwright.graph.ops.linear import Linear
from netwright.job.job import Infer, Limits
from netwright.machine.load import library_machine
from netwright.plan.make import make_plan
from netwright.program.program import Program
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


def show(full: bool) -> Iterator[Finding | str]:
    """Reduced: fewer regions."""
    found: list[tuple[float, ...]] = []
    for name, (speeds, capacity) in CHIPS.items():
        found.append(simulated(speeds, capacity, 200 if full else 20))
        yield "{}: ratio {:.3f}, claimed {:.3f}, equal {:.3f} of ideal".format(name, *found[-1])
    yield BY_RATIO.shown(fmean(each[0] for each in found))
    yield BY_CLAIMS.shown(fmean(each[1] for each in found))


study = Study(
    paper=Paper(
        title="A dynamic parallel method for performance optimization on hybrid CPUs",
        authors="Luo Yu, Liu Yucheng, Shen Haihao",
        year=2024,
        venue="arXiv",
        link="https://arxiv.org/abs/2411.19542",
    ),
    shows="Shares by measured ratio and claimed parts, on simulated hybrid CPUs.",
    scale="Simulated: 14 and 16 unequal cores, with and without a bandwidth that they share.",
    claims=(BY_RATIO, BY_CLAIMS),
    show=show,
    differences=(
        "The paper measures 4-bit language models on two Intel chips; their speeds are not known.",
        "Netwright runs claims, not ratios: equal parts need no table and keep their bits.",
        "On real cores it is not shown: tries on a busy machine gave 0.31 of the bandwidth with two"
        " threads and 0.43 with one core loaded, both below 0.9; why is not known (in the first,"
        " fp32 weights were counted as 16 bits).",
    ),
)

if __name__ == "__main__":
    main(study)
