"""Spatial Learning Through Time: a spiking network learns without its way back through time.

The membrane carried into a step is a constant to the backward pass: every step has its own.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import mean, median

import numpy as np
import torch

from netwright.graph.ops.neuron import Lif
from netwright.graph.ops.neuron_rule import Discretisation, Method, Reset
from netwright.learn.digits import Digits, digits, rate_code
from netwright.learn.fit import Recipe, fit, share_right, tensor_of
from netwright.learn.held import held_for_backward
from netwright.learn.lif_step import Gradient
from netwright.learn.network import Readout, SpikingLayer, SpikingNetwork
from netwright.learn.rule import Batch, EachStep, Rule, Spatial
from netwright.learn.surrogate import surrogate
from netwright.study import Claim, Finding, Paper, Study, at_least, main, near

SMALL = "784-256-256-10 on MNIST-5k; the paper trains ResNets on CIFAR-10 and ImageNet"
STEPS, TAUS, SEEDS, TURNS = 6, (1.1, 1.5, 2.0, 4.0), 3, 15
RULES: dict[str, Rule] = {"BPTT": EachStep(), "SLTT": Spatial(), "SLTT-2": Spatial(2)}

FLAT = Claim(
    "bytes held for the backward pass, 32 steps over 4: independent of the total time steps",
    "abstract", 1.0, near(1.0, absolute=0.05), smaller=SMALL,
)  # fmt: skip
GROWS = Claim("the same of BPTT: grows with the steps", "ours", 8.0, near(8.0, relative=0.15))
LESS = Claim("memory reduced, 6 steps", "abstract", 0.70, at_least(0.70), smaller=SMALL)
FASTER = Claim(
    "training time reduced against BPTT, 6 steps", "abstract", 0.50, at_least(0.50),
    smaller=SMALL, clock=True,
    fails="a call a step costs half more here than one call over all steps; SLTT-2 leaves out four"
    " backward passes of six and no forward pass, which brings it to BPTT's time and no further",
)  # fmt: skip
EQUAL = [
    Claim(
        f"test accuracy of {name} less BPTT's, 6 steps, mean of {SEEDS} seeds: as good",
        "abstract", 0.0, at_least(-0.01), smaller=SMALL,
    )
    for name in ("SLTT", "SLTT-2")
]  # fmt: skip
ALIKE = Claim("least cosine of gradients of a layer, tau 1.1", "ours", 1.0, at_least(0.9))


def network(seed: int, tau: float = TAUS[0]) -> SpikingNetwork:
    """Soft reset, triangle, input not scaled, as the authors' code."""
    torch.manual_seed(seed)
    kind = Lif(tau, 1.0, Discretisation(1.0, Method.EULER, Reset.SUBTRACT, input_scale=1.0))
    given = Gradient(surrogate("triangle"))
    layers = [SpikingLayer(i, 256, kind, given, gain=3.0) for i in (784, 256)]
    return SpikingNetwork(layers, Readout(256, 10))


def batch(data: Digits, steps: int) -> Batch:
    """The first 128 training digits as spikes."""
    images, labels = (array[:128] for array in data.train)
    return Batch(tensor_of(rate_code(images, steps)), tensor_of(labels))


def held_bytes(rule: Rule, given: Batch) -> int:
    """The most that is held for the backward pass of a batch."""
    with held_for_backward() as held:
        rule.learn(network(0), given, np.random.default_rng(0))
    return held.peak_bytes


def cosines(data: Digits, tau: float) -> list[float]:
    """Of the gradients of every layer."""
    found: list[list[torch.Tensor]] = []
    for rule in (Spatial(), EachStep()):
        one = network(0, tau)
        rule.learn(one, batch(data, STEPS), np.random.default_rng(0))
        found.append([p.grad.flatten() for p in one.parameters() if p.grad is not None])
    alike = torch.nn.functional.cosine_similarity
    return [float(alike(a, b, dim=0)) for a, b in zip(*found, strict=True)]


def accuracy(data: Digits, rule: Rule, seed: int, epochs: int) -> float:
    """On 1,000 digits that were not learnt from."""
    trained = network(seed)
    recipe = Recipe(epochs=epochs, batch=128, rate=1e-3, shift_pixels=1, seed=seed, rule=rule)
    fit(trained, data.train, lambda images: rate_code(images, STEPS), recipe)
    return share_right(trained, data.test, lambda images: rate_code(images, STEPS))


def seconds(data: Digits) -> list[float]:
    """CPU seconds of a batch on one thread, each rule: medians of interleaved turns."""
    given, spent = batch(data, STEPS), [list[float]() for _ in RULES]
    for turn in range(TURNS):
        for rule, mine in zip(RULES.values(), spent, strict=True):
            net, random = network(0), np.random.default_rng(turn)
            began = time.process_time()
            rule.learn(net, given, random)
            mine.append(time.process_time() - began)
    return [median(mine[1:]) for mine in spent]


def show(full: bool) -> Iterator[Finding | str]:
    """Reduced: memory and gradients; nothing is learnt."""
    torch.set_num_threads(1)
    data = digits()
    held = {s: [held_bytes(r, batch(data, s)) for r in (Spatial(), EachStep())] for s in (4, 6, 32)}
    for steps, (ours, theirs) in held.items():
        yield f"{steps} steps: SLTT holds {ours:,} bytes, BPTT {theirs:,}"
    for claim, which in ((FLAT, 0), (GROWS, 1)):
        yield claim.shown(held[32][which] / held[4][which])
    yield LESS.shown(1 - held[STEPS][0] / held[STEPS][1])
    for tau in TAUS:
        each = cosines(data, tau)
        yield f"tau {tau}: cosines {', '.join(f'{one:.4f}' for one in each)}"
        if tau == TAUS[0]:
            yield ALIKE.shown(min(each))
    if not full:
        return
    spent = seconds(data)
    yield ", ".join(f"{n} {1e3 * each:.1f} ms" for n, each in zip(RULES, spent, strict=True))
    yield FASTER.shown(1 - min(spent[1:]) / spent[0], "the faster of SLTT and SLTT-2, one thread")
    right = [mean(accuracy(data, r, seed, 10) for seed in range(SEEDS)) for r in RULES.values()]
    for claim, own in zip(EQUAL, right[1:], strict=True):
        yield claim.shown(own - right[0], f"{own:.4f} and {right[0]:.4f}")


study = Study(
    paper=Paper(
        title="Towards Memory- and Time-Efficient Backpropagation for Training Spiking Neural"
        " Networks",
        authors="Meng, Xiao, Yan, Wang, Lin, Luo",
        year=2023,
        venue="ICCV",
        link="https://arxiv.org/abs/2302.14311",
    ),
    shows="Bytes held, gradients, time and accuracy of a spatial rule and of BPTT, same seeds.",
    scale="Trained here: three layers on 4,000 digits, 6 steps, 10 epochs, 3 seeds.",
    claims=(FLAT, GROWS, LESS, ALIKE, FASTER, *EQUAL),
    show=show,
    differences=(
        "Cross-entropy alone (the authors add 5 % of a squared error); Adam.",
        "Bytes are counted at autograd's own hooks, parameters left out.",
    ),
)

if __name__ == "__main__":
    main(study)
