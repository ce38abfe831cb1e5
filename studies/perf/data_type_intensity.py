"""Data-type-aware intensity: weights and activations weighed apart foretell energy better?

The energy of a multiply-accumulate, on three arrays and for networks of unlike layers, is what the
mapper finds least (every layer mapped for energy). It is set against the words that have to move
for one, weights and activations counted alike (the plain arithmetic intensity, upside down) or
weighed by a share, which is chosen on one half of the networks and judged on the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from netwright.graph.analysis import analyse
from netwright.graph.build import Builder
from netwright.graph.graph import Graph
from netwright.graph.reuse import Reuse, reuse_of
from netwright.graph.zoo.mlp import mlp
from netwright.graph.zoo.mobilenet import mobilenet_v1
from netwright.graph.zoo.resnet import ResnetSizes, resnet
from netwright.graph.zoo.vision import VisionParts
from netwright.graph.zoo.weights import RandomWeights
from netwright.job.job import Goal, Infer
from netwright.machine.load import library_machine
from netwright.plan.make import make_plan
from netwright.study import Claim, Finding, Paper, Study, at_least, main
from netwright.transform.standard import standard

MACHINES = ("edge-tpu-like", "eyeriss-like", "ascend-like")
SHARES = np.linspace(0.02, 0.98, 49)
SMALLER = "twelve small networks on three simulated arrays; the weighting is a family of ours"

BETTER = Claim(
    "machines on which weighed intensity is nearer to energy than plain, networks held back",
    "abstract (2 of 2 GPUs)", 2, at_least(2), smaller=SMALLER,
)  # fmt: skip
NEAR = Claim(
    "correlation of words by weighed count with energy, networks held back, least of the machines",
    "ours", 0.9, at_least(0.9), smaller=SMALLER,
)  # fmt: skip


def plain(name: str, layers: Sequence[tuple[int, int, int]], image: int) -> Graph:
    """Convolutions (units, kernel, stride) in a row, then a classifier."""
    b = Builder(name)
    parts = VisionParts(b, RandomWeights(b, None))
    x = b.input("image", (("batch", 1), ("channel", 3), ("y", image), ("x", image)))
    for index, (units, kernel, stride) in enumerate(layers):
        x = parts.conv(f"c{index}", x, units, kernel, stride)
    return b.finish((parts.classifier(x, 100),))


def networks() -> Mapping[str, Graph]:
    """Neighbours in the list are alike: every second one is held back."""
    vgg = ((32, 3, 1), (64, 3, 2), (128, 3, 2), (256, 3, 2))
    narrow = ((64, 3, 2), (16, 1, 1), (128, 3, 2), (32, 1, 1), (256, 1, 2))
    return {
        "vgg 32": plain("vgg", vgg, 32),
        "vgg 64": plain("vgg", vgg, 64),
        "narrow 64": plain("narrow", narrow, 64),
        "narrow 128": plain("narrow", narrow, 128),
        "resnet18 32": resnet(ResnetSizes((1, 1, 1), width=32, image=32), seed=None),
        "resnet18 64": resnet(ResnetSizes((1, 1, 1), width=32, image=64), seed=None),
        "resnet50 64": resnet(ResnetSizes((1, 1), True, 32, 64), seed=None),
        "resnet50 96": resnet(ResnetSizes((1, 1), True, 32, 96), seed=None),
        "mobilenet 64": mobilenet_v1(64, 0.25, 100, seed=None),
        "mobilenet 96": mobilenet_v1(96, 0.25, 100, seed=None),
        "mlp": mlp((784, 512, 256, 10), 1, seed=None),
        "mlp by 8": mlp((784, 512, 256, 10), 8, seed=None),
    }


def words(reuse: Reuse, share: float) -> float:
    """Words of a multiply-accumulate."""
    return 1.0 / reuse.weighted(share)


def agreement(reuses: Sequence[Reuse], joules: Sequence[float], share: float) -> float:
    """Pearson's correlation of the words and the energy of a multiply-accumulate, as logarithms."""
    logs = np.log([[words(reuse, share) for reuse in reuses], joules])
    return float(np.corrcoef(logs)[0, 1])


def show(full: bool) -> Iterator[Finding | str]:
    """Reduced: one machine."""
    graphs = networks()
    reuses = [reuse_of(analyse(standard(graph)[0], {})) for graph in graphs.values()]
    better, near = 0, 1.0
    for name in MACHINES if full else MACHINES[:1]:
        machine, joules = library_machine(name), list[float]()
        for network, reuse in zip(graphs, reuses, strict=True):
            planned = make_plan(graphs[network], machine, Infer(goal=Goal.JOULES)).predictions[0]
            assert planned.joules is not None
            joules.append(planned.joules / reuse.macs)
            yield f"{name}, {network}: {joules[-1] * 1e12:.2f} pJ, {reuse.intensity:.1f} a word"
        known = [slice(0, None, 2), slice(1, None, 2)]
        share = max(SHARES, key=lambda s: agreement(reuses[known[0]], joules[known[0]], s))
        weighed, even = (agreement(reuses[known[1]], joules[known[1]], s) for s in (share, 0.5))
        yield f"{name}: {weighed:.3f} weighed (weights {share:.2f}), {even:.3f} plain, held back"
        better += weighed > even
        near = min(near, weighed)
    if full:
        yield BETTER.shown(better, "of 3 machines")
    yield NEAR.shown(near)


study = Study(
    paper=Paper(
        title="Modeling Data Reuse in Deep Neural Networks by Taking Data-Types into Cognizance",
        authors="Jha, Mittal",
        year=2020,
        venue="IEEE Transactions on Computers",
        link="https://arxiv.org/abs/2008.02565",
    ),
    shows="Energy a multiply-accumulate against plain and weighed words, one half held back.",
    scale="Twelve networks of 1 to 100 million multiply-accumulates on three simulated arrays.",
    claims=(BETTER, NEAR),
    show=show,
    differences=(
        "The paper measures 25 networks on two GPUs; its weighting was not found, ours is a share.",
        "The arrays are those of the library, each layer mapped for the least energy.",
    ),
)

if __name__ == "__main__":
    main(study)
