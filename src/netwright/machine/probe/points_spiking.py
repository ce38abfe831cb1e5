"""Kernels of spiking networks: membranes, synapses fixed and learning, products, noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import final

from netwright.machine.probe.points import (
    KernelPoint,
    ProbeOperand,
    dense,
    point,
)
from netwright.machine.table import Regime

NEURONS = (512, 4096, 32768, 262144)
TURNS = 16  # steps with spikes of their own, one after the other
AWAY_BYTES = 2**20  # touched between two uses of what has left the inner caches
STATE_BYTES = 16  # of a neuron, about: while they are renewed, sums leave the first cache
_RECEPTORS = 4


def neurons() -> Iterator[KernelPoint]:
    """One step of membranes with currents or conductances, with and without a refractory time.

    States are near when nothing else is touched between two steps; else as much is that they, too,
    must come from further out, and what was written must go there.
    """
    for receptors, held, conductances in product((0, 1, 2), (False, True), (False, True)):
        if conductances and not receptors:
            continue
        variant = f"{receptors}{'c' * conductances}{'r' * held}"
        for count in NEURONS:
            operands, parameters = _step(count, receptors, held, conductances)
            near = point("neuron", variant, (count,), operands, parameters)
            states = 4 * count * (1 + receptors + held)
            if count < NEURONS[-1]:
                yield replace(near, regime=Regime.WARM)
            if not conductances:
                yield replace(near, between_bytes=max(0, AWAY_BYTES - states))
            if held and count in NEURONS[1:3] and not conductances:
                far = tuple(o and replace(o, resident=i in _STATES) for i, o in enumerate(operands))
                yield replace(near, regime=Regime.COLD, operands=far)
    for receptors, steps, count in product((0, 1), (16, 128), (64, 512, 4096)):
        x, state = dense("fp32", steps, 1, count), dense("fp32", 1, count)
        nothing = (None,) * _RECEPTORS
        currents = (*[state] * receptors, *[None] * (_RECEPTORS - receptors))
        operands = (None, None, x, state, None, *currents, None, x, *nothing)
        whole = (receptors, 0, 1, 0, 0, 0, 0, 0)
        yield point("neuron", f"{receptors}s", (steps * count,), operands, (*whole, *_REALS))


# Threshold, reset value, decay, drive, input, rate, gains, decays of currents, reversals, spikes:
# currents stay as they are, for one that decays without end becomes a denormal number.
_REALS = (1.0, 0.0, 0.9, 0.0, 1.0, 0.01, *[0.05] * 4, *[1.0] * 4, *[0.0] * 4, 1.0)
_STATES = range(3, 9)  # operands: membrane, refractory time, currents


def _step(
    count: int, receptors: int, held: bool, conductances: bool
) -> tuple[tuple[ProbeOperand | None, ...], tuple[int | float, ...]]:
    """Operands and parameters of one step of so many neurons, spikes as bits."""
    state = dense("fp32", 1, count)
    x = dense("fp32", 1, 1, count)
    ring = dense("uint8", 2, -(-count // 64) * 8)
    left = replace(state, format="int32") if held else None
    currents = (*[state] * receptors, *[None] * (_RECEPTORS - receptors))
    inputs = (x if receptors == 0 else None, *[None] * _RECEPTORS)  # the last: values of each
    operands = (ring, None, None, state, left, *currents, dense("int64", 1), *inputs)
    return operands, (receptors, int(conductances), 2, 0, 0, 20 * held, 0, 0, *_REALS)


def fired(sources: int, spikes: int) -> tuple[ProbeOperand, ProbeOperand]:
    """Rows of bits with so many spikes each, and a clock that goes from row to row."""
    ring = replace(dense("uint8", TURNS, -(-sources // 64) * 8), bits=(spikes, sources))
    return replace(dense("int64", 1), turns=TURNS), ring


def products() -> Iterator[KernelPoint]:
    """Rows of a matrix added: of what is not zero."""
    rows_of = ((1, 16, 128), (64, 512, 2048), (4, 16, 128), (16, 256, 2048))
    for rows, inputs, each, outputs in product(*rows_of):
        # Many rows meet every row of the matrix anyway: few points will do.
        if each > inputs // 2 or (rows == 16 and each == 16) or (rows > 1 and inputs == 64):
            continue
        operands = (
            dense("fp32", rows, outputs),
            replace(dense("fp32", rows, inputs), ones=(each, inputs)),
            dense("fp32", inputs, outputs, resident=True),
            None,
        )
        found = point("matmul_spikes", "fp32", (rows, inputs, each, outputs), operands, (1.0,))
        many = (
            rows == 128
        )  # each byte of weights is met so often that it does not matter where from
        yield replace(found, stands_for=(Regime.COLD,) if many else ())
        if not many:
            yield replace(found, regime=Regime.COLD)


def matrix_rows() -> Iterator[KernelPoint]:
    """Rows of a matrix added: of what has fired. The matrix is as large as its regime asks."""
    for regime, table_bytes, counts in (
        (Regime.WARM, 2**18, (0, 1, 8)),
        (Regime.CACHED, 2**22, (0, 1, 8, 64)),
        (Regime.COLD, 2**26, (1, 8, 64)),
    ):
        for spikes, targets in product(counts, (64, 512, 4096)):
            sources = table_bytes // (4 * targets)
            if spikes > sources:
                continue
            clock, ring = fired(sources, spikes)
            operands = (
                dense("fp32", 1, targets),
                clock,
                ring,
                dense("fp32", sources, targets, resident=True),
            )
            parameters = (1, 0, sources, 0, float(spikes))
            given = point("spike_rows", "fp32", (1 + spikes, targets), operands, parameters)
            yield replace(given, regime=regime, between_bytes=STATE_BYTES * targets)


@final
@dataclass(frozen=True, slots=True)
class Rows:
    """Synapses of a regime: so many of them, spikes of a step, synapses of a row, targets."""

    regime: Regime
    synapses: int
    spikes: tuple[int, ...]
    rows: tuple[int, ...]
    targets: tuple[int, ...]


# Two bytes a synapse: within the second cache, within the last one, beyond it.
ROWS = (
    Rows(Regime.WARM, 2**17, (0, 1, 4, 16), (16, 128, 1024), (1024, 8192)),
    Rows(Regime.CACHED, 2**21, (0, 1, 8, 64), (32, 256, 2048), (1024, 8192, 65536)),
    Rows(Regime.COLD, 2**25, (1, 8, 64), (256, 2048), (4096, 65536)),
)


def synapses() -> Iterator[KernelPoint]:
    """Rows of synapses to targets drawn evenly; at every call others have fired."""
    for given in ROWS:
        for spikes, degree, targets in product(given.spikes, given.rows, given.targets):
            yield _scattered(given, (spikes, degree, targets), "uint16", own=False)
    near = ROWS[1]
    for spikes, degree in product((8, 64), (32, 2048)):
        for form, own in (("uint16", True), ("int32", False), ("int32", True)):
            yield _scattered(near, (spikes, degree, 8192), form, own)


def _scattered(given: Rows, sizes: tuple[int, int, int], form: str, own: bool) -> KernelPoint:
    """Spikes, synapses of a row, targets."""
    spikes, degree, targets = sizes
    sources, count = given.synapses // degree, given.synapses
    clock, ring = fired(sources, spikes)
    starts = ProbeOperand("int32", (1, sources + 1), (0, 4), 4 * sources + 4, True, degree)
    target = replace(dense(form, count, resident=True), below=targets)
    weight = dense("fp32", count if own else 1, resident=own)
    operands = (dense("fp32", 1, targets), clock, ring, starts, target, weight)
    found = point(
        "spike_scatter",
        form + "w" * own,
        (1 + spikes, 1 + spikes * degree, targets, sources),
        operands,
        (1, 0, sources, 0, float(spikes)),
    )
    return replace(found, regime=given.regime, between_bytes=STATE_BYTES * targets)


def noise() -> Iterator[KernelPoint]:
    """Poisson numbers, and spikes by chance."""
    for count, bounds in product((512, 8192, 65536), (4, 12, 30)):
        operands = (dense("fp32", 1, count), dense("int64", 1), dense("int64", bounds))
        yield point("poisson", "philox", (count, bounds), operands, (0, 0, 0, 1.0))
    for count in (512, 8192, 65536):
        ring = dense("uint8", 2, -(-count // 64) * 8)
        operands = (ring, None, dense("int64", 1), dense("int64", 1))
        yield point("spike_source", "philox", (count,), operands, (0, 0, count, 1.0))
    yield point("tick", "int64", (1,), (dense("int64", 1),))


def plastic() -> Iterator[KernelPoint]:
    """Synapses that learn: so many spikes of sources and targets, rows and columns drawn evenly."""
    for regime, synapses in ((Regime.WARM, 2**14), (Regime.CACHED, 2**18), (Regime.COLD, 2**24)):
        for spikes, degree in product((1, 8, 64), (32, 256)):
            neurons = synapses // degree
            if spikes > neurons // 2:
                continue
            for made in (_summed(neurons, degree, spikes), _learning(neurons, degree, spikes)):
                yield replace(made, regime=regime, between_bytes=STATE_BYTES * neurons)
    for count in (512, 8192, 65536):
        x, spikes_of_all = dense("fp32", 1, count), dense("fp32", 1, 1, count)
        yield point("spike_trace", "fp32", (count,), (x, spikes_of_all), (0.9, 0.1))
        both = spikes_of_all, spikes_of_all
        yield point(
            "astrocyte", "fp32", (2 * count,), (dense("fp32", 1, 1), *both), (0.01, 100.0, 0.1)
        )


def _row_list(neurons: int, degree: int) -> tuple[ProbeOperand, ProbeOperand]:
    """Starts and other ends of as many synapses each."""
    starts = ProbeOperand("int32", (1, neurons + 1), (0, 4), 4 * neurons + 4, True, degree)
    return starts, replace(dense("int32", neurons * degree, resident=True), below=neurons)


def _summed(neurons: int, degree: int, spikes: int) -> KernelPoint:
    starts, target = _row_list(neurons, degree)
    fired_ = replace(dense("fp32", 1, 1, neurons), ones=(spikes, neurons))
    weight = dense("fp32", 1, neurons * degree, resident=True)
    operands = (dense("fp32", 1, 1, neurons), fired_, weight, starts, None, target)
    sizes = (1 + spikes, 1 + spikes * degree, neurons)
    return point("plastic_connect", "fp32", sizes, operands, (float(spikes),))


def _learning(neurons: int, degree: int, spikes: int) -> KernelPoint:
    starts, other = _row_list(neurons, degree)
    columns = ProbeOperand("int32", (neurons + 1,), (4,), 4 * neurons + 4, True, degree)
    fired_ = replace(dense("fp32", 1, 1, neurons), ones=(spikes, neurons))
    trace, ends = dense("fp32", 1, neurons), dense("fp32", neurons * degree, resident=True)
    number = replace(other, below=neurons * degree)
    operands = (
        dense("fp32", 1, neurons * degree, resident=True), fired_, fired_, trace, trace,
        dense("fp32", 1, 1), starts, None, other, ends, columns, number, other, ends,
    )  # fmt: skip
    touched = 1 + spikes * degree
    parameters = (0.15, float(spikes), float(spikes))
    return point("stdp", "fp32", (touched, touched, 2 * neurons), operands, parameters)


def spiking_points() -> tuple[KernelPoint, ...]:
    """Everything above."""
    return (*neurons(), *synapses(), *matrix_rows(), *products(), *noise(), *plastic())
