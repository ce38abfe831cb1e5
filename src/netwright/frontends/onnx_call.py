"""Call: one node of an ONNX graph with its inputs resolved, as the readers of operators see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn, TypeAlias, final

import numpy as np

from netwright.errors import FormatError, UnsupportedError
from netwright.frontends.onnx_emit import Emitter
from netwright.frontends.onnx_file import OnnxNode
from netwright.frontends.onnx_tensor import OnnxTensor
from netwright.frontends.onnx_types import Array, ElementType
from netwright.frontends.onnx_value import FLOAT, INT64, Constant, Value
from netwright.graph.op import OpKind


@final
class Call:
    """A node to be read. `opset` is the version of the node's domain."""

    def __init__(
        self, node: OnnxNode, label: str, inputs: Sequence[Value | None], opset: int, emit: Emitter
    ) -> None:
        self.node = node
        self.label = label
        self.inputs = inputs
        self.opset = opset
        self.emit = emit

    def malformed(self, problem: str) -> FormatError:
        """The error of a node that breaks ONNX's rules."""
        return FormatError(f"node {self.label!r} ({self.node.operator}): {problem}")

    def unsupported(self, problem: str, remedy: str) -> UnsupportedError:
        """The error of a node that we do not cover."""
        where = f"node {self.label!r} ({self.node.operator}, opset {self.opset})"
        return UnsupportedError(f"{where}: {problem}; {remedy}")

    def add(self, kind: OpKind, *inputs: Value | None, element: ElementType | None = None) -> Value:
        """The one output of an operator on these values."""
        return self.emit.add(self.label, kind, inputs, element)[0]

    def add_all(
        self, kind: OpKind, *inputs: Value | None, element: ElementType | None = None
    ) -> tuple[Value, ...]:
        """All outputs of an operator on these values."""
        return self.emit.add(self.label, kind, inputs, element)

    def value(self, index: int) -> Value:
        """A required input."""
        found = self.optional(index)
        if found is None:
            raise self.malformed(f"input {index} is absent; it is required")
        return found

    def optional(self, index: int) -> Value | None:
        """An input that may be absent."""
        return self.inputs[index] if index < len(self.inputs) else None

    def given(self) -> list[Value]:
        """All inputs of a node that takes any number."""
        return [self.value(i) for i in range(len(self.inputs))]

    def constant(self, index: int) -> Array | None:
        """The values of an input that must be known at load time; None when absent."""
        found = self.optional(index)
        if found is None or isinstance(found, Constant):
            return None if found is None else found.values
        raise self.unsupported(
            f"input {index} is computed by the network, but must be known when it is loaded",
            "bind the graph input it comes from with `values`, or export with static shapes",
        )

    def sizes(self, index: int) -> tuple[int, ...] | None:
        """Integers of an input that must be known at load time; None when absent."""
        values = self.constant(index)
        return None if values is None else tuple(int(v) for v in values.reshape(-1))

    def scalar(self, index: int) -> float | None:
        """The number of an input that must be known at load time; None when absent."""
        values = self.constant(index)
        return None if values is None else float(values.reshape(-1)[0])

    def integer(self, name: str, default: int) -> int:
        """An attribute."""
        found = self.node.attributes.get(name, default)
        return found if isinstance(found, int) else self._wrong(name, found, "an integer")

    def number(self, name: str, default: float) -> float:
        """An attribute."""
        found = self.node.attributes.get(name, default)
        return found if isinstance(found, float) else self._wrong(name, found, "a float")

    def text(self, name: str, default: str) -> str:
        """An attribute."""
        found = self.node.attributes.get(name, default)
        return found if isinstance(found, str) else self._wrong(name, found, "a string")

    def integers(self, name: str) -> tuple[int, ...] | None:
        """An attribute; None when absent."""
        found = self.node.attributes.get(name)
        if found is None:
            return None
        if not isinstance(found, tuple):
            return self._wrong(name, found, "integers")
        return tuple(v if isinstance(v, int) else self._wrong(name, v, "integers") for v in found)

    def numbers(self, name: str) -> tuple[float, ...] | None:
        """An attribute; None when absent."""
        found = self.node.attributes.get(name)
        if found is None:
            return None
        if not isinstance(found, tuple):
            return self._wrong(name, found, "floats")
        return tuple(v if isinstance(v, float) else self._wrong(name, v, "floats") for v in found)

    def texts(self, name: str) -> tuple[str, ...]:
        """An attribute; empty when absent."""
        found = self.node.attributes.get(name, ())
        if not isinstance(found, tuple):
            return self._wrong(name, found, "strings")
        return tuple(v if isinstance(v, str) else self._wrong(name, v, "strings") for v in found)

    def tensor(self, name: str) -> OnnxTensor | None:
        """An attribute; None when absent."""
        found = self.node.attributes.get(name)
        if found is None or isinstance(found, OnnxTensor):
            return found
        return self._wrong(name, found, "a tensor")

    def axis(self, value: int, rank: int) -> int:
        """An axis counted from 0."""
        if not -rank <= value < rank:
            raise self.malformed(f"axis {value} is outside a tensor of rank {rank}")
        return value % rank

    def floats(self, values: object) -> Constant:
        """A new float constant."""
        return self.emit.constant(np.asarray(values, dtype=np.float32), FLOAT, self.label)

    def ints(self, values: object) -> Constant:
        """A new int64 constant."""
        return self.emit.constant(np.asarray(values, dtype=np.int64), INT64, self.label)

    def _wrong(self, name: str, got: object, expected: str) -> NoReturn:
        raise self.malformed(f"attribute {name!r}: got {got!r:.60}, expected {expected}")


Reader: TypeAlias = Callable[[Call], Sequence[Value]]
