"""Hanayo: chunks laid over the workers in waves.

Two pipelines of p workers with one wave each are Chimera on 2p workers, folded: no second copy of
the network is needed. More waves then shorten the bubbles further, at the cost of messages. Here
one unit of p micro-batches (the paper's) is replayed on the event engine, backward passes twice as
long as forward ones, against GPipe, 1F1B (DAPPLE) and Chimera with as many bytes of weights a
worker; then waves train a GPT in real processes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import netwright as nw
from netwright.graph.zoo import gpt
from netwright.graph.zoo.gpt import GptSizes
from netwright.plan.pipeline.build import build
from netwright.plan.pipeline.times import peaks, uniform_times
from netwright.simulate.pipeline import Replay, replay
from netwright.study import Claim, Finding, Paper, Study, at_most, exactly, main, near

TEXT = (Path(__file__).parents[2] / "examples" / "shakespeare.txt").read_bytes()
WAVES = {1: "hanayo", 2: "hanayo:2", 4: "hanayo:4"}
COMM = (0.0, 0.05, 0.2)  # a message, in forward passes of a worker's whole stage
USUAL = 0.05
BEST = Claim(
    "throughput over Chimera's with as much weight memory, 8 and 16 workers, 1 to 4 waves, a"
    " message taking 0.05 T_F: the most",
    "abstract (up to 30.4 %, up to 32 GPUs)",
    1.304,
    near(1.304, relative=0.10),
)
FOLDED = Claim(
    "one wave on p workers, twice, against Chimera on 2p, messages free: throughput",
    "abstract (no model duplicates); section 3",
    1.0,
    near(1.0, relative=1e-9),
)
SHORTER = Claim(
    "p = 4 and 8, 1, 2 and 4 waves, a message taking 0, 0.05 and 0.2 T_F: settings in which it is"
    " shorter than GPipe and 1F1B",
    "abstract (mitigates bubbles)",
    18,
    exactly(18),
    fails="with four waves a chunk's forward pass takes T_F / 8, less than the message of 0.2 T_F"
    " that it waits for: 4 % longer than 1F1B, with 4 and with 8 workers",
)
HELD = Claim(
    "p = 4 and 8: the most activations of a worker, over p (what 1F1B's first holds)",
    "abstract (mitigates memory consumption)",
    1.0,
    at_most(1.0),
)
COSTS = Claim(
    "waves that are shortest, of 1, 2 and 4, where a message takes as long as T_F",
    "ours: waves are chosen by what messages cost",
    1,
    at_most(2),
)
EQUAL = Claim(
    "losses under 1 and 2 waves on 2 workers: largest relative difference from one process",
    "synchronous training",
    0.0,
    at_most(1e-5),
    smaller="two processes, 1.7 million parameters",
)


def played(name: str, workers: int, microbatches: int, comm: float) -> Replay:
    """On stages of T_F = 1, T_B = T_W = 1 and a message of `comm`."""
    times = uniform_times(workers, (1.0, 1.0, 1.0, comm))
    return replay(build(name, workers, microbatches, times), times)


def over_chimera(name: str, workers: int, comm: float) -> float:
    """Two pipelines of so many workers, a unit each, against Chimera on all: throughput.

    Chimera's 2p stages are half as long, and it holds two of them a worker: as many weights.
    """
    times = uniform_times(2 * workers, (0.5, 0.5, 0.5, comm))
    other = replay(build("chimera", 2 * workers, 2 * workers, times), times)
    return other.seconds / played(name, workers, workers, comm).seconds


def trained(schedule: str, workers: int, steps: int) -> tuple[float, ...]:
    """Losses of a GPT of eight layers."""
    network = gpt(GptSizes(256, width=128, layers=8, heads=4, tokens=32, batch=2, tied=False))
    job = nw.Train(steps, 4, workers, schedule)
    found = nw.train(network, nw.machine("raspberry-pi-5"), job, TEXT)
    assert found is not None
    return found.losses


def show(full: bool) -> Iterator[Finding | str]:
    """Reduced: all of the simulation, three real steps of one wave."""
    gains: list[float] = []
    for workers in (4, 8):
        for waves, name in WAVES.items():
            gains.append(over_chimera(name, workers, USUAL))
            yield f"{2 * workers} workers, {waves} waves: {gains[-1]:.3f} of Chimera's throughput"
    yield BEST.shown(max(gains), "at 0.2 T_F: " + ", ".join(
        f"{over_chimera(name, 8, 0.2):.3f}" for name in WAVES.values()
    ))  # fmt: skip
    yield FOLDED.shown(over_chimera("hanayo", 4, 0.0))
    shorter = 0
    for workers, comm in [(p, c) for p in (4, 8) for c in COMM]:
        others = [played(name, workers, workers, comm).seconds for name in ("gpipe", "1f1b")]
        times = [played(name, workers, workers, comm).seconds for name in WAVES.values()]
        shorter += sum(one < min(others) for one in times)
        shares = ", ".join(f"{one / others[1]:.3f}" for one in times)
        yield f"p={workers}, a message {comm} T_F: {shares} of 1F1B's time"
    yield SHORTER.shown(shorter)
    held = [peaks(build(n, p, p), 0.0) for p in (4, 8) for n in WAVES.values()]
    least = ", ".join(f"{min(one):g} to {max(one):g}" for one in held)
    yield HELD.shown(max(max(one) / len(one) for one in held), f"{least}; 1F1B: 1 to p")
    seconds = {waves: played(name, 8, 8, 1.0).seconds for waves, name in WAVES.items()}
    yield COSTS.shown(min(seconds, key=lambda waves: seconds[waves]), f"{seconds}")
    steps = 20 if full else 3
    alone = trained("gpipe", 1, steps)
    losses = [trained(name, 2, steps) for name in list(WAVES.values())[: 2 if full else 1]]
    off = (abs(a / b - 1) for one in losses for a, b in zip(one, alone, strict=True))
    yield EQUAL.shown(max(off), f"loss {alone[0]:.3f} falls to {alone[-1]:.3f}")


study = Study(
    paper=Paper(
        title="Hanayo: Harnessing Wave-like Pipeline Parallelism for Enhanced Large Model Training"
        " Efficiency",
        authors="Liu, Cheng, Zhou, You",
        year=2023,
        venue="SC",
        link="https://arxiv.org/abs/2308.15762",
    ),
    shows="Waves against GPipe, 1F1B and Chimera, replayed; one and two waves in real processes.",
    scale="8 and 16 simulated workers, stages of equal time; two real processes.",
    claims=(BEST, FOLDED, SHORTER, HELD, COSTS, EQUAL),
    show=show,
    differences=(
        "The orders are those of a greedy rule: a backward pass first, else the deepest forward.",
        "Networks, clusters and what Chimera's and the data-parallel sums of gradients cost are not"
        " modelled; stages are even and messages all alike.",
        "The gain over Chimera without messages was known when its bound was set.",
    ),
    needs=("torch",),
)

if __name__ == "__main__":
    main(study)
