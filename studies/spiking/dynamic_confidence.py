"""Dynamic Confidence: a spiking network stops, sample by sample, when it is sure.

A network of 2-bit activations is trained, written in spikes (`transform.spike`: soft reset, half
charged), and its outputs are summed step by step. The scale and threshold of the stopping rule are
chosen on digits that are neither learnt from nor tested on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from statistics import mean

import numpy as np
import torch

from netwright.graph.interpret import Interpreter
from netwright.job.job import Infer
from netwright.learn.digits import digits
from netwright.learn.fit import Recipe, fit, share_right
from netwright.learn.quantised import QuantisedNetwork, Widths, graph_of_quantised
from netwright.machine.load import library_machine
from netwright.plan.chip.make import map_graph
from netwright.plan.make import make_plan
from netwright.run.confidence import calibrated, earliest_right, fewest_steps, fixed
from netwright.run.native import NativeRuntime
from netwright.simulate.chip import simulate_chip
from netwright.study import Claim, Finding, Paper, Study, at_least, main
from netwright.timeline.timeline import Timeline
from netwright.transform.spike import Coding, encode, spike

SMALL = "784-256-256-10 on MNIST-5k; the paper has CIFAR-10 and ImageNet"
STEPS, SEEDS, ON_CHIP, LOSS = 27, 3, 100, 0.003
SCALES = tuple(float(2.0**power) for power in range(-2, 7))

SAVED = Claim(
    "mean steps saved against the fewest fixed steps as good, mean of seeds", "abstract", 0.40,
    at_least(0.25), smaller=SMALL,
)  # fmt: skip
OF_ALL = Claim(
    "mean steps saved against all 27 (11.51 of 27)", "authors' log", 1 - 11.51 / 27,
    at_least(0.25), smaller=SMALL,
)  # fmt: skip
AS_GOOD = Claim(
    "test accuracy with early exit less that of all steps: the same (94.27 and 94.27 %)",
    "authors' log", 0.0, at_least(-LOSS), smaller=SMALL,
)  # fmt: skip
BOUND = Claim(
    "test accuracy where each sample stops at the right moment less the unspiking network's: above"
    " (82.47 % of a ResNet-50)", "abstract", 0.0, at_least(0.0), smaller=SMALL,
)  # fmt: skip
CHIP = Claim(
    "share of the energy saved on a simulated loihi2, first 100 test digits", "ours", 0.40,
    at_least(0.25),
)  # fmt: skip
CODING = Coding(STEPS, from_spikes=True)


Samples = tuple[np.ndarray, np.ndarray]


def split() -> tuple[Samples, Samples, Samples]:
    """3,200 digits to learn, 800 to choose the rule on, 1,000 to test on; as many of each class."""
    data = digits()
    held = np.arange(len(data.train[1])) % 5 == 0
    learn, choose = ((data.train[0][part], data.train[1][part]) for part in (~held, held))
    return learn, choose, data.test


def outputs(network: QuantisedNetwork, images: np.ndarray) -> np.ndarray:
    """Of every step [T, B, 10]: the network in spikes, planned, lowered and run natively."""
    graph = spike(graph_of_quantised(network, len(images)), CODING)
    program = make_plan(graph, library_machine("raspberry-pi-5"), Infer()).program
    given = {"x": encode(images, 1.0, CODING)}
    return NativeRuntime(program).call("forward", given, {})["logits"]


def saved(network: QuantisedNetwork, images: np.ndarray, steps: np.ndarray) -> tuple[float, float]:
    """Shares of energy and time saved on a simulated loihi2 by so many steps a sample, of all."""
    graph = spike(graph_of_quantised(network, len(images)), CODING)
    mapped = map_graph(graph, chip := library_machine("loihi2"))
    inside = tuple(p.tensor for p in mapped.wiring.populations if not p.outside)
    given = {"x": encode(images, 1.0, CODING)}
    made = {**given, **Interpreter(replace(graph, outputs=inside))(given, {}, {})[0]}
    found: list[Timeline] = []
    for stops in (steps, np.full_like(steps, STEPS)):
        cut = {
            name: np.concatenate([each[:stop, [b]] for b, stop in enumerate(stops)])
            for name, each in made.items()
        }
        found.append(simulate_chip(mapped.plan.program, chip, cut))
    joules = [timeline.joules or 0.0 for timeline in found]
    return 1 - joules[0] / joules[1], 1 - found[0].seconds / found[1].seconds


def show(full: bool) -> Iterator[Finding | str]:
    """Reduced: one network, three epochs, no chip."""
    torch.set_num_threads(1)
    learn, choose, test = split()
    rows, chip = list[list[float]](), (0.0, 0.0)
    for seed in range(SEEDS if full else 1):
        torch.manual_seed(seed)
        network = QuantisedNetwork((784, 256, 256, 10), Widths(8, 2))
        recipe = Recipe(epochs=15 if full else 3, rate=2e-3, shift_pixels=1, seed=seed)
        fit(network, learn, lambda images: images[None], recipe)
        plain = share_right(network, test, lambda images: images[None])
        seen, unseen = outputs(network, choose[0]), outputs(network, test[0])
        rule = calibrated(seen, choose[1], SCALES)
        few = fewest_steps(seen, choose[1])
        ended, bound = rule.ended(unseen), earliest_right(unseen, test[1])
        whole = fixed(unseen, STEPS).share_right(test[1])
        right = ended.share_right(test[1])
        most = bound.share_right(test[1])
        yield (
            f"{rule}; right: quantised {plain:.4f}, 27 steps {whole:.4f}, {few} steps"
            f" {fixed(unseen, few).share_right(test[1]):.4f}, ended {right:.4f} after"
            f" {ended.mean_steps:.2f}, bound {most:.4f} after {bound.mean_steps:.2f}"
        )
        rows.append(
            [1 - ended.mean_steps / few, 1 - ended.mean_steps / STEPS, right - whole, most - plain]
        )
        if full and seed == 0:
            chip = saved(network, test[0][:ON_CHIP], ended.steps[:ON_CHIP])
    for claim, each in zip((SAVED, OF_ALL, AS_GOOD, BOUND), zip(*rows, strict=True), strict=True):
        yield claim.shown(mean(each))
    if full:
        yield CHIP.shown(chip[0], f"and {chip[1]:.3f} of the time")


study = Study(
    paper=Paper(
        title="Unleashing the Potential of Spiking Neural Networks by Dynamic Confidence",
        authors="Li, Jones, Furber",
        year=2023,
        venue="ICCV",
        link="https://arxiv.org/abs/2303.10276",
    ),
    shows="A 2-bit network in spikes, run natively: steps with and without early exit.",
    scale="Three layers trained on 3,200 digits, rule chosen on 800, tested on 1,000; 3 seeds.",
    claims=(SAVED, OF_ALL, AS_GOOD, BOUND, CHIP),
    show=show,
    differences=(
        "The rule is chosen on digits of its own; the authors' demo takes 100 of the test set.",
        "Steps are counted, not wall time; loihi2 has the costs of Loihi, and the sums of outputs"
        " are the host's.",
    ),
)

if __name__ == "__main__":
    main(study)
