"""Products that look sums of activations up by bit planes: of ternary weights, the same bits.

After Wei et al., "T-MAC", EuroSys 2025, arXiv 2407.00088; what is read, in
native/kernels/quant_lookup.hpp. Sums are exact, so unpacking and lookup give one result.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from netwright.cost.storage import BLOCKS
from netwright.graph.op import Op
from netwright.graph.ops.linear import Linear
from netwright.graph.tensor import FileData, TensorId
from netwright.native import core
from netwright.plan.lower.emitter import Emitter
from netwright.plan.lower.step import BufferId, Offer, Parameter, Recoded, View, Weight, row_major
from netwright.program.encode import FORMAT_CODES
from netwright.program.reference.lookup import lookup_bytes

TABLES = "lut4x256"
# Formats whose codes are 0 to 3 with zero 1 and one fp16 scale for each 256: two planes.
PLANAR = ("tq2_0", "tq1_0")
BITS, ZERO = 2, 1


def as_shipped(emitter: Emitter, tensor: TensorId) -> Weight:
    """A weight in the blocks that it has, where it lies."""
    value = emitter.graph[tensor]
    shape = tuple(emitter.most(e) for e in value.shape)
    row = value.format.row_bytes(shape[-1])
    strides = (*row_major(shape[:-1], row), 0)
    seen = View(BufferId(-1), 0, value.format.name, shape, strides)
    return Weight(seen, shape[0] * row, lambda: emitter.weight(tensor))


def has_planes(emitter: Emitter, weight: TensorId) -> bool:
    """Whether the weight can be laid anew as bit planes: nothing else may read it as shipped."""
    value = emitter.graph[weight]
    readers = emitter.consumers[weight]
    only = all(isinstance(r.kind, Linear) and _weight_of(r) == weight for r in readers)
    return value.format.name in PLANAR and bool(value.data) and only


def _weight_of(op: Op) -> TensorId | None:
    """The weight of a product that reads it once and as outputs times inputs."""
    assert isinstance(op.kind, Linear)
    weight = op.inputs[1]
    return None if op.kind.input_major or op.inputs.count(weight) != 1 else weight


def lookup_offer(
    emitter: Emitter, op: Op, views: Sequence[View | None], function: Sequence[Parameter],
    work: float,
) -> Offer:  # fmt: skip
    """The same product as matmul_quant's; `views`: out, int8 rows, bias, residual."""
    out, rows, bias, residual = views
    x, weight = op.inputs[0], op.inputs[1]
    assert rows is not None and x is not None and weight is not None
    outputs, inputs = (emitter.most(e) for e in emitter.graph[weight].shape)
    planes = _planes(emitter, weight, outputs, inputs)
    recoded = _recoded(emitter, x, rows, op.name)
    parameters = (inputs, outputs, BITS, ZERO, *function)
    given = [recoded.step.operands[0], planes.seen, bias, residual]
    step = emitter.step("matmul_lookup", [out], given, parameters, op.name, work)
    return Offer("lookup by bit planes", step, planes, recoded=recoded)


def _planes(emitter: Emitter, weight: TensorId, outputs: int, inputs: int) -> Weight:
    value = emitter.graph[weight]

    def make() -> NDArray[np.uint8]:
        data = value.data[0]
        if isinstance(data, FileData):
            raw = np.fromfile(data.path, np.uint8, data.size_bytes, offset=data.offset_bytes)
        else:
            raw = np.ascontiguousarray(data.raw.reshape(-1))
        code = FORMAT_CODES[value.format.name]
        return np.frombuffer(core.pack_lookup(raw, code, outputs, inputs), np.uint8)

    size_bytes = lookup_bytes(outputs, inputs, BITS)
    return emitter.packed(("planes", weight), size_bytes, make, value.name)


def _recoded(emitter: Emitter, x: TensorId, rows: View, source: str) -> Recoded:
    """Tables of the sums of a tensor's rows, for all products that read it."""
    columns = rows.shape[1]
    assert isinstance(columns, int)
    block, block_bytes = BLOCKS[TABLES]
    seen = View(BufferId(-1), 0, TABLES, rows.shape, (columns // block * block_bytes, 0))
    work = 8.0 * emitter.most(rows.shape[0]) * columns

    def take() -> View:
        if (x, TABLES) not in emitter.act8:
            made = emitter.act8_rows(rows.shape[0], columns, TABLES, source)
            emitter.emit("quantize_rows", [made], [rows], [], source, work)
            emitter.act8[x, TABLES] = made
        return emitter.act8[x, TABLES]

    step = emitter.step("quantize_rows", [seen], [rows], [], source, work)
    return Recoded(step, max(1, _readers(emitter, x)), take)


def _readers(emitter: Emitter, x: TensorId) -> int:
    """Products that could read the tables of a tensor."""
    found = 0
    for op in emitter.consumers[x]:
        weight = op.inputs[1] if isinstance(op.kind, Linear) else None
        found += weight is not None and op.inputs[0] == x and has_planes(emitter, weight)
    return found
