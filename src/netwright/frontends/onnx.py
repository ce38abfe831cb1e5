"""An ONNX (or QONNX) file → Graph.

Opset 7 to 28 of the standard operators, by the version of each that the file asks for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import final

import numpy as np

from netwright.errors import FormatError, UnsupportedError
from netwright.frontends.onnx_create import initialiser
from netwright.frontends.onnx_emit import Emitter
from netwright.frontends.onnx_file import OnnxModel, OnnxValue, read_onnx
from netwright.frontends.onnx_scope import GraphReader
from netwright.frontends.onnx_types import ELEMENT_TYPES, Array, type_name
from netwright.frontends.onnx_value import Value
from netwright.graph.graph import Graph
from netwright.graph.verify import verify

_OPSETS = (7, 28)
_MAX_SIZE = 1 << 40


@final
@dataclass(frozen=True, slots=True)
class OnnxInput:
    """An input of a network as its file declares it; a dim that the caller must bind is None.

    `keys` are the names by which `dims` may bind each dim: its symbol, or `input:axis`.
    """

    name: str
    element: str
    dims: tuple[int | None, ...]
    keys: tuple[str, ...]


def onnx_inputs(path: Path | str) -> tuple[OnnxInput, ...]:
    """What an ONNX file must be given, without reading its weights.

    Raises:
        FormatError: the file is malformed.
    """
    return tuple(_declared(value) for value in _free_inputs(read_onnx(Path(path))))


def load_onnx(
    path: Path | str,
    dims: Mapping[str, int] = MappingProxyType({}),
    values: Mapping[str, Array | float | int] = MappingProxyType({}),
) -> Graph:
    """The network of an ONNX file; every size in it is a number.

    `dims` binds symbolic sizes by their name ("batch") or as "input:axis" ("x:0"). `values`
    binds whole inputs, which then are constants (a sample rate that selects a branch).
    Weights stay in the file. float16 and double activations are computed in fp32.

    Raises:
        FormatError: the file is malformed, or a size is not bound.
        UnsupportedError: an operator or element type is not covered.
        GraphError: the sizes of an operator's inputs do not fit.
    """
    model = read_onnx(Path(path))
    _check_opset(model)
    emit = Emitter()
    scope = _bind_inputs(model, emit, dims, values)
    reader = GraphReader(model, emit)
    outputs = reader.read(model.graph, scope)
    names = [value.name for value in model.graph.outputs]
    name = model.graph.name or model.path.stem
    graph = emit.finish(name, list(zip(names, outputs, strict=True)), model.metadata)
    verify(graph)
    return graph


def _check_opset(model: OnnxModel) -> None:
    low, high = _OPSETS
    version = model.opsets.get("", model.opsets.get("ai.onnx", 0))
    if not low <= version <= high:
        raise UnsupportedError(
            f"{model.path}: got opset {version}, expected {low} to {high}; convert it with "
            "onnx.version_converter"
        )


def _free_inputs(model: OnnxModel) -> list[OnnxValue]:
    """The inputs without a value of their own (old files list their weights as inputs too)."""
    weights = {tensor.name for tensor in model.graph.initialisers}
    return [value for value in model.graph.inputs if value.name not in weights]


def _declared(value: OnnxValue) -> OnnxInput:
    dims = value.dims or ()
    keys = tuple(_key(value.name, i, d) for i, d in enumerate(dims))
    sizes = tuple(d if isinstance(d, int) else None for d in dims)
    return OnnxInput(value.name, type_name(value.type_code), sizes, keys)


def _key(name: str, axis: int, dim: int | str | None) -> str:
    # Some exporters call every unknown size "?": that names nothing.
    return dim if isinstance(dim, str) and dim != "?" else f"{name}:{axis}"


def _bind_inputs(
    model: OnnxModel,
    emit: Emitter,
    dims: Mapping[str, int],
    values: Mapping[str, Array | float | int],
) -> dict[str, Value]:
    free = _free_inputs(model)
    _check_names(model, free, dims, values)
    scope: dict[str, Value] = {t.name: initialiser(t, t.name) for t in model.graph.initialisers}
    for value in free:
        element = ELEMENT_TYPES.get(value.type_code)
        if element is None or value.dims is None:
            raise UnsupportedError(
                f"{model.path}: input {value.name!r} of type {type_name(value.type_code)} and "
                f"dims {value.dims}; only tensors of numbers with a known rank are covered"
            )
        if value.name in values:
            given = np.asarray(values[value.name], dtype=element.values)
            scope[value.name] = emit.constant(given, element, value.name)
        else:
            scope[value.name] = emit.input(value.name, element, _shape(value, dims))
    return scope


def _shape(value: OnnxValue, dims: Mapping[str, int]) -> tuple[int, ...]:
    sizes: list[int] = []
    for axis, dim in enumerate(value.dims or ()):
        size = dims.get(f"{value.name}:{axis}", dims.get(dim) if isinstance(dim, str) else None)
        size = dim if size is None else size
        if not isinstance(size, int) or not 0 < size <= _MAX_SIZE:
            raise FormatError(f"input {value.name!r}: got {size!r} for dim {axis}, expected a size")
        if isinstance(dim, int) and size != dim:
            raise FormatError(f"input {value.name!r}: dim {axis} is {dim} in the file, got {size}")
        sizes.append(size)
    return tuple(sizes)


def _check_names(
    model: OnnxModel,
    free: list[OnnxValue],
    dims: Mapping[str, int],
    values: Mapping[str, Array | float | int],
) -> None:
    """Everything that must be bound is, and nothing else."""
    inputs = {value.name for value in free}
    unknown = sorted(set(values) - inputs)
    if unknown:
        raise FormatError(f"{model.path}: no input is called {unknown}; there are {sorted(inputs)}")
    declared = [_declared(value) for value in free if value.name not in values]
    keys = [
        k for d in declared for axis, key in enumerate(d.keys) for k in (key, f"{d.name}:{axis}")
    ]
    symbols = {d for value in free for d in value.dims or () if isinstance(d, str)}
    unknown = sorted(set(dims) - set(keys) - symbols)
    if unknown:
        raise FormatError(
            f"{model.path}: no size is called {unknown}; there are {sorted(set(keys))}"
        )
    unbound: dict[str, int | str] = {}
    for value in declared:
        for axis, (size, key) in enumerate(zip(value.dims, value.keys, strict=True)):
            if size is None and key not in dims and f"{value.name}:{axis}" not in dims:
                unbound.setdefault(key, 1 if axis == 0 else "...")
    unbound = {k: v for k, v in unbound.items() if k not in dims}
    if unbound:
        example = ", ".join(f"{key!r}: {size}" for key, size in unbound.items())
        raise FormatError(
            f"{model.path}: sizes {list(unbound)} are not bound; pass dims={{{example}}} "
            "(a first dim is most often the batch: 1)"
        )
