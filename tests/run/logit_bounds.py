"""Logits of a small llama in every format against float64, and the bound that is stated for them.

`python -m tests.run.logit_bounds` prints the table of docs/formats.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from tests.run.graphs import MACHINE, error

from netwright.graph.format import format_of
from netwright.graph.graph import Graph
from netwright.graph.interpret import Interpreter
from netwright.graph.tensor import Role, TensorId
from netwright.graph.zoo import llama
from netwright.graph.zoo.llama import LlamaSizes
from netwright.job.job import Generate, Limits
from netwright.machine.load import library_machine
from netwright.plan.lower.token import ACTIVATION_FORMAT
from netwright.plan.make import make_plan
from netwright.run.native import NativeRuntime
from netwright.transform.quantise import quantise

SIZES = LlamaSizes(vocabulary=64, width=256, hidden=256, layers=2)
DECODED = ("fp32", "fp16", "bf16", "int8_g32_fp16", "nf4")
FORMATS = (*DECODED, *ACTIVATION_FORMAT)
PROMPT, SEEDS = 12, 3

# RMS error of rounding to a whole number of steps of 1/127 of the largest of n normal numbers,
# as a part of their RMS: E[max of n] / 127 / sqrt(12).
ROUNDING = {"act8x32": 2.4 / 127 / sqrt(12), "act8x256": 3.0 / 127 / sqrt(12)}
# RMS error of fp16: half a step is 2^-12 to 2^-11 of the value; uniform within it.
HALF = 2.0**-11 / sqrt(3)


@dataclass(frozen=True)
class Measured:
    """Largest errors over all seeds: the largest difference over the largest logit, and RMS."""

    largest: float
    rms: float


def bound(form: str, layers: int) -> float:
    """Twice the root of the sum of squares of every rounding in series.

    Activations are rounded four times a layer (before q k v, o, gate and up, down) and once before
    the output; keys and values once each. Twice: gated values have longer tails than normal ones.
    """
    cached = 2 * layers * HALF**2
    if form in DECODED:
        return 2 * sqrt(cached)
    return 2 * sqrt(cached + (4 * layers + 1) * ROUNDING[ACTIVATION_FORMAT[form]] ** 2)


def network(form: str) -> Graph:
    """A llama whose matrices (all weights, for plain floats) are in this format."""
    graph = llama(SIZES)
    wanted = {
        TensorId(i): format_of(form)
        for i, t in enumerate(graph.tensors)
        if t.role is Role.WEIGHT and (len(t.shape) == 2 or form in ("fp16", "bf16"))
    }
    return quantise(graph, wanted).graph


def measure(form: str) -> Measured:
    """Native against float64: a prompt, then one token after it."""
    graph = network(form)
    job = Generate(prompt=PROMPT, tokens=4, limits=Limits(threads=1))
    runtime = NativeRuntime(make_plan(graph, library_machine(MACHINE), job).program)
    interpreter = Interpreter(graph)
    largest: list[float] = []
    rms: list[float] = []
    for seed in range(SEEDS):
        ids = np.random.default_rng(seed).integers(0, SIZES.vocabulary, PROMPT + 1)
        symbols = {"n_tokens": PROMPT + 1, "n_past": 0}
        expected = interpreter({"tokens": ids}, symbols, {})[0]["logits"]
        runtime.reset()
        symbols = {"n_tokens": PROMPT, "n_past": 0}
        prompt = runtime.call("prefill", {"tokens": ids[:-1]}, symbols)["logits"]
        symbols = {"n_tokens": 1, "n_past": PROMPT}
        last = runtime.call("decode", {"tokens": ids[-1:]}, symbols)["logits"]
        found = np.concatenate((prompt, last))
        largest.append(error(found, expected))
        rms.append(float(np.linalg.norm(found - expected) / np.linalg.norm(expected)))
    return Measured(max(largest), max(rms))


def main() -> None:
    """Prints the table."""
    print("| format | bound | largest difference / largest logit | RMS |\n|---|---:|---:|---:|")
    for form in FORMATS:
        found = measure(form)
        print(f"| `{form}` | {bound(form, 2):.2g} | {found.largest:.2g} | {found.rms:.2g} |")


if __name__ == "__main__":
    main()
