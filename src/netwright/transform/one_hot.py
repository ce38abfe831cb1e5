"""A matrix product with one-hot rows is a gather of the matrix's rows.

An index outside the matrix gives a row of zeros, so the matrix gets one more row, of zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from netwright.graph.extent import Extent
from netwright.graph.format import INT64
from netwright.graph.op import Op
from netwright.graph.ops.elementwise import Binary, Cast
from netwright.graph.ops.function import IDENTITY
from netwright.graph.ops.gather import Gather
from netwright.graph.ops.linear import Linear
from netwright.graph.ops.movement import Reshape
from netwright.graph.tensor import TensorId
from netwright.transform.draft import Draft, Rule
from netwright.transform.match import both_ways, operands


def _indices(draft: Draft, tensor: TensorId | None, size: Extent) -> TensorId | None:
    """The integers [..., 1] whose comparison with 0 .. size - 1 made a tensor [..., size]."""
    cast = draft.made_by(tensor, Cast)
    if cast is None or cast.kind != Cast("float"):
        return None
    pair = operands(draft, cast.inputs[0], "equal")
    for found, steps in both_ways(pair) if pair is not None else ():
        values = draft.values(steps)
        if values is None or values.dtype.kind != "i" or values.size != size:
            continue
        last = draft.shape(steps)[-1:] == (size,) and draft.shape(found)[-1:] == (1,)
        if last and np.array_equal(values.reshape(-1), np.arange(values.size)):
            return found
    return None


def _gather(draft: Draft, op: Op) -> Sequence[Op] | None:
    if not isinstance(op.kind, Linear) or op.kind.function != IDENTITY:
        return None
    x, weight, bias, residual = (*op.inputs, None, None)[:4]
    matrix = draft.values(weight)
    if x is None or matrix is None or residual is not None:
        return None
    rows = matrix if op.kind.input_major else matrix.T
    found = _indices(draft, x, len(rows))
    if found is None or draft.shape(found)[:-1] != draft.shape(x)[:-1]:
        return None
    offset = 0.0 if bias is None else draft.values(bias)
    if offset is None:
        return None
    table = np.concatenate([rows, np.zeros((1, rows.shape[1]))]) + offset
    return _built(draft, op, found, draft.weight(f"{op.name}.table", table), len(rows))


def _built(draft: Draft, op: Op, found: TensorId, table: TensorId, size: int) -> Sequence[Op]:
    """Indices clamped to -1 .. size: both are the last row, that of zeros."""
    form = draft[found].format if draft[found].format.bits_per_element >= 32 else INT64
    least = draft.weight(f"{op.name}.least", np.array(-1), form)
    most = draft.weight(f"{op.name}.most", np.array(size), form)
    raised = draft.op(f"{op.name}.raised", Binary("max"), (found, least))
    clamped = draft.op(f"{op.name}.clamped", Binary("min"), (raised.outputs[0], most))
    shape = draft.shape(found)[:-1]
    flat = draft.op(f"{op.name}.indices", Reshape(shape), clamped.outputs)
    gather = replace(op, kind=Gather(0), inputs=(table, flat.outputs[0]))
    return raised, clamped, flat, gather


RULES = (Rule("one-hot products made gathers", _gather),)
