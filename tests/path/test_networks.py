"""Real networks, planned and run natively, against what others compute."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.frontends.onnx_oracle import NETWORKS, Network, difference, inputs, run_oracle

from netwright.errors import FormatError
from netwright.frontends.load import load
from netwright.frontends.onnx import load_onnx
from netwright.frontends.packages import package_file
from netwright.graph.graph import Graph
from netwright.graph.interpret import interpret
from netwright.job.job import Generate, Infer, Limits
from netwright.machine.load import library_machine
from netwright.plan.make import make_plan
from netwright.run.decoder import NativeDecoder
from netwright.run.generate.generate import Request, generate
from netwright.run.generate.load import load_tokeniser
from netwright.run.native import NativeRuntime

MACHINE = "raspberry-pi-5"
BOUND = 1e-3
GREEDY = Path(__file__).parents[1] / "run" / "generate" / "smollm2_greedy.json"
# The stored ids were chosen by kernels that round elsewhere: below this, either id may win.
CLEAR_MARGIN = 0.3
# One of each shipped file; silero-vad's other files have the same layers.
SHIPPED = tuple(n for n in NETWORKS if not n.sibling)


def natively(graph: Graph, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    job = Infer(limits=Limits(threads=2))
    program = make_plan(graph, library_machine(MACHINE), job).program
    return NativeRuntime(program).call("forward", given, {})


def text_bytes(graph: Graph) -> dict[str, np.ndarray]:
    """What magika is fed: the first and last 1024 bytes of a text (this one)."""
    (place,) = graph.inputs
    tensor = graph[place]
    size = int(np.prod([int(str(e)) for e in tensor.shape]))
    raw = np.frombuffer(Path(__file__).read_bytes().strip(), np.uint8)
    both = np.concatenate((raw[: size // 2], raw[-(size // 2) :])).astype(np.int32)
    return {tensor.name: both.reshape([int(str(e)) for e in tensor.shape])}


@pytest.mark.network
@pytest.mark.parametrize("network", SHIPPED, ids=lambda n: n.name)
def test_native_equals_onnx_runtime(network: Network) -> None:
    path = network.path()
    if path is None:
        pytest.skip(f"the package of {network.name} is not installed")
    graph = load_onnx(path, network.dims, network.values)
    given = text_bytes(graph) if network.name == "magika" else inputs(graph, network, seed=0)
    expected = run_oracle(path, given)
    found = natively(graph, given)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert difference(found[name], values) < BOUND


@pytest.mark.network
def test_minilm_equals_the_interpreter() -> None:
    try:
        graph = load("minilm", dims={"n_tokens": 12})
    except FormatError:
        pytest.skip("the package of minilm is not installed")
    rng = np.random.default_rng(0)
    given = {graph[i].name: rng.integers(1, 1000, _shape(graph, i)) for i in graph.inputs}
    for name in given:
        if "mask" in name:
            given[name] = np.ones_like(given[name])
        elif "type" in name:
            given[name] = np.zeros_like(given[name])
    expected, _ = interpret(graph, given, {}, {})
    found = natively(graph, given)
    for name, values in expected.items():
        assert difference(found[name], values) < BOUND


def _shape(graph: Graph, place: int) -> tuple[int, ...]:
    return tuple(int(str(e)) for e in graph[place].shape)  # type: ignore[index]


@pytest.mark.network
def test_smollm2_says_what_is_known() -> None:
    """Greedy ids equal the stored ones up to the first choice that was not clear."""
    try:
        path = package_file("smollm2")
    except FormatError:
        pytest.skip("the package of smollm2 is not installed")
    tokeniser = load_tokeniser(path)
    job = Generate(prompt=16, tokens=16, chunk=16, verify=2, limits=Limits(threads=2))
    program = make_plan(load(path), library_machine(MACHINE), job).program
    runtime = NativeRuntime(program)
    for known in json.loads(GREEDY.read_text())[:2]:
        clear = next(i for i, m in enumerate(known["margins"]) if m < CLEAR_MARGIN)
        assert clear > 2
        number = min(clear, 12)
        prompt = tokeniser.encode_prompt(known["prompt"])
        assert prompt == known["prompt_ids"]
        runtime.reset()
        decoder = NativeDecoder(runtime, tokeniser.size)
        said = [t.id for t in generate(decoder, tokeniser, Request(tuple(prompt), number))]
        assert said == known["ids"][:number]
