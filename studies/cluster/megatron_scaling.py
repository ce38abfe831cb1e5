"""Megatron-LM at scale: tensor x pipeline x data, predicted without a figure of the paper's.

Products by tile and wave, the rest by bytes, collectives by ring: constants are the library's for
A100 and Selene, from other public measurements. The ten rows of weak scaling print no micro-batch
and no number of chunks: both are found by search, two whole numbers a row. Beside them
table 2 and, of the same group's paper on recomputation, whole steps and memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import netwright as nw
from netwright.cost.collective import all_reduce_seconds, group
from netwright.cost.transformer import Transformer
from netwright.plan.parallel.layout import Layout, Recompute, Space
from netwright.plan.parallel.memory import device_memory
from netwright.plan.parallel.price import Pricer, pricer
from netwright.plan.parallel.search import search
from netwright.plan.parallel.step import step
from netwright.study import Claim, Finding, Paper, Study, at_most, main

DATA = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
SEQUENCE, WORDS, GIBIBYTE = 2048, 51200, 2.0**30
LATER = "arXiv 2205.05198, same group and machine"
Row = Mapping[str, Any]
TABLE_1 = Claim(
    "throughput of a GPU, ten networks on 32 to 3,072 GPUs, micro-batch and chunks by search: mean"
    " error of the prediction", "table 1", 0.0, at_most(0.08),
)  # fmt: skip
TABLE_2 = Claim(
    "the same for two networks on 384 to 2,240 GPUs, micro-batch given, chunks by search",
    "table 2, PTD-P", 0.0, at_most(0.08),
)  # fmt: skip
STEPS = Claim(f"{LATER}: nine steps, all given, mean error", "ours", 0.0, at_most(0.05))
KEPT = Claim(f"{LATER}: activations, eight figures, largest error", "ours", 0.0, at_most(0.05))
SUMS = Claim("all-reduces of a DGX A100, Vidur's, seen: mean error", "ours", 0.0, at_most(0.15))


def asked(row: Row) -> Pricer:
    """The network of a row on Selene."""
    network = Transformer(row["hidden"], row["layers"], row["heads"], SEQUENCE, WORDS)
    return pricer(network, nw.machine("selene"))


def teraflops(row: Row, seconds: float) -> float:
    """Of a GPU, by the paper's equation 3, which counts passes done again."""
    s, h, layers = SEQUENCE, row["hidden"], row["layers"]
    inner = 1 + s / 6 / h + WORDS / (16 * layers * h)
    return 96.0 * row["batch"] * s * layers * h**2 * inner / row["devices"] / seconds / 1e12


def throughputs(claim: Claim, rows: list[Row]) -> Iterator[Finding | str]:
    """Each row with the micro-batch and chunks that are best, and beside our best layout."""
    errors, plain, behind = list[float](), list[float](), list[float]()
    for row in rows:
        t, p, gpus, batch = row["tensor"], row["pipeline"], row["devices"], row["batch"]
        sizes, prices = row.get("microbatch", (1, 2, 4, 8, 16)), asked(row)
        own = Space(gpus, batch, microbatches=sizes, fixed=(t, p, gpus // (t * p)))
        found, free = search(prices, own).best, search(prices, replace(own, fixed=None)).best
        assert found and free
        simple = step(prices, Layout(t, p, gpus // (t * p)), batch)
        plain.append(teraflops(row, simple.seconds) / row["teraflops"] - 1)
        errors.append(teraflops(row, found.seconds) / row["teraflops"] - 1)
        behind.append(found.seconds / free.seconds - 1)
        yield (
            f"{gpus} GPUs: {row['teraflops']} TFLOP/s, here {errors[-1]:+.1%} with {found.layout};"
            f" {plain[-1]:+.1%} without; best here {free.layout}, {behind[-1]:.1%} quicker"
        )
    note = f"; with micro-batch and chunks of 1 (without) {mean(map(abs, plain)):.1%},"
    note = f"bias {mean(errors):+.1%}{note} bias {mean(plain):+.1%}"
    note += f"; the paper's layouts are {mean(behind):.1%} behind our best"
    yield claim.shown(mean(map(abs, errors)), note)


def steps(rows: list[Row]) -> Iterator[Finding | str]:
    """Whole steps with every number given."""
    errors = list[float]()
    for row in rows:
        sizes = (8, row["pipeline"], row["data"], row["microbatch"], row["chunks"])
        layout = Layout(*sizes, Recompute(row["recompute"]), row["along_sequence"])
        here = step(asked(row), layout, row["batch"]).seconds
        errors.append(here / row["seconds"] - 1)
        yield f"{row['network']}, {layout}: {row['seconds']} s, here {here:.2f} ({errors[-1]:+.1%})"
    yield STEPS.shown(mean(map(abs, errors)), f"bias {mean(errors):+.1%}")


def memory() -> Iterator[Finding]:
    """Figure 1: full activations, and selective with sequence parallelism; and all else."""
    kept, states = list[float](), list[str]()
    for row, at in zip(DATA["figure_1_gibibytes"], DATA["steps"][1::2], strict=False):
        sizes = (8, at["pipeline"], 1, at["microbatch"], at["chunks"])
        for name in ("none", "selective"):
            layout = Layout(*sizes, Recompute(name), along_sequence=name == "selective")
            held = device_memory(asked(at).network, layout, at["batch"])
            kept.append(held.activation_bytes / GIBIBYTE / row[name] - 1)
        rest = sum(value for _, value in held.terms[:3]) / GIBIBYTE
        states.append(f"{rest / row['states'] - 1:+.1%}")
    yield KEPT.shown(max(map(abs, kept)), f"weights, gradients, optimiser: {' '.join(states)}")


def sums() -> Iterator[Finding]:
    """All-reduces of two, four and eight GPUs."""
    errors: dict[str, list[float]] = {"dgx-a100": [], "dgx-h100": []}
    for name, ranks, size, seconds in DATA["all_reduce"]:
        here = all_reduce_seconds(group(nw.machine(name), range(ranks)), size)
        errors[name].append(abs(here / seconds - 1))
    note = f"H100 by NCCL's own constants: {mean(errors['dgx-h100']):.1%}, not judged"
    yield SUMS.shown(mean(errors["dgx-a100"]), note)


def show(full: bool) -> Iterator[Finding | str]:
    """Reduced: five rows of table 1, one of table 2, four steps."""
    for claim, rows, few in ((TABLE_1, DATA["table_1"], 5), (TABLE_2, DATA["table_2"], 1)):
        yield from throughputs(claim, rows if full else rows[:few])
    yield from steps(DATA["steps"] if full else DATA["steps"][:4])
    yield from (*memory(), *sums())


study = Study(
    paper=Paper(
        title="Efficient Large-Scale Language Model Training on GPU Clusters Using Megatron-LM",
        authors="Narayanan, Shoeybi, Casper, LeGresley, Patwary, et al.",
        year=2021,
        venue="SC",
        link="https://arxiv.org/abs/2104.04473",
    ),
    shows="Throughput of 16 runs on up to 3,072 GPUs from a model of kernels, links and schedules.",
    scale="Simulated at the paper's sizes.",
    claims=(TABLE_1, TABLE_2, STEPS, KEPT, SUMS),
    show=show,
    differences=(
        "Micro-batch and chunks of table 1 are a fit of two whole numbers a row to our seconds: the"
        " best is quicker than what may have run. With 1 for both: the note.",
        "Ranges of tables 1 and 2 and of the nine steps were fixed first; after the steps were seen"
        " an order of a cluster's axes was mended (2.9 to 2.5 %), after table 1 nothing.",
        "Weights, gradients and optimiser of figure 1 are up to 11 % more here: the first stage's,"
        " with embedding and positions; the figures are 18 bytes of the mean stage to 2 %.",
        "A host's starting of kernels is not modelled: 1,440 small steps of vTrain are 31 % off.",
        "No one ran our best layouts, which have fewer tensor-parallel parts.",
    ),
)

if __name__ == "__main__":
    main(study)
