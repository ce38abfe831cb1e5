"""GPipe: a batch in micro-batches through cells in a row, forward passes done again.

Table 2 is laid beside fill and drain of equal stages, Table 1's sizes beside the same network here.
Then a GPT on Shakespeare, in real processes, cut into 2 and 4 cells and 1 to 8 micro-batches, with
passes done again, must learn what one process learns, and hold what section 2.3 says.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path

import netwright as nw
from netwright.graph.tensor import Role
from netwright.graph.unroll import unrolled
from netwright.graph.zoo import gpt
from netwright.graph.zoo.gpt import GptSizes
from netwright.path.train import Training
from netwright.plan.pipeline.build import build
from netwright.plan.pipeline.times import uniform_times
from netwright.simulate.pipeline import replay
from netwright.study import Claim, Finding, Paper, Study, at_most, exactly, main

TABLE_2 = Path(__file__).with_suffix(".csv")  # normalised throughput on TPUs
TEXT = (Path(__file__).parents[2] / "examples" / "shakespeare.txt").read_bytes()
SEQUENCES, TOKENS, WIDTH = 8, 64, 128  # a batch, each of its sequences, an activation
LAYERS = {3: 282.2e6, 13: 785.8e6, 103: 5.3e9, 415: 21.0e9, 1663: 83.9e9}  # Table 1
SMALL = "a GPT of 0.9 million parameters, processes on one host"
MANY = Claim(
    "Transformer-48 at 32 micro-batches, 2, 4 and 8 cells: largest error of fill and drain alone",
    "Table 2", 0.0, at_most(0.10),
)  # fmt: skip
ALL = Claim(
    "Transformer-48, nine cells of the table: those that fill and drain alone give within 10 %",
    "Table 2", 9, exactly(9),
    fails="at 4 micro-batches it prints 3.2 and 4.8 where fill and drain of equal cells give 2.3"
    " and 2.9, and at 1 it grows to 1.3 with cells that never run beside each other: more changes"
    " from cell to cell than the number of stages, and what it is cannot be read off the table",
)  # fmt: skip
SIZES = Claim(
    "parameters of the Transformer with 3 to 1,663 layers: largest difference",
    "Table 1", 0.0, at_most(0.01),
)  # fmt: skip
EQUAL = Claim(
    "losses with 2 and 4 cells, 1, 4 and 8 micro-batches, passes done again: largest relative"
    " difference from one process",
    "section 2.2 (gradients do not depend on the partition)", 0.0, at_most(1e-5), smaller=SMALL,
)  # fmt: skip
HELD = Claim(
    "peak activations of each of four processes, 8 micro-batches: largest difference from inputs of"
    " all and the rest of one micro-batch",
    "section 2.3: O(N + L / K N / M)", 0.0, at_most(0.10), smaller=SMALL,
)  # fmt: skip


def speed_up(stages: int, microbatches: int) -> float:
    """Of 2 stages and 1 micro-batch; backward is forward again, B and W: three times as long."""

    def seconds(p: int, m: int) -> float:
        unit = 1.0 / (p * m)
        times = uniform_times(p, (unit, 2 * unit, unit, 0.0))
        return replay(build("gpipe", p, m, times), times).seconds

    return seconds(2, 1) / seconds(stages, microbatches)


def parameters(layers: int) -> int:
    """Of the paper's Transformer-L, 2048 wide, 32 heads, 32 thousand words."""

    def count(depth: int) -> int:
        graph = unrolled(gpt(GptSizes(32000, 2048, depth, 32, 1024, 1, tied=False), seed=None))
        weights = (t for t in graph.tensors if t.role is Role.WEIGHT)
        return sum(math.prod(e for e in t.shape if isinstance(e, int)) for t in weights)

    return count(1) + (layers - 1) * (count(2) - count(1))


def trained(workers: int, microbatches: int, steps: int, recompute: bool) -> Training:
    """A training by GPipe; the batch is the same whatever the micro-batches are."""
    batch = SEQUENCES // microbatches
    sizes = GptSizes(256, WIDTH, layers=4, heads=4, tokens=TOKENS, batch=batch, tied=False)
    job = nw.Train(steps, microbatches, workers, "gpipe", recompute=recompute)
    found = nw.train(gpt(sizes), nw.machine("raspberry-pi-5"), job, TEXT)
    assert found is not None
    return found


def held(training: Training) -> list[int]:
    """The most bytes of activations that every process held in the last step."""
    samples = training.steps[-1].memory
    workers = sorted({one.memory for one in samples})
    return [max(s.used_bytes for s in samples if s.memory == w) for w in workers]


def off_the_rule(workers: int) -> Iterator[float]:
    """Of every process: what it held over the inputs of all and all else of one micro-batch."""
    plain, again = (held(trained(workers, SEQUENCES, 2, r)) for r in (False, True))
    words, activation = SEQUENCES * TOKENS * 8, SEQUENCES * TOKENS * WIDTH * 4
    inputs = [words, *[activation] * (workers - 2), activation + words]
    for whole, less, kept in zip(plain, again, inputs, strict=True):
        yield less / (kept + whole / SEQUENCES) - 1


def show(full: bool) -> Iterator[Finding | str]:
    """Reduced: two processes, three steps, one cut."""
    with TABLE_2.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    errors: dict[tuple[int, int], float] = {}
    for row in rows:
        size = int(row["stages"]), int(row["microbatches"])
        errors[size] = speed_up(*size) / float(row["transformer48"]) - 1
        yield f"K={size[0]} M={size[1]}: printed {row['transformer48']}, {speed_up(*size):.3f}"
    yield MANY.shown(max(abs(errors[k, 32]) for k in (2, 4, 8)))
    yield ALL.shown(sum(abs(one) <= 0.10 for one in errors.values()))
    wrong = [parameters(layers) / printed - 1 for layers, printed in LAYERS.items()]
    yield SIZES.shown(max(map(abs, wrong)), ", ".join(f"{100 * one:+.2f} %" for one in wrong))
    steps = 20 if full else 3
    alone = trained(1, 1, steps, False).losses
    differences: list[float] = []
    for workers, microbatches in [(k, m) for k in (2, 4) for m in (1, 4, 8)] if full else [(2, 8)]:
        losses = trained(workers, microbatches, steps, True).losses
        differences.append(max(abs(a / b - 1) for a, b in zip(losses, alone, strict=True)))
        yield f"{workers} cells, {microbatches} micro-batches: differs by {differences[-1]:.1e}"
    yield EQUAL.shown(max(differences), f"loss {alone[0]:.3f} falls to {alone[-1]:.3f}")
    off = list(off_the_rule(4 if full else 2))
    yield HELD.shown(max(map(abs, off)), ", ".join(f"{100 * one:+.1f} %" for one in off))


study = Study(
    paper=Paper(
        title="GPipe: Efficient Training of Giant Neural Networks using Pipeline Parallelism",
        authors="Huang, Cheng, Bapna, Firat, Chen, Chen, Lee, Ngiam, Le, Wu, Chen",
        year=2019,
        venue="NeurIPS",
        link="https://arxiv.org/abs/1811.06965",
    ),
    shows="Table 2 by fill and drain, Table 1's sizes, and a real GPT whose cut changes no result.",
    scale="Simulated at the paper's cells; trained with 0.9 million parameters on 2 processors.",
    claims=(MANY, ALL, SIZES, EQUAL, HELD),
    show=show,
    differences=(
        "Cells take equal time, messages none; AmoebaNet is left out, and no speed-up is measured.",
    ),
    needs=("torch",),
)

if __name__ == "__main__":
    main(study)
