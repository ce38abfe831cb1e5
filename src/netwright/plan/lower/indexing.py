"""Gathers and scatters."""

from __future__ import annotations

from netwright.graph.op import Op
from netwright.graph.ops.gather import Gather, GatherElements, GatherNd, ScatterNd
from netwright.plan.lower.emitter import Emitter
from netwright.plan.lower.layout import grouped
from netwright.plan.lower.movement import packed
from netwright.plan.lower.token import ACTIVATION_FORMAT, lower_embedding


def lower_gather(emitter: Emitter, op: Op) -> None:
    """Gather along one axis; whole rows of a block-format table are decoded on the way."""
    assert isinstance(op.kind, Gather)
    table_id, indices_id = op.inputs
    assert table_id is not None and indices_id is not None
    if emitter.graph[table_id].format.name in ACTIVATION_FORMAT:
        lower_embedding(emitter, op)
        return
    table = packed(emitter, emitter.read(table_id), op.name)
    indices = packed(emitter, emitter.read(indices_id), op.name)
    axis = op.kind.axis % len(table.shape)
    rank = len(table.shape)
    groups = (tuple(range(axis)), (axis,), tuple(range(axis + 1, rank)))
    source = grouped(table, groups)
    flat = grouped(indices, (tuple(range(len(indices.shape))),))
    out = emitter.scratch(emitter.graph[op.outputs[0]].shape, table.format, op.name)
    emitter.views[op.outputs[0]] = out
    middle = tuple(range(axis, axis + len(indices.shape)))
    target = grouped(out, (groups[0], middle, tuple(range(axis + len(middle), len(out.shape)))))
    assert source is not None and flat is not None and target is not None
    work = 2.0 * emitter.size_of(out.shape, 1)
    emitter.emit("gather", [target], [source, flat], [], op.name, work)


def lower_indexed(emitter: Emitter, op: Op) -> None:
    """GatherElements, GatherNd and ScatterNd on row-major operands."""
    kind = op.kind
    if isinstance(kind, GatherElements):
        opcode, parameters = (
            "gather_elements",
            [kind.axis % len(emitter.graph[op.outputs[0]].shape)],
        )
    elif isinstance(kind, GatherNd):
        opcode, parameters = "gather_nd", [kind.batch_dims]
    else:
        assert isinstance(kind, ScatterNd)
        opcode, parameters = "scatter_nd", []
    views = [packed(emitter, emitter.read(t), op.name) for t in op.inputs if t is not None]
    value = emitter.graph[op.outputs[0]]
    out = emitter.scratch(value.shape, views[0].format, op.name)
    emitter.views[op.outputs[0]] = out
    emitter.emit(opcode, [out], views, parameters, op.name)
