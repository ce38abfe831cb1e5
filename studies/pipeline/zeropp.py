"""ZeroPP: pipeline and fully sharded weights, by blocks, without tensor parallelism.

Micro-batches go through a worker's chunks in units, so that a chunk's weights are gathered once a
unit; weight gradients fill bubbles. Replayed with its gathers and scatters for GPTs of 7 and 30
billion parameters on Selene's links: groups of eight share weights inside a node or across nodes,
against breadth-first, and against 1F1B that drops weights after each pass or keeps them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import netwright as nw
from netwright.cost.link import message_seconds, ring_seconds
from netwright.plan.pipeline.blockwise import blocks_of
from netwright.plan.pipeline.build import build
from netwright.plan.pipeline.schedule import Schedule
from netwright.plan.pipeline.sharded import Shards, collectives, sharded_program
from netwright.plan.pipeline.times import StageTimes, peaks, uniform_times
from netwright.study import Claim, Finding, Paper, Study, at_least, at_most, main

SEQUENCE, RATE, ROOMS = 2048, 140e12, 2
SIMULATED = "32 or 64 simulated GPUs, even stages"
BREADTH = Claim(
    "throughput over breadth-first's, as many chunks a worker: the most", "abstract: up to"
    " 30 %", 1.30, at_least(1.10), smaller=SIMULATED,
)  # fmt: skip
PLAIN = Claim(
    "throughput over 1F1B's that drops weights after each pass, groups inside a node: the most",
    "abstract: up to 68 %", 1.68, at_least(1.30), smaller=SIMULATED,
)  # fmt: skip
MEMORY = Claim(
    "bytes of activations, gathered weights and gradients over 1F1B's, units of p: the least",
    "abstract: 10 % less", 0.90, at_most(0.95), smaller=SIMULATED,
)  # fmt: skip
GATHERS = Claim(
    "gathers of a chunk a step over 2 m / U, U = p, 2p and m: the most", "ours: once a unit and"
    " direction", 1.0, at_most(1.0),
)  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """A GPT, its group's links, micro-batches; a stage is on eight members."""

    layers: int
    hidden: int
    heads: int
    inside: bool
    microbatches: int
    workers: int = 4
    chunks: int = 4

    def times(self) -> StageTimes:
        """F, B and W as long as each other, at 140 TFLOP/s; keeps 32 h of 34 h + 5 a s."""
        h, ends = self.hidden, (0, 8) if self.inside else (0, 1)
        work = 24.0 * SEQUENCE * h**2 * (1 + SEQUENCE / (6 * h)) * self.layers / self.workers
        message = message_seconds(nw.machine("selene"), *ends, 2 * SEQUENCE * h)
        kept = 32 * h / (34 * h + 5 * self.heads * SEQUENCE)
        return uniform_times(self.workers, (work / RATE, work / RATE, work / RATE, message), kept)

    def stage_bytes(self) -> tuple[float, float]:
        """Of weights (as of their gradients), two each, and of one micro-batch's activations."""
        per_layer = SEQUENCE * (34 * self.hidden + 5 * self.heads * SEQUENCE)
        share = self.layers / self.workers
        return 24.0 * self.hidden**2 * share, per_layer * share

    def shards(self, every_pass: bool = False) -> Shards:
        """Groups of eight: a node's members, or one of each of eight nodes, eight rings at once."""
        members, sharers = (range(8), 1) if self.inside else (range(0, 64, 8), 8)
        size = int(self.stage_bytes()[0])
        seconds = ring_seconds(nw.machine("selene"), members, size, sharers)
        return Shards(seconds, seconds, ROOMS, every_pass)

    def seconds(self, schedule: Schedule, every_pass: bool = False) -> float:
        """A step with its collectives."""
        program = sharded_program(schedule, self.times(), self.shards(every_pass))
        return program.simulate().seconds

    def blocks(self, unit: int) -> Schedule:
        """ZeroPP's, with units of so many micro-batches."""
        return blocks_of(self.workers, self.microbatches, self.times(), self.chunks, unit).schedule

    def units(self) -> dict[int, float]:
        """Unit → seconds of a step."""
        units = range(self.workers, self.microbatches + 1, self.workers)
        return {unit: self.seconds(self.blocks(unit)) for unit in units}

    def bytes(self, schedule: Schedule, chunks: int) -> float:
        """Activations, and weights and gradients of the chunks that are held whole."""
        weights, activation = self.stage_bytes()
        held = max(peaks(schedule, self.times().kept)) * activation
        return held + 2 * weights * min(ROOMS, chunks) / chunks


def show(full: bool) -> Iterator[Finding | str]:
    """Reduced: the larger network with eight micro-batches."""
    networks = ((32, 4096, 32), (48, 7168, 56))[0 if full else 1 :]
    pipelines = ((4, 4), (8, 2))  # workers, chunks of each
    breadth: list[float] = []
    drops, keeps, memory = breadth.copy(), breadth.copy(), breadth.copy()
    for network, (p, v), m in product(networks, pipelines, (8, 16) if full else (8,)):
        for inside in (True, False):
            one = Setting(*network, inside, m, p, v)
            found = one.units()
            best = min(found, key=lambda unit: round(found[unit], 4))
            least, plain = found[best], build("1f1b", p, m)
            first = build(f"breadth-first:{v}", p, m, one.times())
            breadth.append(one.seconds(first) / least)
            (drops if inside else keeps).append(one.seconds(plain, inside) / least)
            memory.append(one.bytes(one.blocks(p), v) / one.bytes(plain, 1))
            yield (
                f"h={network[1]} p={p} v={v} m={m} {'inside' if inside else 'across'}: unit"
                f" {best}, over breadth-first {breadth[-1]:.3f}, 1F1B that drops weights"
                f" {one.seconds(plain, True) / least:.3f}, memory {memory[-1]:.3f}"
            )
    yield BREADTH.shown(max(breadth), f"the least {min(breadth):.3f}")
    yield PLAIN.shown(max(drops), f"one that keeps them, across nodes: {max(keeps):.3f}")
    yield MEMORY.shown(min(memory), f"the most {max(memory):.3f}")
    one = Setting(32, 4096, 32, True, 16)
    shares: list[float] = []
    for unit in (4, 8, 16):
        program = sharded_program(one.blocks(unit), one.times(), one.shards())
        shares.append(collectives(program)[0] / (4 * 4 * 2 * 16 / unit))
    yield GATHERS.shown(max(shares), ", ".join(f"{share:.2f}" for share in shares))


study = Study(
    paper=Paper(
        title="Adaptive Blockwise Task-interleaved Pipeline Parallelism",
        authors="Tang, Jiang, Zhou, Jin, Li, Zhang, Pei, Zhai",
        year=2024,
        venue="arXiv",
        link="https://arxiv.org/abs/2402.03791",
    ),
    shows="Blocks with their collectives replayed against breadth-first and two kinds of 1F1B.",
    scale="GPTs of 7 and 30 billion parameters, four and eight stages of eight simulated GPUs.",
    claims=(BREADTH, PLAIN, MEMORY, GATHERS),
    show=show,
    differences=(
        "The schedule is a reconstruction: units, chunk by chunk, W where a worker would be idle.",
        "Passes run at 140 TFLOP/s; gathers and scatters do not share a link's bandwidth.",
        "8 workers were added when 4 gave 1.03, below the bound; a claim that units adapt failed.",
    ),
)

if __name__ == "__main__":
    main(study)
