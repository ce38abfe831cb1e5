"""Tape: a graph open at its end, and which of its tensors want a gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

from numpy.typing import NDArray

from netwright.errors import UnsupportedError
from netwright.graph.build import Builder, encoded
from netwright.graph.extent import Extent
from netwright.graph.format import BOOL, FP32, INT64
from netwright.graph.op import Op, OpKind
from netwright.graph.ops.elementwise import Binary, Unary
from netwright.graph.ops.function import Function
from netwright.graph.ops.movement import Expand, Reshape
from netwright.graph.ops.reduce import Reduce
from netwright.graph.tensor import Dim, Role, Tensor, TensorId

Array: TypeAlias = NDArray[Any]
Sizes: TypeAlias = tuple[int, ...]


@final
class Tape:
    """Appends operators to a builder; small words for what gradient rules write most."""

    def __init__(self, builder: Builder, wanted: set[TensorId], name: str = "") -> None:
        self.builder = builder
        self.wanted = wanted
        self.name = name  # the operator whose rule is writing
        self._count = 0

    def wants(self, op: Op, index: int) -> bool:
        """Whether this input of an operator needs a gradient."""
        place = op.inputs[index] if index < len(op.inputs) else None
        return place is not None and place in self.wanted

    def shape(self, tensor: TensorId) -> Sizes:
        """The shape, in numbers.

        Raises:
            UnsupportedError: a size is symbolic.
        """
        return tuple(
            number(e, self.builder.tensors[tensor]) for e in self.builder.tensors[tensor].shape
        )

    def add(self, kind: OpKind, *inputs: TensorId | None) -> TensorId:
        """A new operator, named after the one whose rule is writing."""
        return self.builder.add(kind, inputs, self._new_name())

    def write(self, kind: OpKind, inputs: Sequence[TensorId | None], output: TensorId) -> None:
        """A new operator that writes a tensor that there is already."""
        self.builder.append(Op(self._new_name(), kind, tuple(inputs), (output,)))

    def _new_name(self) -> str:
        self._count += 1
        return f"{self.name}.{self._count}"

    def constant(self, values: Array) -> TensorId:
        """A weight of these values that is not trained."""
        form = {"b": BOOL, "i": INT64}.get(values.dtype.kind, FP32)
        dims = tuple(Dim(f"d{i}", n) for i, n in enumerate(values.shape))
        data = (encoded(form, values),)
        self.builder.tensors.append(Tensor(self._new_name(), dims, form, Role.WEIGHT, data=data))
        return TensorId(len(self.builder.tensors) - 1)

    def scale(self, x: TensorId, by: float) -> TensorId:
        """X times a number."""
        return x if by == 1.0 else self.add(Unary(Function("scale", by, 0.0)), x)

    def multiply(self, a: TensorId, b: TensorId) -> TensorId:
        """A times b."""
        return self.add(Binary("mul"), a, b)

    def sum(self, x: TensorId, axes: Sequence[int], keep: bool = False) -> TensorId:
        """The sum over some dims."""
        return self.add(Reduce("sum", tuple(axes), keep), x) if axes else x

    def mean_last(self, x: TensorId, dims: int) -> TensorId:
        """The mean over the last `dims` dims, which stay with size 1."""
        rank = len(self.shape(x))
        return self.add(Reduce("mean", tuple(range(rank - dims, rank)), True), x)

    def reshape(self, x: TensorId, shape: Sequence[int]) -> TensorId:
        """Row-major, nothing where the shape is that already."""
        return x if self.shape(x) == tuple(shape) else self.add(Reshape(tuple(shape)), x)

    def expand(self, x: TensorId, shape: Sequence[int]) -> TensorId:
        """Broadcast, nothing where the shape is that already."""
        return x if self.shape(x) == tuple(shape) else self.add(Expand(tuple(shape)), x)

    def collect(self, dy: TensorId, shape: Sequence[int]) -> TensorId:
        """The gradient of an operand of `shape` that was broadcast to that of dy."""
        got = self.shape(dy)
        lead = len(got) - len(shape)
        axes = [d for d in range(len(got)) if d < lead or (shape[d - lead] == 1 and got[d] != 1)]
        return self.reshape(self.sum(dy, axes), shape)


Saved: TypeAlias = tuple[TensorId, ...]


@final
@dataclass(frozen=True, slots=True)
class Rule:
    """How one kind is differentiated.

    `forward` appends the operator, or others that do the same, and says what to keep of them;
    `backward` gives the gradient of each input (None where none is wanted).
    """

    backward: Callable[[Tape, Op, Saved, TensorId], Mapping[int, TensorId]]
    forward: Callable[[Tape, Op], Saved] | None = None


def number(extent: Extent, tensor: Tensor) -> int:
    """A size that must be known.

    Raises:
        UnsupportedError: it is symbolic.
    """
    if isinstance(extent, int):
        return extent
    raise UnsupportedError(
        f"differentiate: {tensor.name} has the symbolic size {extent}; bind the symbols first"
    )
