"""Kernels of spiking networks: membranes, rows of synapses, products of spikes, noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from netwright.machine.probe.points import (
    KernelPoint,
    ProbeOperand,
    cold_too,
    dense,
    point,
)

NEURONS = (512, 4096, 32768, 262144)
TARGETS = 8192
# (first, how many) of the neurons whose spikes are looked at.
SOURCES = ((8, 8), (0, 64), (0, 256), (0, 1024))
_RECEPTORS = 4


def neurons() -> Iterator[KernelPoint]:
    """One step of membranes with currents, with and without a refractory time."""
    for count, receptors, held in product(NEURONS, (0, 1, 2), (False, True)):
        state = dense("fp32", 1, count)
        x = dense("fp32", 1, 1, count)
        ring = dense("uint8", 2, -(-count // 64) * 8)
        left = replace(state, format="int32") if held else None
        currents = (*[state] * receptors, *[None] * (_RECEPTORS - receptors))
        inputs = (x if receptors == 0 else None, *[None] * (_RECEPTORS - 1))
        operands = (ring, None, None, state, left, *currents, dense("int64", 1), *inputs)
        whole = (receptors, 0, 2, 0, 0, 20 * held, 0, 0)
        reals = (1.0, 0.0, 0.9, 0.0, 1.0, 0.0, *[0.05] * 4, *[0.8] * 4, *[0.0] * 4, 1.0)
        variant = f"{receptors}{'r' * held}"
        yield point("neuron", variant, (count,), operands, (*whole, *reals))
    for steps, count in product((16, 128), (64, 1024)):
        x, state = dense("fp32", steps, 1, count), dense("fp32", 1, count)
        nothing = (None,) * _RECEPTORS
        operands = (None, None, x, state, None, *nothing, None, x, *nothing[1:])
        reals = (1.0, 0.0, 0.9, 0.0, 1.0, 0.0, *[0.0] * 12, 1.0)
        yield point("neuron", "0", (steps * count,), operands, (0, 0, 1, 0, 0, 0, 0, 0, *reals))


def fired(first: int, sources: int) -> tuple[ProbeOperand, int]:
    """A row of bits, bytes 0, 85, 170, 255, 84 .., and how many of the sources are set in it."""
    row = replace(dense("uint8", 1, -(-(first + sources) // 64) * 8), ramp=85)
    exact = replace(row, size_bytes=row.shape[-1], stride_bytes=(row.shape[-1], 1))
    bits = "".join(f"{85 * i % 256:08b}"[::-1] for i in range(row.shape[-1]))
    return exact, bits[first : first + sources].count("1")


def products() -> Iterator[KernelPoint]:
    """Rows of a matrix added: of what is not zero, and of what has fired."""
    for rows, entries, outputs in product((1, 16, 128), (16, 32, 128), (16, 256, 2048)):
        operands = (
            dense("fp32", rows, outputs),
            replace(dense("fp32", rows, entries), ramp=1),
            dense("fp32", entries, outputs, resident=True),
            None,
        )
        sizes = (rows, rows * entries, outputs)
        yield point("matmul_spikes", "fp32", sizes, operands, (1.0,))
    for (first, sources), outputs in product(SOURCES, (64, 512, 4096)):
        ring, spikes = fired(first, sources)
        matrix = dense("fp32", sources, outputs, resident=True)
        operands = (dense("fp32", 1, outputs), dense("int64", 1), ring, matrix)
        sizes = (spikes, spikes * outputs)
        yield point("spike_rows", "fp32", sizes, operands, (1, first, sources, 0, float(spikes)))


def synapses() -> Iterator[KernelPoint]:
    """Rows of synapses of one weight, to targets drawn evenly."""
    for (first, sources), degree in product(SOURCES, (16, 128, 1024)):
        ring, spikes = fired(first, sources)
        count = sources * degree
        starts = ProbeOperand("int32", (1, sources + 1), (0, 4), 4 * sources + 4, True, degree)
        target = ProbeOperand("uint16", (count,), (2,), 2 * count, True, below=TARGETS)
        sum_, weight = dense("fp32", 1, TARGETS), dense("fp32", 1)
        operands = (sum_, dense("int64", 1), ring, starts, target, weight)
        sizes = (spikes, spikes * degree)
        parameters = (1, first, sources, 0, float(spikes))
        yield point("spike_scatter", "uint16", sizes, operands, parameters)


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


def spiking_points() -> tuple[KernelPoint, ...]:
    """Everything above."""
    return (*neurons(), *synapses(), *cold_too(products()), *noise())
