"""Which function lowers which kind of operator: the one explicit list."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from netwright.errors import UnsupportedError
from netwright.graph.op import Op, OpKind
from netwright.graph.ops.attention import Attention, CacheAppend, Rope
from netwright.graph.ops.elementwise import Glu
from netwright.graph.ops.linear import Linear
from netwright.graph.ops.movement import Gather, Reshape, Slice, Transpose
from netwright.graph.ops.norm import RmsNorm
from netwright.plan.lower import movement, token
from netwright.plan.lower.emitter import Emitter

Lowering = Callable[[Emitter, Op], None]

LOWERINGS: Mapping[type[OpKind], Lowering] = {
    Attention: token.lower_attention,
    CacheAppend: token.lower_cache_append,
    Gather: token.lower_embedding,
    Glu: token.lower_glu,
    Linear: token.lower_linear_quantised,
    Reshape: movement.lower_reshape,
    RmsNorm: token.lower_rms_norm,
    Rope: token.lower_rope,
    Slice: movement.lower_slice,
    Transpose: movement.lower_transpose,
}


def lower_op(emitter: Emitter, op: Op) -> None:
    """Emits the steps of one operator.

    Raises:
        UnsupportedError: no kernel covers it; names the operator and the kinds that are covered.
    """
    lowering = LOWERINGS.get(type(op.kind))
    if lowering is None:
        covered = ", ".join(sorted(kind.__name__ for kind in LOWERINGS))
        raise UnsupportedError(
            f"{op.name}: no native kernel for {type(op.kind).__name__}; covered: {covered}. "
            "The reference runtime covers every kind"
        )
    lowering(emitter, op)
