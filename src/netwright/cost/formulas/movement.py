"""Copies and gathers: bytes, no arithmetic. Sizes: (elements that move,) unless said."""

from __future__ import annotations

from netwright.cost.formulas.build import Parameters, Views, need, plain, size
from netwright.cost.formulas.walk import runs
from netwright.cost.work import Traffic, TrafficKind, Work


def gather_rows(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """T rows of the table are read, never all of it. Sizes: (T, K); variant: the table's format."""
    out, table, ids = (need(opcode, operands, i) for i in range(3))
    row = table.num_bytes / max(table.shape[0], 1)
    weights = round(row * ids.elements)
    return Work(
        opcode,
        table.format,
        (ids.elements, table.shape[-1]),
        (("fp32", 2.0 * out.elements),),
        (
            Traffic(TrafficKind.WEIGHTS, weights),
            Traffic(TrafficKind.ACTIVATIONS, ids.num_bytes, out.num_bytes),
        ),
        weights + ids.num_bytes + out.num_bytes,
    )


def copy(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """Variant: from format to format, "across" where one side is not adjacent.

    Sizes: (runs, elements of a run).
    """
    out, x = need(opcode, operands, 0), need(opcode, operands, 1)
    variant = f"{x.format},{out.format}"
    found = runs((out, x))
    if found is None:
        return plain(opcode, variant, (1, out.elements), 0, x.num_bytes, out.num_bytes)
    to, source = found.inner_bytes
    if found.length > 1 and to != source and source != 0:
        variant += ",across"
    return plain(opcode, variant, found[:2], 0, x.num_bytes, out.num_bytes)


def fill(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """Only written."""
    out = need(opcode, operands, 0)
    return plain(opcode, out.format, (out.elements,), 0, 0, out.num_bytes)


def gather(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """As many elements are read as are written, and the indices."""
    out, table = need(opcode, operands, 0), need(opcode, operands, 1)
    read = out.num_bytes + size(*operands[2:])
    return plain(opcode, table.format, (out.elements,), 0, read, out.num_bytes)


def scatter_nd(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """The base is copied, then the updates are laid over it."""
    out = need(opcode, operands, 0)
    return plain(opcode, out.format, (out.elements,), 0, size(*operands[1:]), out.num_bytes)
