"""An ONNX file → its model as frozen records; weights stay in the file.

Own reader: no `onnx` package at run time, no copy of weights, every count and offset checked.
Source: onnx.proto3 (field numbers), IR version 3 to 13.
"""

from __future__ import annotations

import mmap
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, final

import numpy as np

from netwright.errors import FormatError
from netwright.frontends.onnx_tensor import OnnxTensor, read_tensor
from netwright.frontends.onnx_wire import BYTES, FIXED32, Field, Message, Wire

_MAX_DEPTH = 16  # of subgraphs within subgraphs


@final
@dataclass(frozen=True, slots=True)
class AttributeReference:
    """Inside a function: the value is the caller's attribute of this name."""

    name: str


@final
@dataclass(frozen=True, slots=True)
class OnnxValue:
    """A declared input or output. A dim is a number, a symbol's name, or None when unknown."""

    name: str
    type_code: int
    dims: tuple[int | str | None, ...] | None


@final
@dataclass(frozen=True, slots=True)
class OnnxNode:
    """One operator. An empty string in `inputs` is an absent optional input."""

    name: str
    operator: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, AttributeValue]


@final
@dataclass(frozen=True, slots=True)
class OnnxGraph:
    """A graph or subgraph, nodes in execution order."""

    name: str
    nodes: tuple[OnnxNode, ...]
    initialisers: tuple[OnnxTensor, ...]
    inputs: tuple[OnnxValue, ...]
    outputs: tuple[OnnxValue, ...]


AttributeValue: TypeAlias = (
    float
    | int
    | str
    | OnnxTensor
    | OnnxGraph
    | AttributeReference
    | tuple[float, ...]
    | tuple[int, ...]
    | tuple[str, ...]
    | tuple[OnnxTensor, ...]
    | tuple[OnnxGraph, ...]
)


@final
@dataclass(frozen=True, slots=True)
class OnnxFunction:
    """An operator that the model itself defines by nodes."""

    name: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    defaults: Mapping[str, AttributeValue]
    nodes: tuple[OnnxNode, ...]


@final
@dataclass(frozen=True, slots=True)
class OnnxModel:
    """A whole file. `opsets` maps a domain to its version ("" is the standard one)."""

    path: Path
    graph: OnnxGraph
    opsets: Mapping[str, int]
    functions: tuple[OnnxFunction, ...]
    metadata: tuple[tuple[str, str], ...]


def read_onnx(path: Path) -> OnnxModel:
    """The model of an ONNX file.

    Raises:
        FormatError: the file cannot be read, is malformed, or refers to bytes outside itself.
    """
    raw = map_file(path)
    wire = Wire(str(path), raw.data)
    model = wire.message(Field(BYTES, 0, 0, raw.size), "model")
    graph = model.only(7, "graph")
    if graph is None:
        raise model.fail("got no graph, expected an ONNX model; is this an .onnx file?")
    reader = _Reader(path)
    return OnnxModel(
        path,
        reader.graph(graph, 0),
        {m.text(1): m.integer(2) for m in model.messages(8, "opset_import")},
        tuple(reader.function(m) for m in model.messages(25, "functions")),
        _metadata(model),
    )


def map_file(path: Path) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """The bytes of a file, mapped and read-only.

    Raises:
        FormatError: it is not a readable, regular, non-empty file.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise FormatError(f"{path}: got something that is no regular file")
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise FormatError(f"{path}: got an empty file") from error
    return np.frombuffer(mapped, dtype=np.uint8)


def _metadata(model: Message) -> tuple[tuple[str, str], ...]:
    producer = ("producer", f"{model.text(2)} {model.text(3)}".strip())
    entries = [(m.text(1), m.text(2)) for m in model.messages(14, "metadata_props")]
    return tuple(entry for entry in [producer, *entries] if entry[1])


@final
class _Reader:
    """Messages → records, for one file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def graph(self, message: Message, depth: int) -> OnnxGraph:
        if depth > _MAX_DEPTH:
            raise message.fail(f"subgraphs nested deeper than {_MAX_DEPTH}")
        if message.has(15):
            raise message.fail("got sparse initialisers; store them dense")
        return OnnxGraph(
            message.text(2),
            tuple(self.node(m, depth) for m in message.messages(1, "node")),
            tuple(self.tensor(m) for m in message.messages(5, "initializer")),
            tuple(_value(m) for m in message.messages(11, "input")),
            tuple(_value(m) for m in message.messages(12, "output")),
        )

    def function(self, message: Message) -> OnnxFunction:
        defaults = [self.attribute(m, 0) for m in message.messages(11, "attribute_proto")]
        return OnnxFunction(
            message.text(1),
            message.text(10),
            message.texts(4),
            message.texts(5),
            dict(defaults),
            tuple(self.node(m, 0) for m in message.messages(7, "node")),
        )

    def node(self, message: Message, depth: int) -> OnnxNode:
        return OnnxNode(
            message.text(3),
            message.text(4),
            "" if message.text(7) == "ai.onnx" else message.text(7),
            message.texts(1),
            message.texts(2),
            dict(self.attribute(m, depth) for m in message.messages(5, "attribute")),
        )

    def tensor(self, message: Message) -> OnnxTensor:
        return read_tensor(message, self._path)

    def attribute(self, message: Message, depth: int) -> tuple[str, AttributeValue]:
        name = message.text(1)
        if message.has(21):
            return name, AttributeReference(message.text(21))
        return name, self._attribute_value(message, depth)

    def _attribute_value(self, message: Message, depth: int) -> AttributeValue:
        kind = message.integer(20) or _guess_kind(message)
        match kind:
            case 1:
                return _floats(message, 2)[0] if message.has(2) else 0.0
            case 2:
                return message.integer(3)
            case 3:
                return str(message.raw(4), "utf-8", "replace")
            case 4 | 5:
                part = message.only(kind + 1, "t" if kind == 4 else "g")
                if part is None:
                    raise message.fail("got an attribute without its value")
                return self.tensor(part) if kind == 4 else self.graph(part, depth + 1)
            case 6:
                return _floats(message, 7)
            case 7:
                return tuple(message.integers(8).tolist())
            case 8:
                return message.texts(9)
            case 9:
                return tuple(self.tensor(m) for m in message.messages(10, "tensors"))
            case 10:
                return tuple(self.graph(m, depth + 1) for m in message.messages(11, "graphs"))
            case _:
                raise message.fail(f"got attribute type {kind}, expected 1 to 10")


def _guess_kind(message: Message) -> int:
    """Files before IR version 2 do not write the type: the field that is there tells it."""
    fields = ((2, 1), (3, 2), (4, 3), (5, 4), (6, 5), (7, 6), (8, 7), (9, 8), (10, 9), (11, 10))
    return next((kind for number, kind in fields if message.has(number)), 0)


def _floats(message: Message, number: int) -> tuple[float, ...]:
    return tuple(np.frombuffer(message.fixed_bytes(number, FIXED32), dtype="<f4").tolist())


def _value(message: Message) -> OnnxValue:
    type_message = message.only(2, "type")
    tensor = type_message.only(1, "tensor_type") if type_message else None
    if tensor is None:
        return OnnxValue(message.text(1), 0, None)
    shape = tensor.only(2, "shape")
    dims = tuple(_dim(m) for m in shape.messages(1, "dim")) if shape else None
    return OnnxValue(message.text(1), tensor.integer(1), dims)


def _dim(message: Message) -> int | str | None:
    if message.has(2):
        return message.text(2) or None
    value = message.integer(1)
    return value if value > 0 else None
