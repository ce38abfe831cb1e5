"""Emitter: operators on constants are evaluated at once, all others become operators of a graph.

So shape arithmetic vanishes while it is read: every size in the graph is a number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import final

import numpy as np

from netwright.errors import GraphError, UnsupportedError
from netwright.frontends.onnx_types import Array, ElementType
from netwright.frontends.onnx_value import (
    BOOL,
    FLOAT,
    INT64,
    Computed,
    Constant,
    Value,
    element_class,
    type_of,
)
from netwright.graph.format import Format, format_of
from netwright.graph.graph import Graph
from netwright.graph.op import Op, OpKind, TensorType
from netwright.graph.ops.elementwise import FakeQuantise
from netwright.graph.ops.movement import Concat, Expand, Reshape, Slice, Tile, Transpose
from netwright.graph.tensor import ArrayData, Data, Dim, Role, Tensor, TensorId

# Beyond these in all, operators on constants stay in the graph instead of being evaluated.
_FOLD_BYTES = 1 << 30
_FOLD_OPERATIONS = 1 << 27
_WIDE_BYTES = 8  # references compute in float64 and int64

_MOVEMENT = (Reshape, Transpose, Slice, Concat, Expand, Tile)  # exact on any element type

# Doubles and 4-bit integers are widened or narrowed to what kernels read.
_FORMATS = {"float": "fp32", "double": "fp32", "float16": "fp16", "bfloat16": "bf16",
            "int4": "int8", "uint4": "uint8"}  # fmt: skip


@final
class Emitter:
    """The graph under construction. It counts what it folds, so a hostile file cannot run away."""

    def __init__(self) -> None:
        self._tensors: list[Tensor] = []
        self._ops: list[Op] = []
        self._inputs: list[TensorId] = []
        self._weights: dict[int, tuple[Constant, TensorId]] = {}
        self._names: set[str] = set()
        self._bytes_left = _FOLD_BYTES
        self._operations_left = _FOLD_OPERATIONS
        # What an integer tensor was quantised from: value, scale, zero point.
        self.quantised: dict[TensorId, tuple[Value, Value, Value | None]] = {}

    def input(self, name: str, element: ElementType, shape: tuple[int, ...]) -> Computed:
        """A value that the caller gives; floats are given as fp32 whatever the file says."""
        tensor = self._tensor(name, shape, _activation_format(element, name), Role.INPUT)
        self._inputs.append(tensor)
        return Computed(tensor, element, shape)

    def add(
        self,
        name: str,
        kind: OpKind,
        inputs: Sequence[Value | None],
        element: ElementType | None = None,
    ) -> tuple[Value, ...]:
        """The outputs of an operator; `element` is their exact type where kinds do not know it."""
        types = [None if v is None else type_of(v) for v in inputs]
        try:
            outputs = kind.infer(types)
        except GraphError as error:
            raise GraphError(f"node {name!r}: {error}") from error
        elements = [_element(t, inputs, element) for t in outputs]
        known = not any(isinstance(v, Computed) for v in inputs)
        # A quantiser of a weight stays: it tells how many bits the weight has.
        if known and not isinstance(kind, FakeQuantise) and self._may_fold(kind, types, outputs):
            return _evaluate(name, kind, inputs, elements)
        return self._append(name, kind, inputs, outputs, elements)

    def tensor(self, value: Value) -> TensorId:
        """The graph's tensor of a value; a constant becomes a weight, once."""
        if isinstance(value, Computed):
            return value.tensor
        known = self._weights.get(id(value))
        if known is not None:
            return known[1]
        name = value.name or "constant"
        form = _format(value.element, name)
        data = value.data or ArrayData(form.encode(value.values).reshape(-1))
        tensor = self._tensor(name, value.shape, form, Role.WEIGHT, data)
        self._weights[id(value)] = (value, tensor)
        return tensor

    def constant(self, values: Array, element: ElementType, name: str = "") -> Constant:
        """A constant that the reader makes, counted against what may be folded."""
        self.claim(values.size * element.values.itemsize, name)
        return Constant(np.asarray(values, dtype=element.values), element, name)

    def claim(self, size_bytes: int, name: str) -> None:
        """Count bytes about to be allocated.

        Raises:
            UnsupportedError: the constants of this file would not fit in memory.
        """
        if size_bytes > self._bytes_left:
            raise UnsupportedError(
                f"node {name!r}: got computed constants of over {_FOLD_BYTES} bytes in all; "
                "store large constants as initialisers"
            )
        self._bytes_left -= size_bytes

    def finish(
        self,
        name: str,
        outputs: Sequence[tuple[str, Value]],
        metadata: tuple[tuple[str, str], ...],
    ) -> Graph:
        """The graph, its outputs in order and by name."""
        ids: list[TensorId] = []
        for output, value in outputs:
            tensor = self.tensor(value)
            if tensor in ids or self._tensors[tensor].role is not Role.ACTIVATION:
                # An output must be computed, and each by itself: copy it.
                (copy,) = self._append(
                    output, Reshape(value.shape), [value], [type_of(value)], [value.element]
                )
                tensor = self.tensor(copy)
            self._tensors[tensor] = replace(self._tensors[tensor], name=output)
            ids.append(tensor)
        return Graph(
            name,
            tuple(self._tensors),
            tuple(self._ops),
            tuple(self._inputs),
            tuple(ids),
            metadata=metadata,
        )

    def _append(
        self,
        name: str,
        kind: OpKind,
        inputs: Sequence[Value | None],
        outputs: Sequence[TensorType],
        elements: Sequence[ElementType],
    ) -> tuple[Computed, ...]:
        ids = tuple(None if v is None else self.tensor(v) for v in inputs)
        op_name = self._unique(name)
        results: list[Computed] = []
        for i, (type_, element) in enumerate(zip(outputs, elements, strict=True)):
            shape = tuple(int(e) for e in type_.shape)  # pyright: ignore[reportArgumentType]
            form = _activation_format(element, name)
            label = op_name if len(outputs) == 1 else f"{op_name}:{i}"
            results.append(
                Computed(self._tensor(label, shape, form, Role.ACTIVATION), element, shape)
            )
        self._ops.append(Op(op_name, kind, ids, tuple(r.tensor for r in results)))
        return tuple(results)

    def _tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        form: Format,
        role: Role,
        data: Data | None = None,
    ) -> TensorId:
        dims = tuple(Dim(f"d{i}", size) for i, size in enumerate(shape))
        held = () if data is None else (data,)
        self._tensors.append(Tensor(name, dims, form, role, data=held))
        return TensorId(len(self._tensors) - 1)

    def _unique(self, name: str) -> str:
        unique, count = name, 1
        while unique in self._names:
            count += 1
            unique = f"{name}.{count}"
        self._names.add(unique)
        return unique

    def _may_fold(
        self, kind: OpKind, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> bool:
        size_bytes = _WIDE_BYTES * sum(_count(t.shape) for t in outputs)
        operations = sum(
            math.prod(_count((size,)) for _, size in e.loops) for e in kind.einsums(types, outputs)
        )
        if size_bytes > self._bytes_left or operations > self._operations_left:
            return False
        self._bytes_left -= size_bytes
        self._operations_left -= operations
        return True


def _count(shape: Sequence[object]) -> int:
    return math.prod(e if isinstance(e, int) else 0 for e in shape)


def _element(
    type_: TensorType, inputs: Sequence[Value | None], element: ElementType | None
) -> ElementType:
    """The exact type of an output: as told, else that of the first input of its class."""
    if type_.element == "bool":
        return BOOL
    if element is not None and element_class(element) == type_.element:
        return element
    alike = (v.element for v in inputs if v is not None)
    default = FLOAT if type_.element == "float" else INT64
    return next((e for e in alike if element_class(e) == type_.element), default)


def _evaluate(
    name: str, kind: OpKind, inputs: Sequence[Value | None], elements: Sequence[ElementType]
) -> tuple[Constant, ...]:
    """The outputs by the kind's reference: integers exact, floats rounded to their own type."""
    exact = isinstance(kind, _MOVEMENT)
    arrays = [v.values if exact else _widened(v.values) for v in inputs if isinstance(v, Constant)]
    filled = iter(arrays)
    operands = [None if v is None else next(filled) for v in inputs]
    with np.errstate(all="ignore"):
        results = kind.reference(operands)
        return tuple(
            Constant(np.asarray(r).astype(e.values), e, name)
            for r, e in zip(results, elements, strict=True)
        )


def _widened(values: Array) -> Array:
    """What references compute in: float64, int64 or bool."""
    if values.dtype == np.bool_:
        return values
    return values.astype(np.float64 if values.dtype.kind == "f" else np.int64)


def _format(element: ElementType, name: str) -> Format:
    if element.name == "uint64":
        raise UnsupportedError(f"tensor {name!r}: uint64 values are not supported; use int64")
    return format_of(_FORMATS.get(element.name, element.name))


def _activation_format(element: ElementType, name: str) -> Format:
    """Floats are computed in fp32 whatever the file says; integers and booleans as they are."""
    return format_of("fp32") if element_class(element) == "float" else _format(element, name)
