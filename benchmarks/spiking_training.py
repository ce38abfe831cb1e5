"""Training one spiking layer: Linear(n, n) + LIF, batch 16, 500 steps, forward and backward.

The definition is Open Neuromorphic's benchmark of spiking libraries; beside its own parameters all
libraries run once more with the same dynamics (decay 0.95, threshold 1, subtracting reset, input
as it is), where the neurons do spike. Processor seconds of one step on one thread; turns of all
contestants are interleaved and the median is shown.

    python -m benchmarks.spiking_training --neurons 1024 --turns 7
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from netwright.graph.ops.neuron import Lif
from netwright.graph.ops.neuron_rule import Discretisation, Method, Reset
from netwright.learn.lif import lif
from netwright.learn.lif_step import Gradient
from netwright.learn.surrogate import surrogate

STEPS, BATCH = 500, 16
Layer = Callable[[torch.Tensor], torch.Tensor]


def ours(common: bool) -> Layer:
    if common:
        rule = Discretisation(5e-2, Method.EULER, Reset.SUBTRACT, input_scale=1.0)
        kind = Lif(1.0, 1.0, rule)
    else:  # SpikingJelly's: tau 5 steps, decaying input, reset to zero
        kind = Lif(5.0, 1.0, Discretisation(1.0, Method.EULER, Reset.ZERO, threshold_included=True))
    gradient = Gradient(surrogate("atan"))
    return lambda x: lif(x, kind, gradient)[0]


def spikingjelly(common: bool) -> Layer:
    from spikingjelly.activation_based import functional, neuron
    from spikingjelly.activation_based.surrogate import ATan

    if common:
        node = neuron.LIFNode(20.0, False, 1.0, None, ATan(), step_mode="m")
    else:
        node = neuron.LIFNode(tau=5.0, surrogate_function=ATan(), step_mode="m")

    def layer(x: torch.Tensor) -> torch.Tensor:
        functional.reset_net(node)
        return node(x)

    return layer


def snntorch(common: bool) -> Layer:
    import snntorch as snn

    node = snn.Leaky(beta=0.95, reset_delay=not common)

    def layer(x: torch.Tensor) -> torch.Tensor:
        membrane, spikes = node.init_leaky(), []
        for step in x:
            spike, membrane = node(step, membrane)
            spikes.append(spike)
        return torch.stack(spikes)

    return layer


def norse(common: bool) -> Layer:
    from norse.torch import LIFBoxCell, LIFBoxParameters

    if common:
        raise ImportError("its input is scaled by dt / tau")
    cell = LIFBoxCell(LIFBoxParameters(tau_mem_inv=torch.tensor(100.0), v_th=torch.tensor(1.0)))

    def layer(x: torch.Tensor) -> torch.Tensor:
        state, spikes = None, []
        for step in x:
            spike, state = cell(step, state)
            spikes.append(spike)
        return torch.stack(spikes)

    return layer


CONTESTANTS = {
    "netwright": ours,
    "SpikingJelly": spikingjelly,
    "snnTorch": snntorch,
    "Norse": norse,
    "bare Linear": lambda common: lambda x: x,
}


def step(linear: torch.nn.Linear, layer: Layer, x: torch.Tensor) -> tuple[float, float]:
    """Processor seconds, and spikes a neuron and step."""
    linear.zero_grad()
    start = time.process_time()
    out = layer(linear(x))
    out.sum().backward()
    return time.process_time() - start, float(out.detach().mean())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--neurons", type=int, default=1024)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=list(CONTESTANTS))
    parser.add_argument("--common", action="store_true", help="the same dynamics for all")
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    n = given.neurons
    linear = torch.nn.Linear(n, n)
    x = torch.randn(STEPS, BATCH, n)
    layers: dict[str, Layer] = {}
    for name in given.only:
        try:
            layers[name] = CONTESTANTS[name](given.common)
        except ImportError as error:
            print(f"{name}: left out ({error})")
    seconds: dict[str, list[float]] = {name: [] for name in layers}
    rates: dict[str, float] = {}
    for turn in range(given.turns + 1):  # the first warms up
        for name, layer in layers.items():
            took, rates[name] = step(linear, layer, x)
            if turn:
                seconds[name].append(took)
    kind = "the same dynamics" if given.common else "each library's parameters"
    print(f"Linear({n}, {n}) + LIF, batch {BATCH}, {STEPS} steps, {kind}: CPU s a step")
    for name, took in seconds.items():
        rate = f"{100 * rates[name]:.2f} % spikes" if name != "bare Linear" else ""
        print(f"  {name:13} median {statistics.median(took):.4f}  best {min(took):.4f}  {rate}")


if __name__ == "__main__":
    main()
