"""Attention on streaming dataflow: queues as long as a row, or of a few elements.

The cascades of attention become units joined by queues, simulated cycle by cycle: softmax as
defined, with the division after the product, and with a running maximum. With room without end a
queue's peak is what full throughput needs; the smallest depth for all queues that does not get
stuck is found by halving.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from netwright.graph.evaluate import evaluate
from netwright.graph.op import Einsum, TensorType
from netwright.graph.ops.attention import Attention
from netwright.graph.ops.attention_forms import one_pass, two_pass
from netwright.simulate.streaming import Streamed, smallest_depth, stream, stream_network
from netwright.study import Claim, Finding, Paper, Study, at_most, exactly, main, near

WIDTH = 64
KIND = Attention(WIDTH**-0.5)
NAIVE = Claim(
    "naive: exponent of the longest queue in N", "abstract: O(N)", 1.0, near(1.0, absolute=0.1)
)
LONG = Claim("naive with the maximum: queues as long as a row", "ours", 2, exactly(2))
LATE = Claim("division after the product: queues as long as a row", "ours", 1, exactly(1))
CONSTANT = Claim(
    "running maximum: exponent of the longest queue in N", "abstract: O(1)", 0.0, exactly(0.0)
)
FEW = Claim("running maximum: elements in the longest queue", "abstract: constant", 2, at_most(8))
FULL = Claim(
    "running maximum: cycles over N^2, queues of eight", "abstract: full throughput",
    1.0, at_most(1.02),
)  # fmt: skip
STUCK = Claim(
    "naive: smallest depth that does not get stuck, over N", "abstract: O(N)",
    1.0, near(1.0, absolute=0.1),
)  # fmt: skip
EXACT = Claim("running maximum: largest error to float64 softmax", "ours", 0.0, at_most(1e-12))


def cascades(tokens: int) -> tuple[tuple[Einsum, ...], ...]:
    """Three, two and one pass over the keys."""
    types: list[TensorType | None] = [TensorType((tokens, 1, WIDTH))] * 3
    out = KIND.infer(types)
    defined = KIND.einsums(types, out)
    return defined, two_pass(KIND, types, out[0]), one_pass(KIND, types, out[0])


def unbounded(cascade: tuple[Einsum, ...], tokens: int) -> Streamed:
    """With room for all scores in every queue."""
    network = stream_network(cascade, ("t", "s"))
    return stream(network, [tokens * tokens] * len(network.queues))


def exponent(lengths: tuple[int, ...], most: list[int]) -> float:
    """Slope of log most over log length; exactly 0 where all are equal."""
    same = len(set(most)) == 1
    return 0.0 if same else float(np.polyfit(np.log(lengths), np.log(most), 1)[0])


def error(tokens: int) -> float:
    """The cascade with a running maximum, evaluated step by step, to the reference."""
    drawn = np.random.default_rng(0).standard_normal((3, tokens, 1, WIDTH))
    cascade = cascades(tokens)[2]
    got = evaluate(cascade, dict(enumerate(drawn)), {3: (tokens, 1, WIDTH)}, {})[3]
    return float(np.abs(got - KIND.reference(list(drawn))[0]).max())


def show(full: bool) -> Iterator[Finding | str]:
    """Reduced: up to 48 tokens."""
    lengths = (16, 32, 64, 128, 256) if full else (16, 24, 48)
    found = [[unbounded(cascade, n) for cascade in cascades(n)] for n in lengths]
    for n, runs in zip(lengths, found, strict=True):
        passes = ", ".join(f"{max(run.most)} in {run.cycles} cycles" for run in runs)
        yield f"N = {n}: longest queue of three, two, one pass: {passes}"
    naive, late, running = ([runs[form] for runs in found] for form in range(3))
    yield NAIVE.shown(exponent(lengths, [max(run.most) for run in naive]))
    longest = lengths[-1]
    yield LONG.shown(sum(most >= longest // 2 for most in naive[-1].most))
    yield LATE.shown(sum(most >= longest // 2 for most in late[-1].most))
    yield CONSTANT.shown(exponent(lengths, [max(run.most) for run in running]))
    yield FEW.shown(max(max(run.most) for run in running))
    network = stream_network(cascades(longest)[2], ("t", "s"))
    bounded = stream(network, [8] * len(network.queues))
    yield FULL.shown(bounded.cycles / longest**2 if bounded.finished else float("inf"))
    some = lengths[-3:-1] if full else lengths[:1]
    depths = [smallest_depth(stream_network(cascades(n)[0], ("t", "s")), 2 * n) for n in some]
    shares = [float("inf") if d is None else d / n for d, n in zip(depths, some, strict=True)]
    yield STUCK.shown(max(shares), f"{depths} for {list(some)} tokens")
    one = smallest_depth(stream_network(cascades(some[-1])[2], ("t", "s")), 8)
    yield f"with a running maximum nothing gets stuck from a depth of {one} on"
    yield EXACT.shown(error(32))


study = Study(
    paper=Paper(
        title="Implementing and Optimizing the Scaled Dot-Product Attention on Streaming Dataflow",
        authors="Sohn, Zhang, Olukotun",
        year=2024,
        venue="arXiv",
        link="https://arxiv.org/abs/2404.16629",
    ),
    shows="What the queues between the units of three forms of attention hold, cycle by cycle.",
    scale="Simulated, up to 256 tokens, one head of 64 as one vector.",
    claims=(NAIVE, LONG, LATE, CONSTANT, FEW, FULL, STUCK, EXACT),
    show=show,
    differences=(
        "The naive form here subtracts the maximum, so two queues are long; without it, one.",
        "Units and queues follow from the einsums; every unit takes one vector a cycle, latency 1.",
        "Queues are counted in vectors or scores; q, k and v are replayed from outside.",
    ),
)

if __name__ == "__main__":
    main(study)
