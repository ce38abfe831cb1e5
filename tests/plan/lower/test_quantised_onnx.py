"""ONNX networks on 8-bit integers: native results equal ONNX Runtime's, but for ties."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper, save

from netwright.frontends.onnx import load_onnx
from netwright.job.job import Infer
from netwright.machine.load import library_machine
from netwright.plan.make import make_plan
from netwright.run.native import NativeRuntime
from netwright.transform.standard import standard

onnxruntime = pytest.importorskip("onnxruntime")
MACHINE = library_machine("raspberry-pi-5")
Arrays = dict[str, NDArray[Any]]
rng = np.random.default_rng(0)
# ONNX Runtime adds pairs of u8 x s8 products in 16 bits without VNNI, which saturates beyond this.
SAFE = 63
TYPES = {"uint8": TensorProto.UINT8, "int8": TensorProto.INT8, "int32": TensorProto.INT32}


def compare(
    path: Path, nodes: list[Any], weights: Arrays, x: NDArray[Any], outputs: dict[str, str]
) -> None:
    """One network on one input "x"; whole numbers may differ by one where a half was rounded."""
    kind = TensorProto.FLOAT if x.dtype == np.float32 else TYPES[x.dtype.name]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", kind, list(x.shape))],
        [
            helper.make_tensor_value_info(name, TYPES.get(form, TensorProto.FLOAT), None)
            for name, form in outputs.items()
        ],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    save(model, str(path))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    expected = dict(zip(outputs, session.run(list(outputs), {"x": x}), strict=True))
    for change in (lambda g: g, lambda g: standard(g)[0]):
        program = make_plan(change(load_onnx(path)), MACHINE, Infer()).program
        found = NativeRuntime(program).call("forward", {"x": x}, {})
        for name, array in expected.items():
            far = np.abs(found[name].astype(np.float64) - array)
            if array.dtype == np.float32:
                assert far.max() <= 1e-3 * np.abs(array).max()
            elif array.dtype == np.int32:
                assert far.max() == 0
            else:
                assert far.max() <= 1
                assert (far > 0).mean() <= 0.01


def scalar(value: float, form: str = "float32") -> NDArray[Any]:
    return np.array(value, form)


@pytest.mark.parametrize(("left", "right"), [("uint8", "int8"), ("uint8", "uint8")])
def test_products(tmp_path: Path, left: str, right: str) -> None:
    x = rng.integers(0, 255, (3, 7, 20)).astype(left)
    b = rng.integers(-SAFE if right == "int8" else 0, SAFE, (20, 9)).astype(right)
    weights = {"b": b, "az": scalar(120, left), "bz": scalar(3, right)}
    whole = helper.make_node("MatMulInteger", ["x", "b", "az", "bz"], ["y"])
    compare(tmp_path / "whole.onnx", [whole], weights, x, {"y": "int32"})
    weights |= {"as": scalar(0.02), "bs": scalar(0.01), "ys": scalar(0.3), "yz": scalar(77, left)}
    scaled = helper.make_node(
        "QLinearMatMul", ["x", "as", "az", "b", "bs", "bz", "ys", "yz"], ["y"]
    )
    compare(tmp_path / "scaled.onnx", [scaled], weights, x, {"y": left})


@pytest.mark.parametrize("groups", [1, 6])
def test_convolutions(tmp_path: Path, groups: int) -> None:
    x = rng.integers(0, 255, (2, 6, 9, 8)).astype("uint8")
    w = rng.integers(-SAFE, SAFE, (12, 6 // groups, 3, 3)).astype("int8")
    around = {"pads": [1, 1, 1, 1], "strides": [2, 1], "group": groups}
    weights: Arrays = {"w": w, "xz": scalar(100, "uint8")}
    whole = helper.make_node("ConvInteger", ["x", "w", "xz"], ["y"], **around)
    compare(tmp_path / "whole.onnx", [whole], weights, x, {"y": "int32"})
    weights |= {
        "xs": scalar(0.02), "ws": rng.uniform(0.01, 0.03, 12).astype("float32"),
        "wz": np.zeros(12, "int8"), "ys": scalar(0.4), "yz": scalar(90, "uint8"),
        "b": rng.integers(-999, 999, 12).astype("int32"),
    }  # fmt: skip
    names = ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"]
    scaled = helper.make_node("QLinearConv", names, ["y"], **around)
    compare(tmp_path / "scaled.onnx", [scaled], weights, x, {"y": "uint8"})


def test_dynamic_ranges(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        helper.make_node("MatMulInteger", ["q", "b", "z"], ["p"]),
        helper.make_node("Cast", ["p"], ["f"], to=1),
        helper.make_node("Mul", ["f", "s"], ["y"]),
    ]
    weights = {"b": rng.integers(-SAFE, SAFE, (6, 5)).astype("int8")}
    x = rng.normal(1.0, 2.0, (4, 6)).astype("float32")
    compare(tmp_path / "dynamic.onnx", nodes, weights, x, {"y": "", "q": "uint8", "s": ""})


def test_quantised_and_back(tmp_path: Path) -> None:
    """A convolution and a product between quantisers, weights in int8 (QDQ).

    The weights' step makes halves rare: a round 0.01 puts every hundredth sum on one, where the
    order of sums decides and the product after it moves by a step.
    """
    weights: Arrays = {
        "s": scalar(0.05), "z": scalar(128, "uint8"), "o": scalar(0, "int8"),
        "w": rng.integers(-127, 127, (8, 3, 3, 3)).astype("int8"), "ws": scalar(0.0103907),
        "v": rng.integers(-127, 127, (392, 5)).astype("int8"), "ys": scalar(1.0),
    }  # fmt: skip
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "ws", "o"], ["dw"]),
        helper.make_node("Conv", ["d", "dw"], ["c"]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("QuantizeLinear", ["r", "s", "z"], ["rq"]),
        helper.make_node("DequantizeLinear", ["rq", "s", "z"], ["rd"]),
        helper.make_node("Flatten", ["rd"], ["flat"]),
        helper.make_node("DequantizeLinear", ["v", "ws", "o"], ["dv"]),
        helper.make_node("MatMul", ["flat", "dv"], ["y"]),
    ]
    x = rng.normal(0, 2, (1, 3, 9, 9)).astype("float32")
    compare(tmp_path / "qdq.onnx", nodes, weights, x, {"y": ""})
