"""Tasks of spatial arrays: loop nests with their mapping, and values that stream past."""

from __future__ import annotations

from netwright.cost.formulas.build import Parameters, Views, need
from netwright.cost.nest_code import decode
from netwright.cost.work import Traffic, TrafficKind, View, Work


def nest(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """outputs, inputs, weights; parameters as cost/nest_code.py has them."""
    code = tuple(int(p) for p in parameters)
    found, _ = decode(code)
    outputs, inputs, weights = (need(opcode, operands, i) for i in range(3))
    traffic = (
        Traffic(TrafficKind.ACTIVATIONS, inputs.num_bytes, outputs.num_bytes),
        Traffic(TrafficKind.WEIGHTS, weights.num_bytes),
    )
    operations = ((_arithmetic(inputs), 2.0 * found.macs),)
    return Work(opcode, "", code, operations, traffic, _bytes(operands))


def stream(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """One written operand, then those that are read; nothing is counted but what moves."""
    written, *read = operands
    assert written is not None
    traffic = Traffic(
        TrafficKind.ACTIVATIONS, sum(o.num_bytes for o in read if o is not None), written.num_bytes
    )
    return Work(opcode, "", (), (), (traffic,), _bytes(operands))


def _arithmetic(view: View) -> str:
    return {1: "int8", 2: "fp16"}.get(view.num_bytes // max(view.elements, 1), "fp32")


def _bytes(operands: Views) -> int:
    return sum(o.num_bytes for o in operands if o is not None)
