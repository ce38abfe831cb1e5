"""Fused spiking neurons on a GPU beside SpikingJelly's own kernels and the memory-bandwidth floor.

The neurons alone (SpikingJelly's LIFNode: tau 5 steps, decaying input, reset to zero, atan), no
product before them; the gradient that comes back is a real array. Seconds of the GPU between two
events, the second-level cache overwritten before each, turns interleaved, medians. The floor is
what must be moved, at the rate of a copy measured in the same turns: forward reads the input and
writes spikes and membranes, backward reads membranes and the spikes' gradient and writes the
input's, 4 bytes each. Each of SpikingJelly's implementations needs a process of its own.

    python -m benchmarks.spiking_triton --turns 20
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from netwright.graph.ops.neuron import Lif
from netwright.graph.ops.neuron_rule import Discretisation, Method, Reset
from netwright.learn.lif import lif
from netwright.learn.lif_reference import lif_reference
from netwright.learn.lif_step import Gradient
from netwright.learn.surrogate import surrogate

Layer = Callable[[torch.Tensor], torch.Tensor]
KIND = Lif(5.0, 1.0, Discretisation(1.0, Method.EULER, Reset.ZERO, threshold_included=True))
GRADIENT = Gradient(surrogate("atan"))
# [steps, batch, neurons]: Open Neuromorphic's layer, a wide one, and one image layer of few steps.
SIZES = ((500, 16, 1024), (100, 128, 8192), (4, 64, 64 * 56 * 56))
PASS_BYTES = 3 * 4  # of a neuron and step, in each direction
CACHE_BYTES = 256 << 20


def spikingjelly(implementation: str) -> Layer:
    """`cuda`, `triton` or `torch`; read by SpikingJelly when it is imported."""
    os.environ["SJ_LIF_CUDA_IMPLEMENTATION"] = implementation
    from spikingjelly.activation_based import functional, neuron
    from spikingjelly.activation_based.surrogate import ATan

    node: Any = neuron.LIFNode(tau=5.0, surrogate_function=ATan(), step_mode="m")

    def layer(x: torch.Tensor) -> torch.Tensor:
        functional.reset_net(node)
        return node(x)

    return layer


def ours(x: torch.Tensor) -> torch.Tensor:
    return lif(x, KIND, GRADIENT)[0]


def laid_out(sizes: tuple[int, int, int], layout: str, device: str) -> torch.Tensor:
    """Inputs large enough to spike, [T, B, n], with the layout's last letter innermost."""
    places = ["TBn".index(letter) for letter in layout]
    x = torch.randn([sizes[place] for place in places], device=device) * 3.0
    return x.permute([places.index(axis) for axis in range(3)])


def gpu_seconds(run: Callable[[], object]) -> float:
    torch.empty(CACHE_BYTES, dtype=torch.uint8, device="cuda").zero_()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    run()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) * 1e-3


def check(layers: dict[str, Layer], device: str) -> None:
    """Every contestant has the spikes of the float64 reference, and gradients close to its."""
    x = laid_out((20, 3, 50), "TBn", device)
    d = torch.randn_like(x)
    exact = x.double().requires_grad_()
    expected = lif_reference(exact, KIND, GRADIENT)[0]
    expected.backward(d.double())
    assert exact.grad is not None
    for name, layer in layers.items():
        leaf = x.detach().requires_grad_()
        spikes = layer(leaf)
        spikes.backward(d)
        assert leaf.grad is not None
        other = int((spikes.detach().double() != expected.detach()).sum())
        error = float((leaf.grad.double() - exact.grad).abs().max())
        print(f"  {name:22} {other} of {x.numel()} spikes differ, gradients by {error:.1e} at most")


def first_calls(layer: Layer, device: str) -> list[float]:
    """Seconds of the first call, and of the first with one step less: is it compiled again?"""
    found: list[float] = []
    for steps in (33, 32, 31):
        x = laid_out((steps, 4, 96), "TBn", device).requires_grad_()
        start = time.perf_counter()
        layer(x).sum().backward()
        if device == "cuda":
            torch.cuda.synchronize()
        found.append(time.perf_counter() - start)
    return found


def measure(layers: dict[str, Layer], x: torch.Tensor, turns: int) -> dict[str, list[float]]:
    """Seconds of every turn of `NAME forward`, `NAME both`, and `copy` of as many bytes as x."""
    d, target = torch.randn_like(x), torch.empty_like(x)
    leaf = x.detach().requires_grad_()
    found: dict[str, list[float]] = {}
    for turn in range(turns + 2):  # the first two compile and warm up
        runs: dict[str, Callable[[], object]] = {"copy": lambda: target.copy_(x)}
        for name, layer in layers.items():
            runs[f"{name} forward"] = lambda layer=layer: layer(leaf)
            runs[f"{name} both"] = lambda layer=layer: torch.autograd.grad(layer(leaf), leaf, d)
        for name, run in runs.items():
            took = gpu_seconds(run)
            if turn >= 2:
                found.setdefault(name, []).append(took)
    return found


def table(layers: dict[str, Layer], turns: int) -> None:
    for sizes in SIZES:
        for layout in ("TBn", "BTn", "TnB"):
            x = laid_out(sizes, layout, "cuda")
            found = {k: statistics.median(v) for k, v in measure(layers, x, turns).items()}
            rate = 2 * 4 * x.numel() / found.pop("copy")
            print(f"{sizes} laid out {layout}; a copy moves {rate / 1e12:.2f} TB/s")
            for name, took in found.items():
                passes = 2 if name.endswith("both") else 1
                floor = passes * PASS_BYTES * x.numel() / rate
                print(f"  {name:22} {took * 1e6:9.0f} us, {took / floor:5.2f} of the floor")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--peer", choices=("triton", "cuda", "torch", "none"))
    given = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("There is no GPU here that torch can use: nothing was measured.")
    if given.peer is None:
        for peer in ("triton", "cuda"):
            command = [sys.executable, "-m", "benchmarks.spiking_triton", "--peer", peer]
            subprocess.run([*command, "--turns", str(given.turns)], check=False)
        return
    layers: dict[str, Layer] = {"netwright": ours}
    if given.peer != "none":
        try:
            layers[f"SpikingJelly {given.peer}"] = spikingjelly(given.peer)
        except ImportError as error:
            print(f"SpikingJelly: left out ({error})")
    print(torch.cuda.get_device_name())
    check(layers, "cuda")
    for name, layer in layers.items():
        seconds = ", ".join(f"{took:.3f}" for took in first_calls(layer, "cuda"))
        print(f"  {name:22} first calls with 33, 32 and 31 steps: {seconds} s")
    table(layers, given.turns)


if __name__ == "__main__":
    main()
