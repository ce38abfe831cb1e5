"""The operators of token models: embedding, norms, rotary positions, caches, attention, gates."""

from __future__ import annotations

import numpy as np

from netwright.graph.extent import Extent, product
from netwright.graph.op import Op
from netwright.graph.ops.attention import Attention
from netwright.graph.ops.elementwise import Glu
from netwright.graph.ops.function import FUNCTION_CODES
from netwright.graph.ops.linear import Linear
from netwright.graph.ops.norm import RmsNorm
from netwright.graph.ops.position import CacheAppend, Rope
from netwright.graph.tensor import TensorId
from netwright.plan.lower.emitter import Emitter, unsupported
from netwright.plan.lower.layout import broadcast, copied
from netwright.plan.lower.lookup import as_shipped, has_planes, lookup_offer
from netwright.plan.lower.movement import packed
from netwright.plan.lower.step import ITEM_BYTES, Offer, View

# Which int8 activation blocks a weight format is multiplied with (native/kernels/activation.hpp).
ACTIVATION_FORMAT = {
    "q4_0": "act8x32", "q4_1": "act8x32", "q5_0": "act8x32", "q5_1": "act8x32", "q8_0": "act8x32",
    "q2_k": "act8x256", "q3_k": "act8x256", "q4_k": "act8x256", "q5_k": "act8x256",
    "q6_k": "act8x256", "tq1_0": "act8x256", "tq2_0": "act8x256",
}  # fmt: skip
# What norms, biases and general gathers read; other weights are decoded for them.
_READ_AS_IS = frozenset(ITEM_BYTES) - {"fp16", "bf16"}


def quantised_only(emitter: Emitter, tensor: TensorId) -> str | None:
    """The one activation format that every reader of a tensor wants, or None."""
    if tensor in emitter.graph.outputs:
        return None
    wanted: set[str | None] = set()
    for op in emitter.consumers.get(tensor, ()):
        if not isinstance(op.kind, Linear) or op.inputs[0] != tensor or tensor in op.inputs[1:]:
            return None
        weight = op.inputs[1]
        assert weight is not None
        wanted.add(ACTIVATION_FORMAT.get(emitter.graph[weight].format.name))
    return wanted.pop() if len(wanted) == 1 else None


def quantised(emitter: Emitter, tensor: TensorId, format_name: str, source: str) -> View:
    """The rows of a tensor as int8 blocks: made once, used by every product that reads them."""
    found = emitter.act8.get((tensor, format_name))
    if found is not None:
        return found
    rows = float_rows(emitter, tensor, source)
    columns = rows.shape[1]
    assert isinstance(columns, int)
    made = emitter.act8_rows(rows.shape[0], columns, format_name, source)
    emitter.emit("quantize_rows", [made], [rows], [], source, _work(emitter, rows.shape, 4.0))
    emitter.act8[tensor, format_name] = made
    return made


def float_weight(emitter: Emitter, tensor: TensorId) -> View:
    """A tensor as it is; a weight in a float format that no kernel reads is decoded to fp32."""
    form = emitter.graph[tensor].format.name
    if not emitter.is_constant(tensor) or form in _READ_AS_IS:
        return emitter.read(tensor)

    def make() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return np.asarray(emitter.array(tensor), np.float32)

    return emitter.cached_constant(("fp32", tensor), make, "fp32", emitter.graph[tensor].name)


def float_rows(emitter: Emitter, tensor: TensorId, source: str) -> View:
    """A tensor as [rows, columns] of fp32 with contiguous rows."""
    view = emitter.read(tensor)
    rows = emitter.rows(view)
    if rows is None or rows.stride_bytes[1] != view.item_bytes:
        rows = emitter.rows(packed(emitter, view, source))
        assert rows is not None
    return rows


def fresh_rows(emitter: Emitter, tensor: TensorId, source: str) -> View:
    """A new fp32 activation for a tensor, seen as rows; the tensor's own view is kept."""
    emitter.views[tensor] = emitter.scratch(emitter.graph[tensor].shape, "fp32", source)
    rows = emitter.rows(emitter.views[tensor])
    assert rows is not None
    return rows


def output_rows(emitter: Emitter, tensor: TensorId, source: str) -> View:
    """Where an operator that can quantise in passing writes: int8 rows if that is all they want."""
    format_name = quantised_only(emitter, tensor)
    if format_name is None:
        return fresh_rows(emitter, tensor, source)
    *leading, columns = emitter.graph[tensor].shape
    assert isinstance(columns, int)
    rows = product(tuple(leading))
    made = emitter.act8_rows(rows, columns, format_name, source)
    emitter.act8[tensor, format_name] = made
    return made


def _work(emitter: Emitter, shape: tuple[Extent, ...], each: float) -> float:
    total = each
    for extent in shape:
        total *= emitter.most(extent)
    return total


def lower_embedding(emitter: Emitter, op: Op) -> None:
    """Gather of whole rows of a weight table."""
    table, ids = op.inputs
    assert table is not None and ids is not None
    out = fresh_rows(emitter, op.outputs[0], op.name)
    emitter.emit("gather_rows", [out], [emitter.weight(table), emitter.read(ids)], [1.0], op.name)


def lower_rms_norm(emitter: Emitter, op: Op) -> None:
    """RmsNorm over the last dim; heads are rows of their own."""
    assert isinstance(op.kind, RmsNorm)
    x, scale = op.inputs
    assert x is not None and scale is not None
    rows = float_rows(emitter, x, op.name)
    out = output_rows(emitter, op.outputs[0], op.name)
    work = _work(emitter, rows.shape, 6.0)
    emitter.emit(
        "rms_norm", [out], [rows, float_weight(emitter, scale)], [op.kind.epsilon], op.name, work
    )


def lower_glu(emitter: Emitter, op: Op) -> None:
    """Gated unit, quantised in passing when a product follows."""
    assert isinstance(op.kind, Glu)
    gate, up = op.inputs
    assert gate is not None and up is not None
    rows = float_rows(emitter, gate, op.name)
    out = output_rows(emitter, op.outputs[0], op.name)
    f = op.kind.function
    emitter.emit(
        "glu",
        [out],
        [rows, float_rows(emitter, up, op.name)],
        [FUNCTION_CODES[f.name], f.alpha, f.beta],
        op.name,
        _work(emitter, rows.shape, 20.0),
    )


def lower_linear_quantised(emitter: Emitter, op: Op) -> None:
    """Product with a weight in block format, as the file has it."""
    assert isinstance(op.kind, Linear)
    x, weight, bias, residual = (*op.inputs, None, None)[:4]
    assert x is not None and weight is not None
    if op.kind.input_major:
        raise unsupported(op, "a block-format weight must be [outputs, inputs]")
    form = emitter.graph[weight].format.name
    rows = quantised(emitter, x, ACTIVATION_FORMAT[form], op.name)
    out = fresh_rows(emitter, op.outputs[0], op.name)
    f = op.kind.function
    extra = (
        None if bias is None else float_weight(emitter, bias),
        None if residual is None else float_rows(emitter, residual, op.name),
    )
    shipped = as_shipped(emitter, weight)
    macs = _work(emitter, (rows.shape[0], *shipped.seen.shape), 1.0)
    function = (FUNCTION_CODES[f.name], f.alpha, f.beta)
    plain = emitter.step(
        "matmul_quant", [out], [rows, shipped.seen, *extra], function, op.name, macs
    )
    offers = [Offer("unpacking", plain, shipped)]
    if has_planes(emitter, weight):
        offers.append(lookup_offer(emitter, op, (out, rows, *extra), function, macs))
    emitter.emit_best(offers)


def lower_rope(emitter: Emitter, op: Op) -> None:
    """Rotary embedding, in place when nobody else reads its input."""
    assert isinstance(op.kind, Rope)
    x, factors = (*op.inputs, None)[:2]
    assert x is not None
    view = emitter.read(x)
    if len(emitter.consumers.get(x, ())) > 1 or x in emitter.graph.outputs:
        fresh = emitter.scratch(view.shape, "fp32", op.name)
        emitter.emit("copy", [fresh], [view], [], op.name)
        view = fresh
    emitter.emit(
        "rope",
        [view],
        [None if factors is None else emitter.weight(factors)],
        [op.kind.base, op.kind.rotary, op.kind.start, int(op.kind.interleaved)],
        op.name,
        _work(emitter, view.shape, 10.0),
    )
    emitter.views[op.outputs[0]] = view


def lower_cache_append(emitter: Emitter, op: Op) -> None:
    """Writes new rows into the cache; the output is the cache's filled part."""
    assert isinstance(op.kind, CacheAppend)
    cache, new = op.inputs
    assert cache is not None and new is not None
    view = emitter.read(cache)
    emitter.emit("cache_append", [view], [emitter.read(new)], [op.kind.start], op.name)
    emitter.views[op.outputs[0]] = View(
        view.buffer, 0, view.format, emitter.graph[op.outputs[0]].shape, view.stride_bytes
    )


def lower_attention(emitter: Emitter, op: Op) -> None:
    """Attention without a buffer of scores."""
    assert isinstance(op.kind, Attention)
    q, k, v, mask = (*op.inputs, None)[:4]
    assert q is not None and k is not None and v is not None
    kind = op.kind
    out = emitter.scratch(emitter.graph[op.outputs[0]].shape, "fp32", op.name)
    emitter.views[op.outputs[0]] = out
    query, keys = emitter.read(q), emitter.read(k)
    work = _work(emitter, (*query.shape, keys.shape[-3]), 2.0)
    emitter.emit(
        "attention",
        [out],
        [query, keys, emitter.read(v), None if mask is None else _mask(emitter, op, mask, keys)],
        [kind.scale, int(kind.causal), kind.window or 0, kind.softcap or 0.0],
        op.name,
        work,
    )


def _mask(emitter: Emitter, op: Op, mask: TensorId, keys: View) -> View:
    """The mask with a value for each key: kernels spread every dim but the last."""
    view = emitter.read(mask)
    if view.shape and view.shape[-1] != 1:
        return view
    whole = broadcast(view, (*view.shape[:-1], keys.shape[-3]))
    return copied(emitter, whole, op.name)
