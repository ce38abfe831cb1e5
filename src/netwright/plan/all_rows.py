"""A generating network that gives its outputs for every new token, not for the last one alone."""

from __future__ import annotations

from dataclasses import replace

from netwright.errors import GraphError
from netwright.graph.element import type_of
from netwright.graph.extent import Affine, Extent
from netwright.graph.graph import Graph
from netwright.graph.op import Op
from netwright.graph.ops.movement import Slice
from netwright.graph.tensor import Dim, TensorId


def with_all_rows(graph: Graph) -> Graph:
    """A flat graph without the slices that keep the last token's row; ids of tensors stay.

    Verification needs the logits of every token that it is given: of each it asks whether the
    network would have chosen the next one.

    Raises:
        GraphError: an operator behind such a slice works on one row only.
    """
    tensors = list(graph.tensors)
    renamed: dict[TensorId, TensorId] = {}
    changed: set[TensorId] = set()
    body: list[Op] = []
    for op, _ in graph.ops():
        inputs = tuple(None if i is None else renamed.get(i, i) for i in op.inputs)
        if isinstance(op.kind, Slice) and inputs[0] is not None and _last_row(op.kind):
            renamed[op.outputs[0]] = inputs[0]
            changed.add(inputs[0])
            continue
        if changed.intersection(i for i in inputs if i is not None):
            types = op.kind.infer([None if i is None else type_of(tensors[i]) for i in inputs])
            for output, made in zip(op.outputs, types, strict=True):
                if made.shape != tensors[output].shape:
                    tensors[output] = replace(
                        tensors[output], dims=_resized(tensors[output].dims, made.shape)
                    )
                    changed.add(output)
        body.append(replace(op, inputs=inputs))
    outputs = tuple(renamed.get(i, i) for i in graph.outputs)
    return replace(graph, tensors=tuple(tensors), body=tuple(body), outputs=outputs)


def _last_row(kind: Slice) -> bool:
    """Whether it takes one row, at a place that moves with a symbol."""
    start, stop = kind.starts[0], kind.stops[0]
    return isinstance(start, Affine) and stop - start == 1 and all(s == 0 for s in kind.starts[1:])


def _resized(dims: tuple[Dim, ...], shape: tuple[Extent, ...]) -> tuple[Dim, ...]:
    if len(dims) != len(shape):
        raise GraphError(f"{len(dims)} dims became {len(shape)} for more rows")
    return tuple(replace(d, size=size) for d, size in zip(dims, shape, strict=True))
