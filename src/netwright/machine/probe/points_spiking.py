"""Kernels of spiking networks: membranes, products of spikes, noise.

Operands hold one byte over and over: no index among them is legal, so rows of synapses
(spike_scatter) cannot be timed here and are priced by the roofline.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from netwright.machine.probe.points import KernelPoint, cold_too, dense, point

NEURONS = (512, 4096, 32768, 262144)
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


def products() -> Iterator[KernelPoint]:
    """Rows of a matrix added: of what is not zero, and of what has fired."""
    for rows, entries, outputs in product((1, 16, 128), (4, 32, 128), (16, 256, 2048)):
        operands = (
            dense("fp32", rows, outputs),
            dense("fp32", rows, entries),
            dense("fp32", entries, outputs, resident=True),
            None,
        )
        sizes = (rows, rows * entries, outputs)
        yield point("matmul_spikes", "fp32", sizes, operands, (1.0,))
    for sources, outputs in product((16, 128, 1024), (64, 512, 4096)):
        ring = dense("uint8", 2, -(-sources // 64) * 8)
        matrix = dense("fp32", sources, outputs, resident=True)
        operands = (dense("fp32", 1, outputs), dense("int64", 1), ring, matrix)
        fired = sources // 2  # four bits of every byte that operands are filled with
        sizes = (fired, fired * outputs)
        yield point("spike_rows", "fp32", sizes, operands, (1, 0, sources, 0, float(fired)))


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
    return (*neurons(), *cold_too(products()), *noise())
