"""What a name of an ONNX graph stands for while the graph is read: a constant or a tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, final

from netwright.frontends.onnx_types import ELEMENT_TYPES, Array, ElementType
from netwright.graph.op import TensorType
from netwright.graph.tensor import Data, TensorId

FLOAT, INT32, INT64, BOOL = (ELEMENT_TYPES[code] for code in (1, 6, 7, 9))
_BY_NAME = {element.name: element for element in ELEMENT_TYPES.values()}


@final
@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """A value known at load time. `data` is where the file holds it, while it is untouched."""

    values: Array
    element: ElementType
    name: str = ""
    data: Data | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape


@final
@dataclass(frozen=True, slots=True)
class Computed:
    """A value that the network computes, or is given."""

    tensor: TensorId
    element: ElementType
    shape: tuple[int, ...]


Value: TypeAlias = Constant | Computed


def element_class(element: ElementType) -> str:
    """The element class of operator kinds: "float", "int" or "bool"."""
    if element.name == "bool":
        return "bool"
    return "float" if element.values.kind == "f" else "int"


def type_of(value: Value) -> TensorType:
    """What an operator kind sees of a value."""
    return TensorType(value.shape, element_class(value.element))


def element_named(name: str) -> ElementType:
    """The element type that ONNX calls so."""
    return _BY_NAME[name]
