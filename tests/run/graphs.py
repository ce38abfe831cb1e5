"""Small networks, each with a job and inputs, that the runtimes are compared on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from netwright.graph.build import Builder
from netwright.graph.format import FP32, format_of
from netwright.graph.graph import Graph
from netwright.graph.ops.recurrent import Gru, Lstm
from netwright.graph.tensor import Role, TensorId
from netwright.graph.zoo import gpt, llama, mobilenet_v1, resnet
from netwright.graph.zoo.gpt import GptSizes
from netwright.graph.zoo.llama import LlamaSizes
from netwright.graph.zoo.resnet import ResnetSizes
from netwright.job.job import Generate, Infer, Job, Limits
from netwright.machine.load import library_machine
from netwright.plan.make import make_plan
from netwright.program.program import Program
from netwright.transform.quantise import quantise

MACHINE = "raspberry-pi-5"
RESNET = ResnetSizes(image=32, classes=10, layers=(1, 1, 1, 1))
GENERATE = Generate(prompt=8, tokens=8, chunk=8, verify=4)


@dataclass(frozen=True)
class Case:
    """A network, its job, and the relative error that its formats allow against float64."""

    graph: Graph
    job: Job
    bound: float
    entry: str = "forward"
    symbols: tuple[tuple[str, int], ...] = ()

    def inputs(self, seed: int = 0) -> dict[str, NDArray]:
        rng = np.random.default_rng(seed)
        arrays: dict[str, NDArray] = {}
        for place in self.graph.inputs:
            tensor = self.graph[place]
            shape = [e if isinstance(e, int) else dict(self.symbols)[str(e)] for e in tensor.shape]
            if tensor.format.name == "int64":
                arrays[tensor.name] = rng.integers(0, 32, shape)
            else:
                arrays[tensor.name] = rng.standard_normal(shape).astype(np.float32)
        return arrays

    def program(self, threads: int = 1) -> Program:
        job = replace(self.job, limits=Limits(threads=threads))
        return make_plan(self.graph, library_machine(MACHINE), job).program


def quantised_llama(form: str, width: int = 64) -> Graph:
    sizes = LlamaSizes(width=width, hidden=2 * width, context=64)
    graph = llama(sizes)
    wanted = {
        TensorId(i): format_of(form)
        for i, t in enumerate(graph.tensors)
        if t.role is Role.WEIGHT and len(t.shape) == 2
    }
    return quantise(graph, wanted).graph


def recurrent() -> Graph:
    """An LSTM both ways, then a GRU on its last states."""
    rng = np.random.default_rng(1)
    b = Builder("recurrent")
    x = b.input("x", (("step", 7), ("batch", 2), ("in", 5)))

    def weight(name: str, *shape: int) -> TensorId:
        dims = tuple((f"{name}{i}", n) for i, n in enumerate(shape))
        return b.weight(name, dims, FP32, (rng.standard_normal(shape) * 0.4,))

    forward = (weight("w", 2, 24, 5), weight("r", 2, 24, 6), weight("b", 2, 48))
    _, h, c = b.add_all(Lstm(6, "bidirectional"), (x, *forward, None, None), "lstm")
    gates = (weight("gw", 1, 12, 6), weight("gr", 1, 12, 4), weight("gb", 1, 24))
    z, _ = b.add_all(Gru(4, "reverse", True), (h, *gates, None), "gru")
    return b.finish((z, c))


def _llama(form: str, bound: float, width: int = 64) -> Case:
    symbols = (("n_past", 0), ("n_tokens", 6))
    graph = llama(LlamaSizes()) if form == "fp32" else quantised_llama(form, width)
    return Case(graph, GENERATE, bound, "prefill", symbols)


# fp16 caches round keys and values to 2^-11; int8 activations round to 1/254 of the largest of 32.
CASES: Mapping[str, Callable[[], Case]] = {
    "llama fp32": lambda: _llama("fp32", 2e-3),
    "llama q4_1": lambda: _llama("q4_1", 0.04),
    "llama q8_0": lambda: _llama("q8_0", 0.04),
    "llama q4_k": lambda: _llama("q4_k", 0.04, 256),
    "gpt": lambda: Case(gpt(GptSizes()), Infer(), 1e-5),
    "resnet": lambda: Case(resnet(RESNET), Infer(), 1e-4),
    "mobilenet": lambda: Case(mobilenet_v1(32, 0.25, 10), Infer(), 1e-4),
    "recurrent": lambda: Case(recurrent(), Infer(), 1e-5),
}


@cache
def case(name: str) -> Case:
    return CASES[name]()


@cache
def program(name: str, threads: int = 1) -> Program:
    return case(name).program(threads)


def error(found: NDArray, expected: NDArray) -> float:
    """The largest difference as a part of the largest expected value."""
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-9))
