"""Spiking opcodes: membranes cost every step, connections by the spikes that are expected."""

from __future__ import annotations

from netwright.cost.formulas.build import Parameters, Views, need, optional, parameter, plain, size
from netwright.cost.work import Traffic, TrafficKind, Work

_CURRENT, _RECEPTORS = 5, 4  # native/kernels/spike_shape.hpp
_EXPONENTIAL = 24.0  # operations of the kernel's exp, and a division


def neuron(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """Variant: receptors, c conductances, r refractory. Sizes: (neurons times steps,)."""
    membrane = need(opcode, operands, 3)
    receptors = int(parameter(opcode, parameters, 0))
    conductances, held = bool(parameter(opcode, parameters, 1)), optional(operands, 4) is not None
    sequences = [optional(operands, i) for i in (2, *range(10, 14))]
    steps = max((s.shape[0] for s in sequences if s is not None), default=1)
    updates = membrane.elements * steps
    per = 6.0 + 4.0 * receptors + 3.0 * held + (_EXPONENTIAL if conductances else 0.0)
    states = size(membrane, *operands[4 : _CURRENT + _RECEPTORS])
    rows = sum(o.num_bytes // max(o.shape[0], 1) for o in operands[:2] if o is not None)
    dense = optional(operands, 2)
    written = states + rows + (0 if dense is None else dense.num_bytes)
    read = states + size(*operands[10:14])
    variant = f"{receptors}{'c' * conductances}{'r' * held}"
    return plain(opcode, variant, (updates,), per * updates, read, written)


def _delivered(
    opcode: str, variant: str, spikes: float, events: float, each: tuple[float, int]
) -> Work:
    """`events` synapses of `each` bytes read, and as many sums (or all of their bytes) touched."""
    weights, touched = round(events * each[0]), round(min(4.0 * events, each[1]))
    return Work(
        opcode,
        variant,
        (max(1, round(spikes)), max(1, round(events))),
        (("fp32", max(events, 1.0)),),
        (Traffic(TrafficKind.WEIGHTS, weights), Traffic(TrafficKind.ACTIVATIONS, touched, touched)),
        weights + each[1],
    )


def spike_scatter(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """Sizes: (spikes, synaptic events) of a step. Variant: format of targets, w own weights."""
    total, target = need(opcode, operands, 0), need(opcode, operands, 4)
    weight = need(opcode, operands, 5)
    sources, spikes = parameter(opcode, parameters, 2), parameter(opcode, parameters, 4)
    events = spikes * target.elements / max(sources, 1.0)
    own = weight.elements > 1
    width = target.num_bytes / max(target.elements, 1) + 4.0 * own
    variant = target.format + "w" * own
    return _delivered(opcode, variant, spikes, events, (width, total.num_bytes))


def spike_rows(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """Sizes: (spikes, synaptic events) of a step."""
    total, spikes = need(opcode, operands, 0), parameter(opcode, parameters, 4)
    return _delivered(opcode, "fp32", spikes, spikes * total.elements, (4.0, total.num_bytes))


def spike_procedural(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """A draw for every target of every spike. Sizes: (spikes, pairs looked at)."""
    total, spikes = need(opcode, operands, 0), parameter(opcode, parameters, 8)
    pairs = spikes * total.elements
    touched = total.num_bytes
    sizes = (max(1, round(spikes)), max(1, round(pairs)))
    return plain(opcode, "philox", sizes, 12.0 * pairs + 1.0, touched, touched)


def matmul_spikes(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """Sizes: (rows, entries that are not zero, outputs)."""
    out, x, weight = (need(opcode, operands, i) for i in range(3))
    entries = x.elements * parameter(opcode, parameters, 0)
    events = entries * weight.shape[1]
    read = min(weight.num_bytes, round(4.0 * events))
    return Work(
        opcode,
        "fp32",
        (x.shape[0], max(1, round(entries)), weight.shape[1]),
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
