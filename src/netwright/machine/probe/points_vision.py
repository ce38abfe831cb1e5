"""Kernels of fixed-shape networks: packed products, norms, element by element, recurrences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from netwright.machine.probe.points import KernelPoint, cold_too, dense, image, packed, point
from netwright.machine.probe.points_convolution import convolutions

# The probe's own grids: no network's shapes.
GEMM_ROWS = (1, 3, 8, 24, 64, 160, 320)
GEMM_SHAPES = (
    (128, 128), (256, 1024), (512, 512), (1024, 256), (512, 2048), (2048, 512), (128, 4096),
    (4096, 128), (64, 32),
)  # fmt: skip
# (rows, K, N) of the products that convolutions of one pixel, or of a line, are.
PIXELS = (
    (1024, 16, 16), (1024, 128, 32), (1024, 32, 128), (1024, 256, 256), (4096, 16, 64),
    (4096, 64, 16), (4096, 24, 96), (4096, 256, 8), (16384, 8, 32), (16384, 32, 8),
)  # fmt: skip
LARGEST_PRODUCT = 2**27  # multiply-adds
ELEMENTS = (256, 4096, 65536, 524288)
MANY_ELEMENTS = 2**21  # three arrays of so many are more than a shared cache keeps
REDUCTIONS = (
    (1, 64, 1024), (1, 2048, 64), (1, 256, 512), (128, 256, 1), (32, 4096, 1), (1, 1024, 1),
    (16, 128, 64), (4, 64, 256), (1, 16384, 64), (1, 4096, 256),
)  # fmt: skip
# Codes in the order of graph/ops/function.py, without those that answer booleans.
FUNCTIONS = (*range(30), 32, 33)


def gemms() -> Iterator[KernelPoint]:
    """gemm_packed."""
    grid = ((rows, *shape) for rows, shape in product(GEMM_ROWS, GEMM_SHAPES))
    for rows, inputs, outputs in (*grid, *PIXELS):
        if rows * inputs * outputs <= LARGEST_PRODUCT:
            operands = (
                dense("fp32", rows, outputs),
                dense("fp32", rows, inputs),
                packed(outputs, inputs, 1, 1),
                dense("fp32", outputs),
                None,
            )
            sizes = (rows, inputs, outputs)
            yield point("gemm_packed", "fp32", sizes, operands, (inputs, outputs, 0, 0.0, 0.0))


def batched() -> Iterator[KernelPoint]:
    """Products of two computed operands."""
    for batch, rows, inner, columns in (
        (8, 128, 64, 128), (8, 128, 128, 64), (4, 32, 16, 32), (16, 64, 32, 64), (1, 64, 256, 64),
        (1, 256, 256, 256), (64, 16, 16, 16),
    ):  # fmt: skip
        operands = (
            dense("fp32", batch, rows, columns),
            dense("fp32", batch, rows, inner),
            dense("fp32", batch, inner, columns),
        )
        sizes = (batch, rows, inner, columns)
        yield point("matmul_batched", "fp32", sizes, operands, (1.0,))


def rows() -> Iterator[KernelPoint]:
    """Softmax and layer norms."""
    for count, inner in product((1, 16, 128, 512), (64, 256, 1024, 4096)):
        x, line = dense("fp32", count, inner), dense("fp32", inner)
        yield point("softmax", "fp32", (count, inner), (x, x), (0,))
        yield point("layer_norm", "fp32", (count, inner), (x, x, line, line, None), (1e-5,))


def elements() -> Iterator[KernelPoint]:
    """Element by element, copies, reductions and pooling."""
    for count in ELEMENTS:
        x = dense("fp32", count)
        for code in FUNCTIONS:
            yield point("unary", str(code), (count,), (x, x), (code, 0.5, 1.0))
        yield point("fill", "fp32", (count,), (x,), (0.0,))
    for count in (*ELEMENTS, MANY_ELEMENTS):
        x = dense("fp32", count)
        yield point("binary", "fp32", (1, count), (x, x, x), (0, 0, 0.0, 0.0))
        yield point("copy", "fp32,fp32", (1, count), (x, x))
    yield from _runs()
    for outer, middle, inner in REDUCTIONS:
        out, x = dense("fp32", outer, inner), dense("fp32", outer, middle, inner)
        yield point("reduce", "fp32", (outer, middle, inner), (out, x), (0,))
    for side, channels, kernel in product((6, 16, 40), (8, 32, 128), (2, 3)):
        operands = (image(1, channels, side, side), image(1, channels, side * 2, side * 2))
        pad = kernel // 2 if kernel % 2 else 0
        parameters = (0, kernel, kernel, 2, 2, pad, pad, 1, 1, 0)
        sizes = (side * side, kernel * kernel, channels)
        yield point("pool", "fp32", sizes, operands, parameters)


def _runs() -> Iterator[KernelPoint]:
    """What is not in one piece: into part of wider rows, by rows with a vector, across."""
    for count, length in product((20, 300, 3000, 12000), (4, 16, 60, 250)):
        if count * length > MANY_ELEMENTS // 2:
            continue
        rows, line = dense("fp32", count, length), dense("fp32", length)
        wider = replace(
            rows, stride_bytes=(16 * length, 4), size_bytes=4 * length * (4 * count - 3)
        )
        same = replace(line, shape=(count, length), stride_bytes=(0, 4))
        sizes = (count, length)
        yield point("copy", "fp32,fp32", sizes, (wider, rows))
        yield point("binary", "fp32", sizes, (rows, rows, same), (0, 0, 0.0, 0.0))
        turned = replace(rows, stride_bytes=(4, 4 * count))
        yield point("copy", "fp32,fp32,across", sizes, (rows, turned))


def recurrent() -> Iterator[KernelPoint]:
    """LSTM and GRU steps."""
    for steps, hidden in product((1, 4, 16), (32, 64, 96, 160, 256)):
        x, state = dense("fp32", steps, 1, hidden), dense("fp32", 1, hidden)
        for opcode, gates in (("lstm", 4), ("gru", 3)):
            weight = dense("fp32", gates * hidden, hidden, resident=True)
            bias = dense("fp32", 2 * gates * hidden)
            states = (state, state) if opcode == "lstm" else (state,)
            operands = (x, *states, x, weight, weight, bias, *states)
            parameters = (0,) if opcode == "lstm" else (0, 1)
            yield point(opcode, "fp32", (steps, 1, hidden, hidden), operands, parameters)


def vision_points() -> tuple[KernelPoint, ...]:
    """Everything above."""
    weighted = (*gemms(), *convolutions(), *recurrent())
    return (*cold_too(weighted), *rows(), *elements(), *batched())
