"""Graph → records of what its operators touch on a scratchpad: activations; weights stream past."""

from __future__ import annotations

import math

from netwright.errors import PlanError
from netwright.graph.extent import Affine
from netwright.graph.graph import Graph
from netwright.graph.op import Op
from netwright.graph.ops.movement import Reshape
from netwright.graph.tensor import Role, TensorId
from netwright.graph.unroll import unrolled
from netwright.plan.order import MemoryBuffer, MemoryOp

_ON_CHIP = frozenset((Role.INPUT, Role.ACTIVATION))


def scratchpad_records(
    graph: Graph, alignment_bytes: int = 64
) -> tuple[tuple[MemoryOp, ...], tuple[MemoryBuffer, ...]]:
    """A task an operator and a buffer an activation; a reshape is its input under another name.

    Raises:
        PlanError: a size is known only when the network is called; bind the symbols first.
    """
    flat = unrolled(graph)
    same: dict[TensorId, TensorId] = {}
    index: dict[TensorId, int] = {}
    tasks: list[Op] = []
    for node in flat.body:
        assert isinstance(node, Op)
        source = node.inputs[0] if node.inputs else None
        if isinstance(node.kind, Reshape) and source is not None:
            same[node.outputs[0]] = same.get(source, source)
        elif any(flat[i].role in _ON_CHIP for i in node.inputs if i is not None):
            tasks.append(node)
    outputs = {same.get(i, i) for i in flat.outputs}
    buffers: list[MemoryBuffer] = []

    def place(tensor: TensorId) -> int:
        root = same.get(tensor, tensor)
        if root not in index:
            value = flat[root]
            sizes = [size for size in value.shape if not isinstance(size, Affine)]
            if len(sizes) < len(value.shape):
                raise PlanError(f"{value.name}: its size has symbols; bind them first")
            index[root] = len(buffers)
            buffers.append(
                MemoryBuffer(
                    max(1, math.ceil(math.prod(sizes) * value.format.bits_per_element / 8)),
                    alignment_bytes,
                    from_start=value.role is Role.INPUT,
                    to_end=root in outputs,
                )
            )
        return index[root]

    ops: list[MemoryOp] = []
    for node in tasks:
        moving = [i for i in node.inputs if i is not None and flat[i].role in _ON_CHIP]
        reads = tuple(dict.fromkeys(place(i) for i in moving))
        ops.append(MemoryOp(reads, tuple(place(i) for i in node.outputs)))
    return tuple(ops), tuple(buffers)
