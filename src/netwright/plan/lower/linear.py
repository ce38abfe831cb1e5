"""Matrix products in fp32: weights packed once, at plan time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from netwright.graph.extent import product
from netwright.graph.op import Op
from netwright.graph.ops.linear import Linear, MatMul
from netwright.graph.tensor import TensorId
from netwright.native import core
from netwright.plan.lower.emitter import Emitter, unsupported
from netwright.plan.lower.epilogue import epilogue
from netwright.plan.lower.layout import broadcast, copied
from netwright.plan.lower.step import BufferId, Offer, View, Weight, row_major
from netwright.plan.lower.token import ACTIVATION_FORMAT, float_rows, float_weight, fresh_rows
from netwright.plan.lower.token import lower_linear_quantised as lower_quantised
from netwright.plan.lower.whole import cast, settle

# Above this share of spikes a product by rows is not offered: it reads them one by one.
MOST_SPIKES = 0.5


def lower_linear(emitter: Emitter, op: Op) -> None:
    """Linear, by the format of its weight."""
    assert isinstance(op.kind, Linear)
    x, weight, bias, residual = (*op.inputs, None, None)[:4]
    assert x is not None and weight is not None
    form = emitter.graph[weight].format.name
    if form in ACTIVATION_FORMAT:
        lower_quantised(emitter, op)
        return
    if not emitter.is_constant(weight):
        raise unsupported(op, "its weight is computed; write it as a MatMul")
    rows = float_rows(emitter, x, op.name)
    extra = [
        None if bias is None else float_weight(emitter, bias),
        None if residual is None else float_rows(emitter, residual, op.name),
    ]
    parameters = epilogue(op.kind.function)
    n, k = (emitter.most(e) for e in emitter.graph[weight].shape)
    if op.kind.input_major:
        n, k = k, n
    work = float(emitter.most(rows.shape[0])) * n * k
    out = fresh_rows(emitter, op.outputs[0], op.name)
    if form in ("fp16", "bf16") and not op.kind.input_major:
        emitter.emit(
            "matmul_dense", [out], [rows, emitter.weight(weight), *extra], parameters, op.name, work
        )
        return
    table = packed_weight(emitter, weight, op.kind.input_major)
    packed = emitter.step(
        "gemm_packed", [out], [rows, table.seen, *extra], [k, n, *parameters], op.name, work
    )
    offers = [Offer("packed weight", packed, table)]
    if form == "fp32" and not op.kind.input_major:
        shipped = _as_shipped(emitter, weight)
        plain = emitter.step(
            "matmul_dense", [out], [rows, shipped.seen, *extra], parameters, op.name, work
        )
        offers.append(Offer("weight as shipped", plain, shipped))
    density = emitter.graph[x].density
    if density < MOST_SPIKES and residual is None and op.kind.function.name == "identity":
        rows_first = _rows_first(emitter, weight, op.kind.input_major)
        sparse = emitter.step(
            "matmul_spikes",
            [out],
            [rows, rows_first.seen, extra[0]],
            [float(density)],
            op.name,
            density * work,
        )
        offers.append(Offer("rows of what is not zero", sparse, rows_first))
    emitter.emit_best(offers)


def _rows_first(emitter: Emitter, weight: TensorId, input_major: bool) -> Weight:
    """The weight as [K, N]: one row an input."""
    shape = tuple(emitter.most(e) for e in emitter.graph[weight].shape)
    k, n = shape if input_major else shape[::-1]

    def take() -> View:
        def make() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
            array = emitter.array(weight)
            return np.ascontiguousarray(array if input_major else array.T, np.float32)

        name = emitter.graph[weight].name
        return emitter.cached_constant(("rows first", weight, input_major), make, "fp32", name)

    return Weight(View(BufferId(-1), 0, "fp32", (k, n), row_major((k, n), 4)), 4 * k * n, take)


def packed_weight(emitter: Emitter, weight: TensorId, input_major: bool) -> Weight:
    """The weight in panels of 16 outputs."""

    def make() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        array = emitter.array(weight)
        rows = array.T if input_major else array
        return core.pack_gemm(np.ascontiguousarray(rows, np.float32))

    n, k = (emitter.most(e) for e in emitter.graph[weight].shape)
    n, k = (k, n) if input_major else (n, k)
    size_bytes = 4 * (-(-n // 8) * 8) * k
    return emitter.packed(
        ("gemm", weight, input_major), size_bytes, make, emitter.graph[weight].name
    )


def _as_shipped(emitter: Emitter, weight: TensorId) -> Weight:
    """The fp32 weight [N, K] where it lies."""
    shape = tuple(emitter.most(e) for e in emitter.graph[weight].shape)
    seen = View(BufferId(-1), 0, "fp32", shape, row_major(shape, 4))
    return Weight(seen, 4 * shape[0] * shape[1], lambda: emitter.weight(weight))


def lower_matmul(emitter: Emitter, op: Op) -> None:
    """MatMul of two computed operands, any strides, broadcast over the leading dims."""
    assert isinstance(op.kind, MatMul)
    a_id, b_id = op.inputs
    assert a_id is not None and b_id is not None
    shape = emitter.graph[op.outputs[0]].shape
    form = _product_format(emitter.graph[op.outputs[0]].format.name)
    if form != "fp32" and op.kind.scale != 1.0:
        raise unsupported(op, "products of integers have no kernel with a scale; multiply after it")
    a = _matrix(cast(emitter, emitter.read(a_id), form, op.name), True)
    b = _matrix(cast(emitter, emitter.read(b_id), form, op.name), False)
    if op.kind.transpose_a:
        a = _swapped(a)
    if op.kind.transpose_b:
        b = _swapped(b)
    out = emitter.scratch(shape, form, op.name)
    emitter.views[op.outputs[0]] = out
    item = out.item_bytes
    batch = shape[: max(len(a.shape), len(b.shape)) - 2]
    strides = list(out.stride_bytes)
    if len(emitter.graph[a_id].shape) == 1:
        strides.insert(len(batch), b.shape[-1] * item)
    if len(emitter.graph[b_id].shape) == 1:
        strides.append(item)
    whole = replace(out, shape=(*batch, a.shape[-2], b.shape[-1]), stride_bytes=tuple(strides))
    a = broadcast(a, (*batch, a.shape[-2], a.shape[-1]))
    b = broadcast(b, (*batch, b.shape[-2], b.shape[-1]))
    work = float(emitter.size_of(whole.shape, 1)) * emitter.most(a.shape[-1])
    if b.stride_bytes[-1] != item and b.stride_bytes[-2] != item:
        b = copied(emitter, b, op.name)
    emitter.emit("matmul_batched", [whole], [a, b], [float(op.kind.scale)], op.name, work)
    settle(emitter, op.outputs[0], op.name)


def _product_format(form: str) -> str:
    """What a product is made in: int8 operands give whole sums in int32 or int64."""
    return form if form in ("fp32", "int32", "int64") else "int64"


def _matrix(view: View, left: bool) -> View:
    """A vector as the matrix that numpy's matmul takes it for."""
    if len(view.shape) > 1:
        return view
    size, stride = product(view.shape), view.stride_bytes[-1]
    shape, strides = ((1, size), (0, stride)) if left else ((size, 1), (stride, view.item_bytes))
    return View(view.buffer, view.offset_bytes, view.format, shape, strides)


def _swapped(view: View) -> View:
    *batch, m, n = view.shape
    *batch_strides, sm, sn = view.stride_bytes
    return View(
        view.buffer, view.offset_bytes, view.format, (*batch, n, m), (*batch_strides, sn, sm)
    )
