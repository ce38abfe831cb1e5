"""Which rule differentiates which kind of operator: the one explicit list."""

from __future__ import annotations

from collections.abc import Mapping

from netwright.graph.op import OpKind
from netwright.graph.ops.elementwise import Binary, Unary, Where
from netwright.graph.ops.gather import Gather, GatherElements
from netwright.graph.ops.linear import Linear, MatMul
from netwright.graph.ops.movement import Concat, Expand, Pad, Reshape, Slice, Tile, Transpose
from netwright.graph.ops.norm import LayerNorm, RmsNorm
from netwright.graph.ops.position import Rope
from netwright.graph.ops.reduce import Reduce
from netwright.graph.ops.softmax import Softmax
from netwright.transform.gradients import elementwise, linear, movement, rows
from netwright.transform.gradients.tape import Rule

RULES: Mapping[type[OpKind], Rule] = {
    Binary: elementwise.BINARY,
    Concat: movement.CONCAT,
    Expand: movement.EXPAND,
    Gather: movement.GATHER,
    GatherElements: movement.GATHER_ELEMENTS,
    LayerNorm: rows.LAYER_NORM,
    Linear: linear.LINEAR,
    MatMul: linear.MATMUL,
    Pad: movement.PAD,
    Reduce: rows.REDUCE,
    Reshape: movement.RESHAPE,
    RmsNorm: rows.RMS_NORM,
    Rope: movement.ROPE,
    Slice: movement.SLICE,
    Softmax: rows.SOFTMAX,
    Tile: movement.TILE,
    Transpose: movement.TRANSPOSE,
    Unary: elementwise.UNARY,
    Where: elementwise.WHERE,
}
