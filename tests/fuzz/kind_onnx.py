"""ONNX files: a convolutional network, a recurrent one, and one full of shape arithmetic."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from netwright.frontends.onnx import load_onnx, onnx_inputs
from netwright.graph.extent import resolve
from netwright.job.job import Infer
from netwright.machine.load import library_machine
from netwright.plan.make import make_plan
from netwright.run.native import NativeRuntime

from .kind import Kind
from .mutate_protobuf import mutate_protobuf


def _write(path: Path, nodes: list[Any], dims: list[Any], weights: dict[str, Any]) -> Path:
    random = np.random.default_rng(0)
    initialisers = [
        numpy_helper.from_array(
            value if isinstance(value, np.ndarray) else random.standard_normal(value, np.float32),
            name,
        )
        for name, value in weights.items()
    ]
    graph = helper.make_graph(
        nodes,
        path.stem,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, dims)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        initialisers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, path)
    return path


def _convolutions(path: Path) -> Path:
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w", "b"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("BatchNormalization", ["c", "s", "b", "m", "v"], ["n"], epsilon=1e-5),
        node("Relu", ["n"], ["r"]),
        node("Conv", ["r", "d"], ["e"], group=4, strides=[2, 2], auto_pad="SAME_UPPER"),
        node("MaxPool", ["e"], ["p"], kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
        node("ConvTranspose", ["p", "t"], ["u"], strides=[2, 2]),
        node("Resize", ["u", "", "scales"], ["z"], mode="linear"),
        node("Pad", ["z", "pads"], ["q"], mode="reflect"),
        node("GlobalAveragePool", ["q"], ["g"]),
        node("Flatten", ["g"], ["f"], axis=1),
        node("Gemm", ["f", "k"], ["y"], transB=1, alpha=0.5),
    ]
    weights: dict[str, Any] = {
        "w": (4, 3, 3, 3), "b": (4,), "s": (4,), "m": (4,), "v": np.ones(4, np.float32),
        "d": (4, 1, 3, 3), "t": (4, 2, 2, 2), "k": (5, 2),
        "scales": np.array([1, 1, 2, 2], np.float32),
        "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64),
    }  # fmt: skip
    return _write(path, nodes, ["batch", 3, 8, 8], weights)


def _recurrent(path: Path) -> Path:
    node = helper.make_node
    nodes = [
        node("LSTM", ["x", "w", "r", "b"], ["s", "h", ""], hidden_size=4),
        node("Squeeze", ["s", "axis"], ["q"]),
        node("GRU", ["q", "gw", "gr"], ["", "g"], hidden_size=4, linear_before_reset=1),
        node("Transpose", ["g"], ["t"], perm=[1, 0, 2]),
        node("LayerNormalization", ["t", "scale"], ["n"], axis=-1),
        node("Softmax", ["n"], ["y"], axis=-1),
    ]
    weights: dict[str, Any] = {
        "w": (1, 16, 6), "r": (1, 16, 4), "b": (1, 32), "gw": (1, 12, 4), "gr": (1, 12, 4),
        "scale": (4,), "axis": np.array([1], np.int64),
    }  # fmt: skip
    return _write(path, nodes, [5, "batch", 6], weights)


def _shapes(path: Path) -> Path:
    node = helper.make_node
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "zero"], ["n"], axis=0),
        node("Unsqueeze", ["n", "axes"], ["u"]),
        node("Concat", ["u", "rest"], ["to"], axis=0),
        node("Reshape", ["x", "to"], ["r"]),
        node("Slice", ["r", "starts", "ends", "axes2", "steps"], ["l"]),
        node("Split", ["l"], ["a", "c"], axis=2),
        node("MatMul", ["a", "m"], ["o"]),
        node("Transpose", ["c"], ["f"], perm=[0, 2, 1]),
        node("MatMul", ["o", "f"], ["e"]),
        node("Expand", ["e", "wide"], ["w"]),
        node("Tile", ["w", "times"], ["t"]),
        node("ReduceMean", ["t"], ["d"], axes=[-1], keepdims=0),
        node("Where", ["flag", "d", "one"], ["y"]),
    ]
    numbers = {
        "zero": 0, "axes": [0], "rest": [4, 8], "starts": [3, 0], "ends": [-99, 8],
        "axes2": [1, 2], "steps": [-1, 1], "wide": [2, 4, 4], "times": [1, 2, 1],
    }  # fmt: skip
    weights: dict[str, Any] = {k: np.array(v, np.int64) for k, v in numbers.items()}
    weights |= {"m": (4, 4), "flag": np.array(True), "one": np.ones(1, np.float32)}
    return _write(path, nodes, ["batch", 32], weights)


def small_models(folder: Path) -> list[Path]:
    """Three networks; one dim of each input is the symbol "batch"."""
    return [
        _convolutions(folder / "convolutions.onnx"),
        _recurrent(folder / "recurrent.onnx"),
        _shapes(folder / "shapes.onnx"),
    ]


# A mutated network may ask for more work or memory than a test has; that is no fault.
MOST_ELEMENTS = 1 << 18
MOST_ARENA_BYTES = 1 << 28


def _load(path: Path) -> None:
    dims = {
        key: 2
        for declared in onnx_inputs(path)
        for key, size in zip(declared.keys, declared.dims, strict=True)
        if size is None
    }
    graph = load_onnx(path, dims)
    program = make_plan(graph, library_machine("raspberry-pi-5"), Infer()).program
    (entry,) = program.entries
    operands = [o for task in entry.tasks for o in task.operands if o is not None]
    shapes = [[resolve(extent, {}) for extent in operand.shape] for operand in operands]
    scratch = sum(arena.size_bytes for arena in program.arenas)
    if sum(map(math.prod, shapes)) <= MOST_ELEMENTS and scratch <= MOST_ARENA_BYTES:
        runtime = NativeRuntime(program)
        runtime.execute(entry.name, {})
        for name in runtime.output_names(entry.name):
            runtime.view(entry.name, name, {}).copy()


ONNX = Kind("onnx", ".onnx", small_models, _load, edit=mutate_protobuf)
