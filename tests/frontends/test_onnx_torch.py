"""Networks as torch exports them: loaded and rewritten, they equal torch."""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.networks.export import NETWORKS, export, module
from tests.frontends.onnx_oracle import difference
from torch import Tensor, nn
from torch.nn import functional

from netwright.errors import FormatError
from netwright.frontends.onnx import load_onnx
from netwright.graph.graph import Graph
from netwright.graph.interpret import interpret
from netwright.transform.standard import standard


def kinds(graph: Graph) -> Counter[str]:
    return Counter(type(op.kind).__name__ for op, _ in graph.ops())


def same_as_torch(graph: Graph, network: nn.Module, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(x)).numpy()
    got = interpret(graph, {"x": x}, {}, {})[0]["y"]
    assert difference(got, expected) < 1e-5


@pytest.mark.network
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("efficientnet-lite0", {"Conv": 49, "Reduce": 1, "Linear": 1}),
        ("digits", {"Conv": 3, "Pool": 3, "Linear": 2, "Reshape": 1}),
    ],
)
def test_shipped_torch_networks(tmp_path: Path, name: str, expected: dict[str, int]) -> None:
    try:
        network = module(name)
    except FormatError:
        pytest.skip(f"the package of {name} is not installed")
    graph, _ = standard(load_onnx(export(name, tmp_path)))
    assert kinds(graph) == expected
    same_as_torch(graph, network, NETWORKS[name].shape)


class Block(nn.Module):
    """A transformer layer: BERT's with the norm after, ViT's with the norm before."""

    def __init__(self, *, norm_first: bool) -> None:
        super().__init__()
        self.qkv = nn.Linear(16, 48)
        self.out = nn.Linear(16, 16)
        self.norms = nn.ModuleList([nn.LayerNorm(16), nn.LayerNorm(16)])
        self.up, self.down = nn.Linear(16, 32), nn.Linear(32, 16)
        self.norm_first = norm_first

    def attend(self, x: Tensor) -> Tensor:
        parts = self.qkv(x).reshape(x.shape[0], x.shape[1], 3, 4, 4).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(parts[0], parts[1], parts[2])
        return self.out(mixed.transpose(1, 2).reshape(x.shape))

    def feed(self, x: Tensor) -> Tensor:
        return self.down(functional.gelu(self.up(x)))

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.norms
        if self.norm_first:
            x = x + self.attend(first(x))
            return x + self.feed(second(x))
        x = first(x + self.attend(x))
        return second(x + self.feed(x))


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("opset", [14, 17])
def test_transformer_layers(tmp_path: Path, norm_first: bool, opset: int) -> None:
    """Before opset 17 a layer norm is spelled in nine operators."""
    network = Block(norm_first=norm_first).eval()
    path = tmp_path / "block.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network, (torch.zeros(2, 5, 16),), str(path), input_names=["x"], output_names=["y"],
            opset_version=opset, dynamo=False, dynamic_axes={"x": {0: "batch", 1: "tokens"}},
        )  # fmt: skip
    graph, _ = standard(load_onnx(path, {"batch": 2, "tokens": 5}))
    found = kinds(graph)
    assert (found["Attention"], found["LayerNorm"], found["Linear"]) == (1, 2, 4)
    assert set(found) <= {"Attention", "LayerNorm", "Linear", "Reshape", "Transpose", "Slice"}
    same_as_torch(graph, network, (2, 5, 16))
