"""Opcodes of synapses that learn: what fired is touched, by the spikes that are expected."""

from __future__ import annotations

from netwright.cost.formulas.build import Parameters, Views, need, optional, parameter, plain, size
from netwright.cost.work import Traffic, TrafficKind, Work

_SCATTERED = 16.0  # bytes of a synapse that stands alone: a number at each of its four indices


def plastic_connect(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """Sizes: (1 + spikes, 1 + synaptic events, targets) of all samples, the first two expected.

    Variant: n synapses have numbers, they are not in the order of their rows.
    """
    total, spikes, weight = (need(opcode, operands, i) for i in range(3))
    targets, numbered = need(opcode, operands, 5), optional(operands, 4) is not None
    batch, sources = spikes.shape[1], max(spikes.shape[2], 1)
    fired = parameter(opcode, parameters, 0) * batch
    events = fired * targets.elements / sources
    table = round(events * (8.0 + 4.0 * numbered))
    moved = size(total, spikes)
    return Work(
        opcode,
        "fp32" + "n" * numbered,
        (1.0 + fired, 1.0 + events, max(total.elements, 1)),
        (("fp32", 2.0 * events + spikes.elements),),
        (
            Traffic(TrafficKind.WEIGHTS, min(table, size(weight, targets))),
            Traffic(TrafficKind.ACTIVATIONS, spikes.num_bytes, total.num_bytes),
        ),
        table + moved,
        drawn_bytes=size(weight, targets) + moved,
    )


def stdp(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """Sizes: (1 + synapses of sources that fire, 1 + of targets, neurons) of all samples, expected.

    Variant: as plastic_connect.
    """
    weight, pre, post = (need(opcode, operands, i) for i in (0, 1, 2))
    batch, synapses = weight.shape[0], weight.shape[1]
    numbered = optional(operands, 7) is not None
    rows = parameter(opcode, parameters, 1) * batch * synapses / max(pre.shape[2], 1)
    columns = parameter(opcode, parameters, 2) * batch * synapses / max(post.shape[2], 1)
    traces = size(*(need(opcode, operands, i) for i in (1, 2, 3, 4)))
    read = round(rows * (12.0 + 4.0 * numbered) + columns * _SCATTERED)
    table = size(*(operands[i] for i in (0, *range(6, 14))))
    return Work(
        opcode,
        "fp32" + "n" * numbered,
        (1.0 + rows, 1.0 + columns, max(pre.elements + post.elements, 1)),
        (("fp32", 8.0 * (rows + columns) + pre.elements + post.elements),),
        (
            Traffic(TrafficKind.WEIGHTS, min(read, table)),
            Traffic(TrafficKind.CACHE, 0, min(round(4.0 * (rows + columns)), weight.num_bytes)),
            Traffic(TrafficKind.ACTIVATIONS, traces),
        ),
        min(read, table) + traces,
        drawn_bytes=table + traces,
    )


def spike_trace(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """Sizes: (neurons of all samples,)."""
    x = need(opcode, operands, 0)
    count = max(x.elements, 1)
    return plain(opcode, "fp32", (count,), 3.0 * count, 2 * x.num_bytes, x.num_bytes)


def astrocyte(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """Sizes: (neurons and inputs of all samples,)."""
    network, inputs = need(opcode, operands, 1), need(opcode, operands, 2)
    count = max(network.elements + inputs.elements, 1)
    return plain(opcode, "fp32", (count,), float(count), 4 * count, 4)
