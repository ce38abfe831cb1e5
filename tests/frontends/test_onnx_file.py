"""The ONNX reader against the onnx package, and against hostile files."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from netwright.errors import FormatError, NetwrightError
from netwright.frontends.onnx import load_onnx
from netwright.frontends.onnx_array import tensor_array
from netwright.frontends.onnx_file import OnnxGraph, read_onnx
from netwright.frontends.onnx_tensor import OnnxTensor
from netwright.graph.tensor import FileData

TYPES = [
    TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16,
    TensorProto.INT8, TensorProto.UINT8, TensorProto.INT16, TensorProto.UINT16,
    TensorProto.INT32, TensorProto.UINT32, TensorProto.INT64, TensorProto.UINT64,
    TensorProto.BOOL, TensorProto.INT4, TensorProto.UINT4,
]  # fmt: skip


def save(tmp_path: Path, tensors: list[TensorProto], **attributes: Any) -> Path:
    node = helper.make_node("Foo", ["x", ""], ["y"], name="foo", domain="custom", **attributes)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, "width", None])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "g", [x], [y], initializer=tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("code", TYPES)
def test_tensors_equal_those_of_the_onnx_package(tmp_path: Path, code: int, raw: bool) -> None:
    low = 0 if TensorProto.DataType.Name(code).startswith(("U", "BOOL")) else -3
    values = np.array([[1, 0, 1], [low, 1, 2]])
    values = values % 2 if code == TensorProto.BOOL else values
    if raw:
        dtype = helper.tensor_dtype_to_np_dtype(code)
        tensor = numpy_helper.from_array(values.astype(dtype), "w")
    else:
        tensor = helper.make_tensor("w", code, [2, 3], values.ravel().tolist())
    (got,) = read_onnx(save(tmp_path, [tensor])).graph.initialisers
    expected = numpy_helper.to_array(tensor).astype(np.float64)
    np.testing.assert_array_equal(tensor_array(got).astype(np.float64), expected)
    assert got.dims == (2, 3)
    if raw:
        assert isinstance(got.data, FileData)


def test_attributes_names_dims_and_opsets(tmp_path: Path) -> None:
    inner = helper.make_graph([helper.make_node("Relu", ["a"], ["b"])], "inner", [], [])
    tensor = helper.make_tensor("t", TensorProto.FLOAT, [1], [2.5])
    path = save(
        tmp_path, [], f=0.5, i=-7, s="text", fs=[1.0, -2.0], is_=[-1, 2**40], ss=["a", "b"],
        t=tensor, g=inner,
    )  # fmt: skip
    model = read_onnx(path)
    (node,) = model.graph.nodes
    assert (node.name, node.operator, node.domain) == ("foo", "Foo", "custom")
    assert (node.inputs, node.outputs) == (("x", ""), ("y",))
    attributes = dict(node.attributes)
    inner_read, tensor_read = attributes.pop("g"), attributes.pop("t")
    assert attributes == {
        "f": 0.5, "i": -7, "s": "text", "fs": (1.0, -2.0), "is_": (-1, 2**40), "ss": ("a", "b"),
    }  # fmt: skip
    assert isinstance(inner_read, OnnxGraph)
    assert inner_read.nodes[0].operator == "Relu"
    assert isinstance(tensor_read, OnnxTensor)
    assert tensor_array(tensor_read).tolist() == [2.5]
    assert model.opsets == {"": 17}
    assert model.graph.inputs[0].dims == (1, "width", None)
    assert model.graph.outputs[0].dims is None


def external(tmp_path: Path, **entries: str) -> Path:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
    return save(tmp_path, [tensor])


def test_external_data_is_found_beside_the_model(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(np.array([9, 1, 2], dtype="<f4").tobytes())
    path = external(tmp_path, location="w.bin", offset="4", length="8")
    (tensor,) = read_onnx(path).graph.initialisers
    assert tensor_array(tensor).tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"location": "../w.bin"}, "expected a file in the model's folder"),
        ({"location": "/etc/passwd"}, "expected a file in the model's folder"),
        ({}, "expected a file in the model's folder"),
        ({"location": "none.bin"}, "no such file"),
        ({"location": "w.bin", "offset": "8"}, "but the file ends at 12"),
        ({"location": "w.bin", "length": "4"}, "got 4 bytes, expected 8"),
        ({"location": "w.bin", "offset": "-4"}, "expected a number of bytes"),
        ({"location": "link.bin"}, "expected a file in the model's folder"),
    ],
)
def test_external_data_stays_inside(tmp_path: Path, entries: dict[str, str], message: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for file in (tmp_path / "w.bin", folder / "w.bin"):
        file.write_bytes(bytes(12))
    (folder / "link.bin").symlink_to(tmp_path / "w.bin")
    with pytest.raises(FormatError, match=message):
        read_onnx(external(folder, **entries))


def test_sizes_must_agree(tmp_path: Path) -> None:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2**40, 2**40], raw_data=b"x")
    with pytest.raises(FormatError, match="got 1 bytes, expected"):
        read_onnx(save(tmp_path, [tensor]))


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    graph = helper.make_graph([], "g", [], [])
    for _ in range(20):
        graph = helper.make_graph([helper.make_node("If", ["c"], [], then=graph)], "g", [], [])
    path = tmp_path / "deep.onnx"
    path.write_bytes(helper.make_model(graph).SerializeToString())
    with pytest.raises(FormatError, match="nested deeper"):
        read_onnx(path)


@pytest.mark.parametrize("content", [b"", b"\xff" * 30, b"GGUF" + bytes(40), b"\x3a\xff\xff\x03"])
def test_what_is_no_onnx_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "not.onnx"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"not\.onnx"):
        read_onnx(path)
    with pytest.raises(FormatError, match="no regular file"):
        read_onnx(tmp_path)
    with pytest.raises(FormatError, match="cannot be read"):
        read_onnx(tmp_path / "missing.onnx")


LIGHT = Path(onnx.__file__).parent / "backend/test/data/light/light_squeezenet.onnx"


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_mutated_file_is_loaded_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    raw = bytearray(LIGHT.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.integers(0, len(raw)))] if data.draw(st.booleans()) else raw
    path = tmp_path_factory.getbasetemp() / "mutated.onnx"
    path.write_bytes(raw)
    with contextlib.suppress(NetwrightError):
        load_onnx(path)
