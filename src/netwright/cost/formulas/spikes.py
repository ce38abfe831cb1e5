"""Spiking opcodes: membranes cost every step, connections by the spikes that are expected."""

from __future__ import annotations

from netwright.cost.formulas.build import Parameters, Views, need, optional, parameter, plain, size
from netwright.cost.work import Traffic, TrafficKind, Work

_CURRENT, _RECEPTORS = 5, 4  # native/kernels/spike_shape.hpp
_EXPONENTIAL = 24.0  # operations of the kernel's exp, and a division


def neuron(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """Sizes: (neurons times steps,).

    Variant: receptors, c conductances, r refractory, s what is left of a step is a number, no bit.
    """
    membrane, dense = need(opcode, operands, 3), optional(operands, 2)
    receptors = int(parameter(opcode, parameters, 0))
    conductances, held = bool(parameter(opcode, parameters, 1)), optional(operands, 4) is not None
    sequences = [optional(operands, i) for i in (2, *range(10, 14))]
    steps = max((s.shape[0] for s in sequences if s is not None), default=1)
    updates = membrane.elements * steps
    per = 6.0 + 4.0 * receptors + 3.0 * held + (_EXPONENTIAL if conductances else 0.0)
    states = size(membrane, *operands[4 : _CURRENT + _RECEPTORS])
    rows = sum(o.num_bytes // max(o.shape[0], 1) for o in operands[:2] if o is not None)
    written = rows + (0 if dense is None else dense.num_bytes)
    read = size(*operands[10:15])  # with the coefficients of each
    variant = f"{receptors}{'c' * conductances}{'r' * held}{'s' * (dense is not None)}"
    return Work(
        opcode,
        variant,
        (max(1, updates),),
        (("fp32", max(per * updates, 1.0)),),
        (
            Traffic(TrafficKind.CACHE, states, states),
            Traffic(TrafficKind.ACTIVATIONS, read, written),
        ),
        states + read + written,
    )


def _delivered(
    opcode: str,
    variant: str,
    sizes: tuple[float, ...],
    events: float,
    table: tuple[float, int, int],
) -> Work:
    """`events` synapses of a table (bytes of one, all bytes, bytes of all sums) of which others are
    drawn at every step; as many sums, or all, are touched."""
    each, drawn, sums = table
    weights, touched = round(events * each), round(min(4.0 * events, sums))
    return Work(
        opcode,
        variant,
        sizes,
        (("fp32", max(events, 1.0)),),
        (Traffic(TrafficKind.WEIGHTS, weights), Traffic(TrafficKind.ACTIVATIONS, touched, touched)),
        weights + sums,
        drawn_bytes=drawn + sums,
    )


def spike_scatter(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """Sizes: (1 + spikes, 1 + synaptic events, targets, sources) of a step, the first two expected.

    Variant: format of targets, w own weights.
    """
    total, target = need(opcode, operands, 0), need(opcode, operands, 4)
    starts, weight = need(opcode, operands, 3), need(opcode, operands, 5)
    sources, spikes = parameter(opcode, parameters, 2), parameter(opcode, parameters, 4)
    events = spikes * target.elements / max(sources, 1.0)
    own = weight.elements > 1
    width = target.num_bytes / max(target.elements, 1) + 4.0 * own
    sizes = (1.0 + spikes, 1.0 + events, total.elements, max(sources, 1.0))
    drawn = size(target, starts, weight)
    table = (width, drawn, total.num_bytes)
    return _delivered(opcode, target.format + "w" * own, sizes, events, table)


def spike_rows(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """Sizes: (1 + spikes expected in a step, targets)."""
    total, matrix = need(opcode, operands, 0), need(opcode, operands, 3)
    spikes = parameter(opcode, parameters, 4)
    events, sizes = spikes * total.elements, (1.0 + spikes, max(total.elements, 1))
    return _delivered(opcode, "fp32", sizes, events, (4.0, matrix.num_bytes, total.num_bytes))


def spike_procedural(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """A draw for every target of every spike. Sizes, expected: (1 + spikes, 1 + pairs)."""
    total, spikes = need(opcode, operands, 0), parameter(opcode, parameters, 8)
    pairs = spikes * total.elements
    touched = total.num_bytes
    return plain(
        opcode, "philox", (1.0 + spikes, 1.0 + pairs), 12.0 * pairs + 1.0, touched, touched
    )


def matmul_spikes(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """Sizes: (rows, inputs, inputs of a row expected not to be zero, outputs)."""
    out, x, weight = (need(opcode, operands, i) for i in range(3))
    entries = x.elements * parameter(opcode, parameters, 0)
    events = entries * weight.shape[1]
    read = min(weight.num_bytes, round(4.0 * events))
    each = max(1.0, entries / max(x.shape[0], 1))
    return Work(
        opcode,
        "fp32",
        (x.shape[0], weight.shape[0], each, weight.shape[1]),
        (("fp32", events + x.elements),),
        (
            Traffic(TrafficKind.WEIGHTS, read),
            Traffic(TrafficKind.ACTIVATIONS, x.num_bytes, out.num_bytes),
        ),
        weight.num_bytes + x.num_bytes + out.num_bytes,
    )


def poisson(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """Sizes: (neurons, bounds)."""
    total, bounds = need(opcode, operands, 0), need(opcode, operands, 2)
    operations = total.elements * (10.0 + 2.0 * bounds.elements)
    touched = total.num_bytes
    sizes = (total.elements, max(1, bounds.elements))
    return plain(opcode, "philox", sizes, operations, touched, touched)


def spike_source(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """Sizes: (neurons,)."""
    neurons = int(parameter(opcode, parameters, 2))
    read = size(need(opcode, operands, 3))
    return plain(opcode, "philox", (neurons,), 12.0 * neurons, read, neurons // 8)


def tick(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """One number."""
    return plain(opcode, "int64", (1,), 0, 8, 8)


def row_copy(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """One row of a stream's. Sizes: (bytes,)."""
    to = need(opcode, operands, 0)
    row = to.num_bytes // max(to.shape[0], 1)
    return plain(opcode, "bytes", (max(row, 1),), 0, row, row)
