"""Spiking opcodes: membranes by the graph's own reference, spikes as rows of bits."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from netwright.graph.ops.neuron_rule import Discretisation, Reset
from netwright.graph.ops.neuron_step import Membrane, Membranes, advance
from netwright.graph.ops.philox import words
from netwright.program.reference.call import Call

Array: TypeAlias = NDArray[Any]

RECEPTORS = 4
RING, RECORD, DENSE, MEMBRANE, LEFT, CURRENT = range(6)
CLOCK, INPUT = CURRENT + RECEPTORS, CURRENT + RECEPTORS + 1
EACH = INPUT + RECEPTORS
_RESETS = (Reset.NONE, Reset.SUBTRACT, Reset.VALUE)


def spikes_of(row: Array, neurons: int) -> Array:
    """Booleans of one row of bits."""
    return np.unpackbits(row.astype(np.uint8), bitorder="little")[:neurons].astype(bool)


def _with_row(rows: Array | None, step: int, spikes: Array) -> Array | None:
    """Rows of bits with those of a step in their place; None where there are none."""
    if rows is None:
        return None
    kept = rows.copy()
    bits = np.zeros(8 * rows.shape[1], np.uint8)
    bits[: spikes.size] = spikes.reshape(-1) > 0
    kept[step % len(rows)] = np.packbits(bits, bitorder="little")
    return kept


def _membrane(call: Call) -> Membrane | Membranes:
    receptors, conductances = call.whole(0), bool(call.whole(1))
    rule = Discretisation(
        reset=_RESETS[call.whole(2)],
        reset_value=call.real(9),
        reset_delay=bool(call.whole(3)),
        threshold_included=bool(call.whole(4)),
        refractory_steps=call.whole(5),
        input_after=bool(call.whole(6)),
    )

    each = call.optional(EACH)
    if each is not None:
        return _differing(rule, each.reshape(len(each), *call.given(MEMBRANE).shape), conductances)

    def of(first: int) -> tuple[float, ...]:
        return tuple(call.real(first + k) for k in range(receptors))

    return Membrane(
        rule,
        call.real(8),
        call.real(10),
        call.real(11),
        call.real(12),
        () if conductances else of(14),
        of(18),
        of(22) if conductances else (),
        call.real(13),
    )


def _differing(rule: Discretisation, rows: Array, conductances: bool) -> Membranes:
    """The coefficients of neurons that differ (rows: native/kernels/spike_shape.hpp)."""
    _, threshold, less, decay, drive, scale, rate = rows[:7]
    pulls, decays = (tuple(part) for part in np.split(rows[7:], 2))
    return Membranes(
        rule, threshold, -less, decay, drive, scale, () if conductances else pulls, decays,
        pulls if conductances else (), rate,
    )  # fmt: skip


def neuron(call: Call) -> tuple[Array, ...]:
    """All steps of the inputs; states, ring, record and dense values after them."""
    m, states = _membrane(call), [call.given(MEMBRANE)]
    states += [call.given(CURRENT + k) for k in range(len(m.decays))]
    left = call.optional(LEFT)
    if left is not None:
        states.append(left)
    given = [call.optional(INPUT + k) for k in range(max(1, len(m.decays)))]
    steps = next((x.shape[0] for x in given if x is not None), 1)
    dense = call.optional(DENSE)
    if dense is not None:
        steps = dense.shape[0]
    shape = (steps, *states[0].shape)
    inputs = [np.zeros(shape) if x is None else x for x in given]
    spikes, trace, after = advance(m, inputs, states)
    clock = call.optional(CLOCK)
    now = 0 if clock is None else int(clock[0])
    ring, record = call.optional(RING), call.optional(RECORD)
    for step in range(steps):
        ring = _with_row(ring, now + step, spikes[step])
        record = _with_row(record, now + step, spikes[step])
    currents: list[Any] = [*after[1 : 1 + len(m.decays)], *[None] * (RECEPTORS - len(m.decays))]
    values = trace if call.whole(7) else spikes
    held: Any = after[-1] if left is not None else None
    results: tuple[Any, ...] = (ring, record, values, after[0], held, *currents)
    return results


def _fired(call: Call, clock: int, ring: int) -> Array:
    """Sources, counted from the first, that fired so many steps ago."""
    delay, first, sources = (call.whole(i) for i in range(3))
    rows = call.given(ring)
    row = rows[(int(call.given(clock)[0]) - delay) % len(rows)]
    return np.nonzero(spikes_of(row, first + sources)[first:])[0]


def _start(call: Call) -> Array:
    return np.zeros_like(call.given(0)) if call.whole(3) else call.given(0).copy()


def spike_scatter(call: Call) -> tuple[Array, ...]:
    """The weights of the rows of all that fired, added to their targets."""
    total = _start(call)
    flat = total.reshape(-1)
    starts, target, weight = call.given(3), call.given(4), call.given(5)
    weights = np.broadcast_to(weight, target.shape)
    for block in starts:
        for source in _fired(call, 1, 2):
            row = slice(block[source], block[source + 1])
            np.add.at(flat, target[row], weights[row])
    return (total,)


def spike_rows(call: Call) -> tuple[Array, ...]:
    """The rows of the matrix of all that fired, added."""
    total = _start(call)
    return (total + call.given(3)[_fired(call, 1, 2)].sum(axis=0).reshape(total.shape),)


def spike_procedural(call: Call) -> tuple[Array, ...]:
    """As spike_scatter, the rows drawn by counter."""
    total = _start(call)
    drawn = words(total.size, _fired(call, 1, 2), call.whole(4), call.whole(5))
    joined = (drawn < np.uint64(call.whole(6))).sum(axis=0)
    return (total + call.real(7) * joined.reshape(total.shape),)


def matmul_spikes(call: Call) -> tuple[Array, ...]:
    """A product whose left side is mostly zero."""
    bias = call.optional(2)
    product = call.given(0) @ call.given(1)
    return (product if bias is None else product + bias,)


def poisson(call: Call) -> tuple[Array, ...]:
    """Numbers of events by counter, times the weight, on top of what is there."""
    total = np.zeros_like(call.given(0)) if call.whole(2) else call.given(0)
    step = int(call.given(1)[0])
    drawn = words(total.size, step, call.whole(0), call.whole(1)).astype(np.int64)
    events = np.searchsorted(call.given(2), drawn, side="right")
    return (total + call.real(3) * events.reshape(total.shape),)


def spike_source(call: Call) -> tuple[Array, ...]:
    """Spikes by chance, as rows of bits."""
    step = int(call.given(2)[0])
    drawn = words(call.whole(2), step, call.whole(0), call.whole(1)).astype(np.int64)
    spikes = drawn < call.given(3)
    rows: tuple[Any, ...] = tuple(_with_row(call.optional(i), step, spikes) for i in range(2))
    return rows


def tick(call: Call) -> tuple[Array, ...]:
    """The next step."""
    return (call.given(0) + 1,)


def row_copy(call: Call) -> tuple[Array, ...]:
    """The clock's row of one into that of the other."""
    rows, given, step = call.given(0).copy(), call.given(1), int(call.given(2)[0])
    rows[step % len(rows)] = given[step % len(given)]
    return (rows,)
