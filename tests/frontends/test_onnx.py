"""ONNX networks against ONNX Runtime, operators against ONNX's own test cases, and errors."""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tests.frontends.onnx_oracle import (
    NETWORKS,
    Network,
    difference,
    inputs,
    run_oracle,
    run_references,
)

from netwright.errors import FormatError, NetwrightError, UnsupportedError
from netwright.frontends.onnx import load_onnx, onnx_inputs
from netwright.frontends.onnx_operators import OPERATORS
from netwright.graph.graph import Graph
from netwright.graph.ops.quantise import FakeQuantise
from netwright.graph.tensor import FileData, Role
from netwright.graph.verify import verify

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"


def kinds(graph: Graph) -> Counter[str]:
    return Counter(type(op.kind).__name__ for op, _ in graph.ops())


@pytest.mark.network
@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: n.sibling or n.name)
def test_a_real_network_equals_onnx_runtime(network: Network) -> None:
    path = network.path()
    if path is None:
        pytest.skip(f"the package of {network.name} is not installed")
    graph = load_onnx(path, network.dims, network.values)
    verify(graph)
    given = inputs(graph, network, seed=0)
    fixed = {k: np.array(v) for k, v in network.values.items()}
    expected = run_oracle(path, {**given, **fixed})
    got = run_references(graph, given)
    assert list(got) == list(expected)
    for name, values in expected.items():
        # The oracle computes in float32: this is its noise.
        assert difference(got[name], values) < 1e-4


@pytest.mark.network
def test_weights_stay_in_the_file() -> None:
    network = NETWORKS[1]
    path = network.path()
    if path is None:
        pytest.skip("the package is not installed")
    graph = load_onnx(path, network.dims)
    sizes = Counter[type]()
    for tensor in graph.tensors:
        for data in tensor.data:
            mapped = isinstance(data, FileData)
            sizes[type(data)] += data.size_bytes if mapped else data.raw.size
    assert sizes[FileData] > 0.999 * sizes.total()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet50", {"Conv": 53, "BatchNorm": 53, "Unary": 49, "Binary": 16, "Linear": 1}),
        ("shufflenet", {"Conv": 49, "Transpose": 16, "Concat": 3, "Pool": 5}),
        ("squeezenet", {"Conv": 26, "Concat": 8, "Reduce": 1, "Softmax": 1}),
        ("inception_v1", {"Conv": 57, "Concat": 9, "Pool": 16}),
        ("densenet121", {"Conv": 121, "BatchNorm": 121, "Concat": 58}),
    ],
)
def test_light_networks_have_their_structure(name: str, expected: dict[str, int]) -> None:
    """Their weights are made by nodes, which are folded."""
    graph = load_onnx(LIGHT / f"light_{name}.onnx")
    verify(graph)
    found = kinds(graph)
    assert {kind: found[kind] for kind in expected} == expected
    assert all(graph[op.inputs[1]].role is Role.WEIGHT  # type: ignore[index]
               for op, _ in graph.ops() if type(op.kind).__name__ == "Conv")  # fmt: skip


# Expanded cases repeat other operators; casts to bfloat16 round there; the last contradicts
# ONNX Runtime, whose rule we follow.
_APART = ("_expanded", "bf16", "bfloat16", "scales_linear_align_corners")


def backend_cases() -> list[Any]:
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [
            case
            for case in collect_testcases(None)
            if {n.op_type for n in case.model.graph.node} <= set(OPERATORS)
            and not any(part in case.name for part in _APART)
        ]


def load_binding_what_must_be(path: Path, feed: dict[str, Any]) -> Graph:
    """Inputs that must be known at load time are given then, the first one only if need be."""
    first = next(iter(feed), None)
    bindable = {k: v for k, v in feed.items() if k != first and isinstance(v, np.ndarray)}
    for values in ({}, bindable):
        try:
            return load_onnx(path, {}, values)
        except (UnsupportedError, FormatError):
            continue
    return load_onnx(path, {}, feed)


def test_operators_equal_onnx_test_cases(tmp_path: Path) -> None:
    """All node test cases of the onnx package whose operators are covered."""
    path = tmp_path / "case.onnx"
    passed, wrong = 0, []
    for case in backend_cases():
        path.write_bytes(case.model.SerializeToString())
        given, expected = case.data_sets[0]
        if not all(isinstance(a, np.ndarray) for a in (*given, *expected)):
            continue
        feed = dict(zip((i.name for i in case.model.graph.input), given, strict=True))
        try:
            graph = load_binding_what_must_be(path, feed)
        except NetwrightError:
            continue
        if any(0 in tensor.shape for tensor in graph.tensors):
            continue
        with np.errstate(all="ignore"):
            got = run_references(graph, {graph[i].name: feed[graph[i].name] for i in graph.inputs})
        passed += 1
        for result, wanted in zip(got.values(), expected, strict=True):
            close = {"rtol": 1e-3, "atol": 1e-5, "equal_nan": True}
            wanted = wanted.astype(np.float64)
            if result.shape != wanted.shape or not np.allclose(result, wanted, **close):
                wrong.append(case.name)
    assert wrong == []
    assert passed > 550


def model(tmp_path: Path, nodes: list[Any], dims: list[Any], **options: Any) -> Path:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, dims)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "g", [x], [y], initializer=options.get("weights", []))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("qonnx.custom_op.general", 1)]
    path = tmp_path / "model.onnx"
    made = helper.make_model(graph, opset_imports=opsets, functions=options.get("functions", []))
    path.write_bytes(made.SerializeToString())
    return path


def test_unbound_sizes_are_listed(tmp_path: Path) -> None:
    path = model(tmp_path, [helper.make_node("Relu", ["x"], ["y"])], ["batch", 3, "?"])
    with pytest.raises(FormatError, match=r"\['batch', 'x:2'\] are not bound.*'batch': 1"):
        load_onnx(path)
    with pytest.raises(FormatError, match=r"no size is called \['width'\]"):
        load_onnx(path, {"width": 2})
    assert load_onnx(path, {"batch": 2, "x:2": 5}).tensors[0].shape == (2, 3, 5)
    assert onnx_inputs(path)[0].keys == ("batch", "x:1", "x:2")
    assert onnx_inputs(path)[0].dims == (None, 3, None)


@pytest.mark.parametrize(
    ("operator", "domain", "message"),
    [
        ("Loop", "", "operator Loop .opset 17. is not supported; export with static shapes"),
        ("MatMull", "", "did you mean MatMul"),
        ("FusedGelu", "com.microsoft", "com.microsoft.FusedGelu.*standard operators"),
    ],
)
def test_an_unknown_operator_says_what_would_help(
    tmp_path: Path, operator: str, domain: str, message: str
) -> None:
    node = helper.make_node(operator, ["x"], ["y"], name="the_node", domain=domain)
    with pytest.raises(UnsupportedError, match=f"node 'the_node'.*{message}"):
        load_onnx(model(tmp_path, [node], [1]))


def test_a_malformed_node_is_named(tmp_path: Path) -> None:
    node = helper.make_node("Transpose", ["x"], ["y"], name="turn", perm=[0, 7])
    with pytest.raises(NetwrightError, match="turn"):
        load_onnx(model(tmp_path, [node], [2, 3]))


def test_constants_cannot_run_away(tmp_path: Path) -> None:
    size = helper.make_tensor("size", TensorProto.INT64, [2], [2**20, 2**20])
    nodes = [
        helper.make_node("ConstantOfShape", ["size"], ["big"]),
        helper.make_node("Add", ["x", "big"], ["y"]),
    ]
    with pytest.raises(UnsupportedError, match="store large constants as initialisers"):
        load_onnx(model(tmp_path, nodes, [1], weights=[size]))


def test_a_function_of_the_model_is_read_in_place(tmp_path: Path) -> None:
    scale = helper.make_node("LeakyRelu", ["a"], ["b"])
    reference = scale.attribute.add(name="alpha", ref_attr_name="slope", type=1)
    assert reference.ref_attr_name == "slope"
    function = helper.make_function(
        "qonnx.custom_op.general", "Leak", ["a"], ["b"], [scale],
        [helper.make_opsetid("", 17)], ["slope"],
    )  # fmt: skip
    call = helper.make_node("Leak", ["x"], ["y"], domain="qonnx.custom_op.general", slope=0.25)
    graph = load_onnx(model(tmp_path, [call], [2], functions=[function]))
    got = run_references(graph, {"x": np.array([-4.0, 2.0])})
    np.testing.assert_array_equal(got["y"], [-1.0, 2.0])


def test_quantisers_become_fake_quantise(tmp_path: Path) -> None:
    weights = [
        helper.make_tensor("scale", TensorProto.FLOAT, [], [0.5]),
        helper.make_tensor("zero", TensorProto.UINT8, [], [128]),
        helper.make_tensor("none", TensorProto.FLOAT, [], [0.0]),
        helper.make_tensor("bits", TensorProto.FLOAT, [], [3.0]),
    ]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["d"]),
        helper.make_node(
            "Quant", ["d", "scale", "none", "bits"], ["y"],
            domain="qonnx.custom_op.general", signed=1, narrow=0, rounding_mode="ROUND",
        ),
    ]  # fmt: skip
    graph = load_onnx(model(tmp_path, nodes, [4], weights=weights))
    found = [op.kind for op, _ in graph.ops() if isinstance(op.kind, FakeQuantise)]
    assert [(k.bits, k.signed) for k in found] == [(8.0, False), (3.0, True)]
    got = run_references(graph, {"x": np.array([-9.0, -0.3, 0.8, 100.0])})
    np.testing.assert_array_equal(got["y"], [-2.0, -0.5, 1.0, 1.5])
