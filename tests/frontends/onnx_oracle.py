"""What the tests of ONNX networks share: where the networks are, their inputs, and the oracle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from netwright.errors import FormatError
from netwright.frontends.packages import package_file
from netwright.graph.graph import Graph
from netwright.graph.interpret import interpret

Values: TypeAlias = NDArray[Any]


@dataclass(frozen=True)
class Network:
    """A shipped network, the sizes that it is tested at, and how its inputs are drawn."""

    name: str
    dims: Mapping[str, int]
    draw: Callable[[np.random.Generator, tuple[int, ...]], Values]
    values: Mapping[str, int] = field(default_factory=dict[str, int])
    sibling: str = ""

    def path(self) -> Path | None:
        try:
            found = package_file(self.name)
        except FormatError:
            return None
        return found.parent / self.sibling if self.sibling else found


GLYPHS = (
    "10001 10001 11111 10001 10001",
    "11111 10000 11110 10000 11111",
    "10000 10000 10000 10000 11111",
    "11111 10001 10001 10001 11111",
    "00100 00100 00100 00100 00100",
)


def page(rng: np.random.Generator, shape: tuple[int, ...]) -> Values:
    """A line of dark block letters on white, normalised as the OCR networks expect."""
    image = np.ones(shape[-2:])
    top = shape[-2] // 2 - 10
    for left in range(12, shape[-1] - 24, 19):
        rows = GLYPHS[rng.integers(len(GLYPHS))].split()
        glyph = np.array([[int(c) for c in row] for row in rows])
        image[top : top + 20, left : left + 15] -= 0.9 * np.kron(glyph, np.ones((4, 3)))
    return np.broadcast_to((image - 0.45) / 0.225, shape)


def noise(rng: np.random.Generator, shape: tuple[int, ...]) -> Values:
    return rng.uniform(-1, 1, shape)


def octets(rng: np.random.Generator, shape: tuple[int, ...]) -> Values:
    return rng.integers(0, 256, shape)


STEP = {"batch": 1, "sequence": 576}
NETWORKS = (
    Network("ocr-det", {"x:0": 1, "x:2": 96, "x:3": 128}, page),
    Network("ocr-rec", {"x:0": 1, "x:2": 48, "x:3": 96}, page),
    Network("ocr-cls", {"x:0": 1, "x:2": 48, "x:3": 192}, page),
    Network("silero-vad", {"sequence_length": 2}, noise),
    Network("silero-vad", STEP, noise, {"sr": 16000}, "silero_vad_16k_op15.onnx"),
    Network(
        "silero-vad",
        {"input:0": 1, "input:1": 576, "state:1": 1},
        noise,
        {"sr": 16000},
        "silero_vad.onnx",
    ),
    Network("silero-vad", STEP, noise, {"sr": 16000}, "silero_vad_op18_ifless.onnx"),
    Network("basic-pitch", {"unk__749": 1}, noise),
    Network("magika", {"unk__214": 1}, octets),
)


def inputs(graph: Graph, network: Network, seed: int) -> dict[str, Values]:
    """Inputs of the network by name, in the types that the file declares."""
    rng = np.random.default_rng(seed)
    given: dict[str, Values] = {}
    for place in graph.inputs:
        tensor = graph[place]
        values = network.draw(rng, tuple(int(str(e)) for e in tensor.shape))
        name = tensor.format.name
        given[tensor.name] = values.astype(np.float32 if name == "fp32" else name)
    return given


def run_oracle(path: Path, given: Mapping[str, Values]) -> dict[str, Values]:
    """Outputs by name from ONNX Runtime, without its optimisations."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(given)), strict=True))


def difference(got: Values, expected: Values) -> float:
    """The largest difference over the largest expected value."""
    assert got.shape == expected.shape
    reference = expected.astype(np.float64)
    return float(np.abs(got.astype(np.float64) - reference).max() / np.abs(reference).max())


def run_references(graph: Graph, given: Mapping[str, Values]) -> dict[str, Values]:
    """Outputs by name, every operator by its reference in float64."""
    values, _ = interpret(graph, given, {}, {})
    return values
