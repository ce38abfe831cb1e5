"""One library's spiking layer in a process of its own: Linear(n, n) and its neurons, one step.

python -m benchmarks.workers.training LIBRARY NEURONS [common]; each request is one training step.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping

import torch
from benchmarks.workers.protocol import Answer, claim_output, serve

from netwright.graph.ops.neuron import Lif
from netwright.graph.ops.neuron_rule import Discretisation, Method, Reset
from netwright.learn.lif import lif
from netwright.learn.lif_step import Gradient
from netwright.learn.surrogate import surrogate
from netwright.machine.probe.door import core

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


CONTESTANTS: Mapping[str, Callable[[bool], Layer]] = {
    "netwright": ours,
    "SpikingJelly": spikingjelly,
    "snnTorch": snntorch,
    "Norse": norse,
    "bare Linear": lambda common: lambda x: x,
}


def step(linear: torch.nn.Linear, layer: Layer, x: torch.Tensor) -> Answer:
    """CPU seconds of a training step in three slices, and the slower gauge beside each.

    Slices: the product; neurons forward, loss and neurons backward; the weights' gradient.
    """
    taken: list[tuple[float, float]] = []
    look = core.reference_seconds(True)
    begun = time.process_time()

    def cut(_: object = None) -> None:
        nonlocal look, begun
        seconds = time.process_time() - begun
        after = core.reference_seconds(True)
        taken.append((seconds, max(look, after)))
        look, begun = after, time.process_time()

    linear.zero_grad()
    y = linear(x)
    y.register_hook(cut)
    cut()
    spikes = layer(y)
    del y
    spikes.sum().backward()
    cut()
    return {"slices": taken, "rate": float(spikes.detach().mean())}


def main() -> None:
    answers = claim_output()
    layer = CONTESTANTS[sys.argv[1]](sys.argv[3:] == ["common"])
    neurons = int(sys.argv[2])
    torch.set_num_threads(1)
    torch.manual_seed(0)
    linear = torch.nn.Linear(neurons, neurons)
    x = torch.randn(STEPS, BATCH, neurons)
    serve(answers, {"ready": torch.__version__}, lambda _: step(linear, layer, x))


if __name__ == "__main__":
    main()
