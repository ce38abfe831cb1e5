"""Attention that a file spells as two products around a softmax, as one operator.

Heads stand before tokens there, [..., H, T, D], and after them in Attention, [..., T, H, D]:
the transposes between most often cancel with those of the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netwright.graph.extent import Extent
from netwright.graph.op import Op
from netwright.graph.ops.attention import Attention
from netwright.graph.ops.elementwise import Unary
from netwright.graph.ops.function import Function
from netwright.graph.ops.linear import MatMul
from netwright.graph.ops.movement import Transpose
from netwright.graph.ops.softmax import Softmax
from netwright.graph.tensor import TensorId
from netwright.transform.draft import Draft, Rule
from netwright.transform.match import both_ways, function_of, operands


def _unscaled(draft: Draft, tensor: TensorId) -> tuple[float, TensorId]:
    found = function_of(draft, tensor, "scale")
    if found is None or found[0].beta != 0.0:
        return 1.0, tensor
    return found[0].alpha, found[1]


def _scores(draft: Draft, tensor: TensorId) -> tuple[float, Op, TensorId | None] | None:
    """Scale, product and mask of scale * q k + mask."""
    factor, inner = _unscaled(draft, tensor)
    product = draft.made_by(inner, MatMul)
    if product is not None:
        return factor, product, None
    pair = operands(draft, tensor, "add")
    for scores, mask in both_ways(pair) if pair is not None else ():
        factor, inner = _unscaled(draft, scores)
        product = draft.made_by(inner, MatMul)
        if product is not None and draft.shape(inner) == draft.shape(tensor):
            return factor, product, mask
    return None


def _swapped(draft: Draft, op: Op, tensor: TensorId, part: str) -> Op:
    """Heads before tokens → tokens before heads, and back."""
    rank = len(draft.shape(tensor))
    order = (*range(rank - 3), rank - 2, rank - 3, rank - 1)
    return draft.op(f"{op.name}.{part}", Transpose(order), (tensor,))


def _attention(draft: Draft, op: Op) -> Sequence[Op] | None:
    """softmax(scale q k^T + mask) v."""
    if op.kind != MatMul():
        return None
    weights, values = op.inputs
    softmax = draft.made_by(weights, Softmax)
    if softmax is None or weights is None or values is None or softmax.inputs[0] is None:
        return None
    rank = len(draft.shape(weights))
    if softmax.kind != Softmax(rank - 1) or rank not in (3, 4) or not draft.alone(weights):
        return None
    found = _scores(draft, softmax.inputs[0])
    if found is None:
        return None
    factor, product, mask = found
    kind = product.kind
    queries, keys = product.inputs
    if not isinstance(kind, MatMul) or kind.transpose_a or queries is None or keys is None:
        return None
    if not _same_batch(draft, (queries, keys, values), rank):
        return None
    of_queries, queries = _unscaled(draft, queries)
    of_keys, keys = _unscaled(draft, keys)
    scale = factor * kind.scale * of_queries * of_keys
    return _built(draft, op, (queries, keys, values, mask), scale, kind.transpose_b)


def _same_batch(draft: Draft, parts: tuple[TensorId, ...], rank: int) -> bool:
    """Whether all have the same leading dims: heads and batch without broadcasting."""
    batches: set[tuple[Extent, ...]] = {draft.shape(t)[:-2] for t in parts}
    return len(batches) == 1 and all(len(draft.shape(t)) == rank for t in parts)


def _built(
    draft: Draft,
    op: Op,
    parts: tuple[TensorId, TensorId, TensorId, TensorId | None],
    scale: float,
    transposed: bool,
) -> Sequence[Op]:
    queries, keys, values, mask = parts
    rank = len(draft.shape(queries))
    q = _swapped(draft, op, queries, "q")
    v = _swapped(draft, op, values, "v")
    if transposed:
        k = _swapped(draft, op, keys, "k")
    else:
        # Keys come as [..., H, D, S].
        order = (*range(rank - 3), rank - 1, rank - 3, rank - 2)
        k = draft.op(f"{op.name}.k", Transpose(order), (keys,))
    inputs = [made.outputs[0] for made in (q, k, v)]
    attention = draft.op(f"{op.name}.attention", Attention(scale), (*inputs, mask))
    back = (*range(rank - 3), rank - 2, rank - 3, rank - 1)
    return q, k, v, attention, replace(op, kind=Transpose(back), inputs=attention.outputs)


def _scaled_product(draft: Draft, op: Op) -> Sequence[Op] | None:
    """A product times a number is a product with that scale."""
    if not isinstance(op.kind, Unary) or op.kind.function.name != "scale":
        return None
    product = draft.made_by(op.inputs[0], MatMul)
    if op.kind.function != Function("scale", op.kind.function.alpha) or product is None:
        return None
    if not isinstance(product.kind, MatMul) or not draft.alone(product.outputs[0]):
        return None
    kind = replace(product.kind, scale=product.kind.scale * op.kind.function.alpha)
    return (replace(op, kind=kind, inputs=product.inputs),)


RULES = (
    Rule("attention recognised", _attention),
    Rule("factors taken into products", _scaled_product),
)
