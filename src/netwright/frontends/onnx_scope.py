"""GraphReader: the nodes of an ONNX graph in order, names resolved through nested scopes."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import replace
from typing import TypeAlias, final

from netwright.errors import FormatError, NetwrightError, UnsupportedError
from netwright.frontends.onnx_call import Call
from netwright.frontends.onnx_create import initialiser
from netwright.frontends.onnx_emit import Emitter
from netwright.frontends.onnx_file import (
    AttributeReference,
    AttributeValue,
    OnnxFunction,
    OnnxGraph,
    OnnxModel,
    OnnxNode,
)
from netwright.frontends.onnx_operators import reader_of
from netwright.frontends.onnx_value import Constant, Value

Scope: TypeAlias = MutableMapping[str, Value]

_MAX_DEPTH = 32  # of functions and branches within each other
_MAX_NODES = 1_000_000  # functions that call functions could multiply without end


@final
class GraphReader:
    """Reads the nodes of one model into an emitter."""

    def __init__(self, model: OnnxModel, emit: Emitter) -> None:
        self._model = model
        self._emit = emit
        self._functions = {(f.domain, f.name): f for f in model.functions}
        self._num_nodes = 0

    def read(self, graph: OnnxGraph, scope: Scope, depth: int = 0) -> list[Value]:
        """The values of the graph's outputs; `scope` holds those of its inputs and outside it."""
        self._nodes(graph.nodes, scope, {}, depth)
        return [self._lookup(scope, value.name, "graph output") for value in graph.outputs]

    def _nodes(
        self,
        nodes: Sequence[OnnxNode],
        scope: Scope,
        attributes: Mapping[str, AttributeValue],
        depth: int,
    ) -> None:
        if depth > _MAX_DEPTH:
            raise FormatError(f"{self._model.path}: nested deeper than {_MAX_DEPTH}")
        for index, node in enumerate(nodes):
            self._num_nodes += 1
            if self._num_nodes > _MAX_NODES:
                raise UnsupportedError(f"{self._model.path}: more than {_MAX_NODES} nodes")
            label = node.name or next(filter(None, node.outputs), f"{node.operator}_{index}")
            try:
                outputs = self._node(_bound(node, attributes), label, scope, depth)
            except NetwrightError:
                raise
            # Whatever a malformed node trips over in shape arithmetic is the file's fault.
            except (ArithmeticError, LookupError, MemoryError, TypeError, ValueError) as error:
                raise FormatError(
                    f"{self._model.path}: node {label!r} ({node.operator}) is malformed: {error}"
                ) from error
            for name, value in zip(node.outputs, outputs, strict=False):
                if name:
                    scope[name] = value

    def _node(self, node: OnnxNode, label: str, scope: Scope, depth: int) -> Sequence[Value]:
        function = self._functions.get((node.domain, node.operator))
        if function is not None:
            return self._call(function, node, scope, depth)
        if node.domain == "" and node.operator == "If":
            return self._branch(node, label, scope, depth)
        inputs = [self._lookup(scope, n, f"node {label!r}") if n else None for n in node.inputs]
        opset = self._model.opsets.get(node.domain, 1)
        read = reader_of(node, label, opset)
        return read(Call(node, label, inputs, opset, self._emit))

    def _call(
        self, function: OnnxFunction, node: OnnxNode, scope: Scope, depth: int
    ) -> Sequence[Value]:
        """A function of the model, in place."""
        inner: Scope = {
            name: self._lookup(scope, given, f"node {node.name!r}")
            for name, given in zip(function.inputs, node.inputs, strict=False)
            if given
        }
        attributes = {**function.defaults, **node.attributes}
        self._nodes(function.nodes, inner, attributes, depth + 1)
        return [self._lookup(inner, n, f"function {function.name!r}") for n in function.outputs]

    def _branch(self, node: OnnxNode, label: str, scope: Scope, depth: int) -> Sequence[Value]:
        """The branch that the condition, known at load time, takes."""
        condition = self._lookup(scope, node.inputs[0], f"node {label!r}")
        if not isinstance(condition, Constant):
            raise UnsupportedError(
                f"node {label!r} (If): its condition is computed by the network; bind the input "
                "that it depends on with `values`, or export with static shapes"
            )
        taken = "then_branch" if bool(condition.values.reshape(-1)[0]) else "else_branch"
        graph = node.attributes.get(taken)
        if not isinstance(graph, OnnxGraph):
            raise FormatError(f"node {label!r} (If): attribute {taken!r} is no graph")
        inner: Scope = ChainMap[str, Value]({}, scope)
        for tensor in graph.initialisers:
            inner[tensor.name] = initialiser(tensor, tensor.name)
        return self.read(graph, inner, depth + 1)

    def _lookup(self, scope: Mapping[str, Value], name: str, where: str) -> Value:
        found = scope.get(name)
        if found is None:
            raise FormatError(
                f"{self._model.path}: {where}: nothing before it is called {name!r}; "
                "nodes must stand in execution order"
            )
        return found


def _bound(node: OnnxNode, attributes: Mapping[str, AttributeValue]) -> OnnxNode:
    """Inside a function: the node with the caller's attributes in place of references."""
    if not any(isinstance(v, AttributeReference) for v in node.attributes.values()):
        return node
    found: dict[str, AttributeValue] = {}
    for name, value in node.attributes.items():
        if not isinstance(value, AttributeReference):
            found[name] = value
        elif value.name in attributes:
            found[name] = attributes[value.name]
    return replace(node, attributes=found)
