"""Bit budget: steps of a spiking network and bits of a quantised one, on one axis.

A network is written in spikes in every way that keeps its levels: T (2^b_s - 1) = 2^b_a - 1.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from statistics import mean, pstdev
from typing import NamedTuple

import numpy as np
import torch

from netwright.cost.bit_budget import layer_bits
from netwright.graph.build import Builder
from netwright.graph.interpret import Interpreter
from netwright.graph.ops.neuron import If
from netwright.graph.ops.quantise import FakeQuantise
from netwright.learn.digits import Digits, digits
from netwright.learn.fit import Recipe, fit
from netwright.learn.quantised import QuantisedNetwork, Widths, graph_of_quantised
from netwright.study import Claim, Finding, Paper, Study, at_least, at_most, exactly, main
from netwright.transform.spike import Coding, encode, spike

SMALL = "784-128-128-10 on MNIST-5k; the paper has CIFAR, ImageNet and event data"
WEIGHTS, ACTIVATIONS, SEEDS = (1, 2, 4, 8), (1, 2, 3, 4), 2
DRAWN, BITS = 20_000, (1, 2, 3, 4, 5)

EXACT = Claim(
    "share of 20,000 inputs in -0.5 to 1.5 whose count over T = 1, 3, 7, 15, 31 steps is the"
    " activation of 1 to 5 bits", "abstract: analogous representations", 1.0, exactly(1.0),
)  # fmt: skip
DEEP = Claim("test accuracy lost in one-bit spikes, 2 to 4 bits", "ours", 0.0, at_most(0.02))
WIDER = Claim(
    "test accuracy of one step of 3-bit spikes less that of three steps of one bit, same budget:"
    " spike patterns before time", "abstract", 0.0, at_least(0.0), smaller=SMALL,
)  # fmt: skip
SPREAD = Claim("spread of accuracy at one budget over that at one T", "ours", 1.0, at_most(1.0))
SPARSE = Claim(
    "S-ACE of 15 steps of one bit over that of one step of four, same levels and weights",
    "ours", 15 / 4, at_least(1.0),
)  # fmt: skip


class Point(NamedTuple):
    """A network in spikes: its budget T b_s b_w, coding, accuracy, and bits with firing rate."""

    budget: int
    coding: Coding
    right: float
    sparse_bits: float


def exact(bits: int) -> float:
    """The share of drawn inputs for which the neuron's count is the activation's code."""
    builder, steps = Builder("one activation"), (1 << bits) - 1
    x = builder.input("x", (("batch", 1), ("neuron", DRAWN)))
    one = (("one", 1),)
    given = [builder.weight(f"w{v}", one, data=np.array([v])) for v in (1 / 16, 0.0)]
    codes = FakeQuantise(bits, False, False, "HALF_UP")
    graph = builder.finish((builder.add(codes, (x, *given), "codes"),))
    drawn = {"x": np.random.default_rng(bits).uniform(-0.5, 1.5, (1, DRAWN)) * steps / 16}
    (counts,) = Interpreter(spike(graph, Coding(steps)))(drawn, {}, {})[0].values()
    return float((counts.sum(0) / 16 == Interpreter(graph)(drawn, {}, {})[0]["codes"]).mean())


def points(data: Digits, widths: Widths, seed: int, epochs: int) -> tuple[list[Point], float]:
    """One trained network in all its codings, and its accuracy without spikes."""
    torch.manual_seed(seed)
    network = QuantisedNetwork((784, 128, 128, 10), widths)
    recipe = Recipe(epochs=epochs, rate=2e-3, seed=seed)
    fit(network, data.train, lambda images: images[None], recipe)
    images, labels = data.test
    plain = graph_of_quantised(network, len(images))
    found: list[Point] = []
    for bits in range(1, widths.activation_bits + 1):
        if widths.levels % ((1 << bits) - 1):
            continue
        coding = Coding(widths.levels // ((1 << bits) - 1), bits, from_spikes=True)
        graph = spike(plain, coding)
        inside = [op.outputs[0] for op, _ in graph.ops() if isinstance(op.kind, If)]
        given = {"x": encode(images, 1.0, coding)}
        seen = Interpreter(replace(graph, outputs=(*graph.outputs, *inside)))(given, {}, {})[0]
        right = float((seen["logits"].sum(0).argmax(1) == labels).mean())
        layers = layer_bits(graph, widths.weight_bits, {**given, **seen})
        sparse = sum(one.sparse_bits for one in layers)
        found.append(Point(layers[0].budget_bits, coding, right, sparse))
    logits = Interpreter(plain)({"x": images}, {}, {})[0]["logits"]
    return found, float((logits.argmax(1) == labels).mean())


def spread(found: list[Point], budget: bool) -> float:
    """Mean deviation of accuracy among points of one budget, or of one number of steps."""
    groups = defaultdict[int, list[float]](list)
    for point in found:
        groups[point.budget if budget else point.coding.steps].append(point.right)
    return mean(pstdev(group) for group in groups.values() if len(group) > 1)


def show(full: bool) -> Iterator[Finding | str]:
    """Reduced: one seed, one epoch, weights of two bits, activations of two and four."""
    torch.set_num_threads(1)
    yield EXACT.shown(min(exact(bits) for bits in BITS))
    data, found, lost = digits(), list[Point](), list[float]()
    for weight in WEIGHTS if full else (2,):
        for bits in ACTIVATIONS if full else (2, 3, 4):
            for seed in range(SEEDS if full else 1):
                widths = Widths(weight, bits)
                made, plain = points(data, widths, seed, 6 if full else 1)
                found += made
                lost += [plain - made[0].right] if bits > 1 else []
                yield f"{widths}, seed {seed}: quantised {plain:.4f}; " + ", ".join(
                    f"{p.coding.steps} x {p.coding.spike_bits} bits {p.right:.4f}"
                    f" ({p.sparse_bits / 1e3:.0f} kbit)" for p in made
                )  # fmt: skip

    of = defaultdict[tuple[int, int], list[Point]](list)
    for p in found:
        of[p.coding.steps, p.coding.spike_bits].append(p)
    both = zip(of[15, 1], of[1, 4], strict=True)
    yield SPARSE.shown(mean(a.sparse_bits / b.sparse_bits for a, b in both))
    if full:
        yield DEEP.shown(mean(lost))
        yield WIDER.shown(mean(p.right for p in of[1, 3]) - mean(p.right for p in of[3, 1]))
        yield SPREAD.shown(spread(found, budget=True) / spread(found, budget=False))


study = Study(
    paper=Paper(
        title="Is Conventional SNN Really Efficient? A Perspective from Network Quantization",
        authors="Shen, Zhao, Li, Li, Zeng",
        year=2024,
        venue="CVPR",
        link="https://arxiv.org/abs/2311.10802",
    ),
    shows="One activation exactly; whole networks in every coding of their levels, by bits.",
    scale="16 widths of three layers, 2 seeds, trained on 4,000 digits, in all codings.",
    claims=(EXACT, DEEP, WIDER, SPREAD, SPARSE),
    show=show,
    differences=(
        "Spiking networks are written from quantised ones, not trained over steps.",
        "S-ACE prices arithmetic only; the paper's own tables were not at hand and none is gated.",
    ),
)

if __name__ == "__main__":
    main(study)
