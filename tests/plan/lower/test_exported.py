"""Networks as torch exports them, opset 11 to 20: native results equal ONNX Runtime's."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tests.plan.lower.exported_networks import NETWORKS, Network

from netwright.frontends.onnx import load_onnx
from netwright.job.job import Infer
from netwright.machine.load import library_machine
from netwright.plan.make import make_plan
from netwright.run.native import NativeRuntime
from netwright.transform.standard import standard

onnxruntime = pytest.importorskip("onnxruntime")
MACHINE = library_machine("raspberry-pi-5")


def example(network: Network) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    if network.tokens:
        return torch.randint(0, 50, network.shape, generator=generator)
    return torch.randn(network.shape, generator=generator)


def exported(network: Network, x: torch.Tensor, path: Path, opset: int) -> Path:
    """The network with settled norms, as the exporter that needs no package writes it."""
    torch.manual_seed(0)
    module = network.make()
    if not network.tokens:
        module(x)  # statistics that are not 0 and 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(), (x,), str(path), input_names=["x"], output_names=["y"],
            opset_version=opset, dynamo=False,
        )  # fmt: skip
    return path


def native(path: Path, x: NDArray[Any], *, rewritten: bool) -> NDArray[Any]:
    graph = load_onnx(path)
    if rewritten:
        graph, _ = standard(graph)
    program = make_plan(graph, MACHINE, Infer()).program
    return NativeRuntime(program).call("forward", {"x": x}, {})["y"]


@pytest.mark.parametrize("opset", [11, 13, 17, 20])
@pytest.mark.parametrize("name", NETWORKS)
def test_exported_networks(tmp_path: Path, name: str, opset: int) -> None:
    """As rewritten, and operator by operator as the file has it."""
    network = NETWORKS[name]
    x = example(network)
    path = exported(network, x, tmp_path / "network.onnx", opset)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"x": x.numpy()})
    for rewritten in (True, False):
        found = native(path, x.numpy(), rewritten=rewritten)
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()
