"""Gathers and scatters."""

from __future__ import annotations

from netwright.graph.op import Op
from netwright.graph.ops.gather import Gather, GatherElements, GatherNd, ScatterNd
from netwright.plan.lower.emitter import Emitter
from netwright.plan.lower.layout import grouped
from netwright.plan.lower.movement import packed
from netwright.plan.lower.token import ACTIVATION_FORMAT, float_weight, lower_embedding


def lower_gather(emitter: Emitter, op: Op) -> None:
    """Gather along one axis; whole rows of a block-format table are decoded on the way."""
    assert isinstance(op.kind, Gather)
    table_id, indices_id = op.inputs
    assert table_id is not None and indices_id is not None
    form = emitter.graph[table_id].format.name
    if form in ACTIVATION_FORMAT or (form in ("fp16", "bf16") and _embeds(emitter, op)):
        lower_embedding(emitter, op)
        return
    table = packed(emitter, float_weight(emitter, table_id), op.name)
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


def _embeds(emitter: Emitter, op: Op) -> bool:
    """Whether a list of ids picks rows of a constant matrix."""
    assert isinstance(op.kind, Gather)
    table, ids = op.inputs
    assert table is not None and ids is not None
    ranks = len(emitter.graph[table].shape), len(emitter.graph[ids].shape)
    return emitter.is_constant(table) and ranks == (2, 1) and op.kind.axis % 2 == 0


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
