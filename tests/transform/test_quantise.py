"""Weights in other formats: error, bytes, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from netwright.errors import FormatError, GraphError, UnsupportedError
from netwright.graph.extent import symbol
from netwright.graph.format import FP16, FP32, INT64, Q4_0, Q4_K, Q8_0, Format, format_of
from netwright.graph.graph import Graph
from netwright.graph.tensor import ArrayData, Data, Dim, FileData, Role, Tensor, TensorId
from netwright.transform.quantise import formats_that_divide, matrices, quantise


def _weight(name: str, shape: tuple[int, ...], data: tuple[Data, ...], form: Format = FP32):
    dims = tuple(Dim(f"d{i}", size) for i, size in enumerate(shape))
    return Tensor(name, dims, form, Role.WEIGHT, data=data)


def _graph(tmp_path: Path) -> tuple[Graph, np.ndarray]:
    values = np.random.default_rng(0).standard_normal((2, 6, 64)).astype(np.float32)
    path = tmp_path / "weights.bin"
    path.write_bytes(b"\0" * 12 + values[1].tobytes())
    entries: tuple[Data, ...] = (
        ArrayData(FP32.encode(values[0]).reshape(-1)),
        FileData(path, 12, values[1].nbytes),
    )
    tensors = (
        _weight("w", (6, 64), entries),
        _weight("odd", (3, 20), (ArrayData(FP32.encode(np.ones((3, 20))).reshape(-1)),)),
        _weight("bias", (64,), (ArrayData(FP32.encode(np.zeros(64)).reshape(-1)),)),
        _weight("ids", (2, 32), (ArrayData(np.zeros(512, np.uint8)),), INT64),
        Tensor("x", (Dim("n", symbol("n")),), FP32, Role.ACTIVATION),
        _weight("grows", (2, 32), (ArrayData(np.zeros(256, np.uint8)),)),
    )
    dims = (Dim("n", symbol("n")), Dim("k", 32))
    tensors = (*tensors[:5], Tensor("grows", dims, FP32, Role.WEIGHT, data=tensors[5].data))
    return Graph("net", tensors, (), (TensorId(4),), (TensorId(4),)), values


def test_weights_are_written_anew_and_the_error_is_told(tmp_path: Path):
    graph, values = _graph(tmp_path)
    result = quantise(graph, {TensorId(0): Q8_0, TensorId(2): FP16})
    weight = result.graph[TensorId(0)]
    assert weight.format == Q8_0
    decoded = np.stack(
        [Q8_0.decode(d.raw.reshape(6, -1)) for d in weight.data if isinstance(d, ArrayData)]
    )
    np.testing.assert_array_equal(decoded, Q8_0.decode(Q8_0.encode(values)))
    change, bias = result.changes
    off = decoded - values
    assert change.relative_rms == pytest.approx(np.sqrt((off**2).sum() / (values**2.0).sum()))
    assert change.largest_error == np.abs(off).max()
    assert (change.name, change.before, change.after) == ("w", FP32, Q8_0)
    assert (change.elements, change.before_bytes, change.after_bytes) == (768, 3072, 816)
    assert (bias.relative_rms, bias.after_bytes) == (0, 128)
    assert result.graph.tensors[3:] == graph.tensors[3:]
    assert graph[TensorId(0)].format == FP32


def test_a_weight_already_in_its_format_is_left(tmp_path: Path):
    graph, _ = _graph(tmp_path)
    result = quantise(graph, {TensorId(0): FP32})
    assert result.changes == ()
    assert result.graph[TensorId(0)].data is graph[TensorId(0)].data


def test_fewer_bits_never_err_less(tmp_path: Path):
    graph, _ = _graph(tmp_path)
    names = ("q8_0", "q5_0", "q4_0", "ternary_g64")
    errors = [quantise(graph, {TensorId(0): format_of(n)}).changes[0].relative_rms for n in names]
    assert errors == sorted(errors)


def test_blocks_that_do_not_divide_are_refused_with_formats_that_do(tmp_path: Path):
    graph, _ = _graph(tmp_path)
    with pytest.raises(UnsupportedError, match=r"'odd' has rows of 20 .* 256 of q4_k.*fp4_e2m1"):
        quantise(graph, {TensorId(1): Q4_K})
    for form in formats_that_divide(20, Q4_0):
        quantise(graph, {TensorId(1): form})
    assert formats_that_divide(256, Q4_K)[0] == Q4_0


def test_what_is_no_real_weight_is_refused(tmp_path: Path):
    graph, _ = _graph(tmp_path)
    assert matrices(graph) == (0, 1, 5)
    with pytest.raises(UnsupportedError, match="'ids' holds int64"):
        quantise(graph, {TensorId(3): Q8_0})
    with pytest.raises(GraphError, match="'x' is activation"):
        quantise(graph, {TensorId(4): Q8_0})
    with pytest.raises(GraphError, match="tensor 9; expected 0 to 5"):
        quantise(graph, {TensorId(9): Q8_0})
    with pytest.raises(GraphError, match="'grows': dim 'n' is n"):
        quantise(graph, {TensorId(5): Q8_0})


def test_damaged_data_is_refused(tmp_path: Path):
    graph, values = _graph(tmp_path)
    (tmp_path / "weights.bin").write_bytes(b"short")
    with pytest.raises(FormatError, match=r"weights.bin: weight 'w' of 1536 bytes at 12"):
        quantise(graph, {TensorId(0): Q8_0})
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(FormatError, match=r"weights.bin: weight 'w' cannot be read"):
        quantise(graph, {TensorId(0): Q8_0})
    large = ArrayData(FP32.encode(values[:1] * 1e30).reshape(-1))
    graph = Graph("net", (_weight("w", (6, 64), (large,)),), (), (), ())
    for form in (FP16, Q8_0):
        with pytest.raises(FormatError, match=rf"weight 'w': .*{form.name}|fp16"):
            quantise(graph, {TensorId(0): form})
    graph = Graph("net", (_weight("w", (7, 64), (large,)),), (), (), ())
    with pytest.raises(FormatError, match="1536 bytes in memory, expected 1792"):
        quantise(graph, {TensorId(0): FP16})
