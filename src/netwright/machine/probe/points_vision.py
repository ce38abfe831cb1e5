"""Kernels of fixed-shape networks: packed products, convolutions, norms, element by element."""

from __future__ import annotations

from collections.abc import Iterator

from netwright.machine.probe.points import (
    KernelPoint,
    ProbeOperand,
    dense,
    image,
    packed,
)
from netwright.machine.table import Regime

# (side, inputs, outputs, kernel, stride): layers as they stand in mobile and OCR networks.
POINTWISE = (
    (112, 32, 16), (56, 16, 96), (56, 96, 24), (28, 40, 240), (28, 240, 40), (14, 480, 112),
    (14, 112, 672), (7, 672, 192), (7, 192, 1152), (7, 1152, 320), (7, 320, 1280), (1, 1280, 1000),
    (60, 96, 96), (120, 24, 48),
)  # fmt: skip
WINDOWS = (
    (112, 3, 32, 3, 2), (120, 16, 24, 3, 1), (56, 64, 64, 3, 1), (28, 128, 128, 3, 1),
    (14, 256, 256, 3, 1), (7, 512, 512, 3, 1), (60, 96, 24, 3, 1), (112, 3, 64, 7, 2),
    (26, 1, 32, 3, 1), (28, 32, 32, 5, 1),
)  # fmt: skip
DEPTHWISE = (
    (112, 32, 3, 1), (56, 96, 3, 2), (56, 144, 3, 1), (28, 144, 5, 2), (28, 240, 5, 1),
    (14, 240, 3, 2), (14, 480, 3, 1), (14, 672, 5, 1), (7, 1152, 5, 1), (7, 1152, 3, 1),
)  # fmt: skip
REDUCTIONS = (
    (1, 49, 1152), (1, 3136, 96), (1, 196, 480), (128, 384, 1), (40, 6625, 1), (1, 1024, 1),
    (16, 196, 64), (4, 40, 384),
)  # fmt: skip
GEMM = ((384, 384), (384, 1536), (1536, 384), (768, 768), (256, 1024), (128, 64), (1024, 6625))


# Codes in the order of graph/ops/function.py: relu, clip, sigmoid, hard_swish, silu, gelu, tanh,
# exp, sqrt, erf, square.
FUNCTIONS = (1, 2, 6, 8, 9, 10, 12, 13, 15, 24, 29)


def gemms() -> Iterator[KernelPoint]:
    """gemm_packed, cold and warm."""
    for rows in (1, 4, 16, 40, 128, 384):
        for inputs, outputs in GEMM:
            for regime in (Regime.COLD, Regime.WARM):
                if (regime is Regime.COLD and rows > 128) or rows * inputs * outputs > 2**28:
                    continue
                operands = (
                    dense("fp32", rows, outputs),
                    dense("fp32", rows, inputs),
                    packed(outputs, inputs, 1, 1, regime is Regime.COLD),
                    dense("fp32", outputs),
                    None,
                )
                sizes = (rows, inputs, outputs)
                parameters = (inputs, outputs, 0, 0.0, 0.0)
                yield KernelPoint("gemm_packed", "fp32", sizes, regime, operands, parameters)


def convolutions() -> Iterator[KernelPoint]:
    """conv_packed (pointwise and windows) and conv_depthwise, warm and cold."""
    for regime in (Regime.WARM, Regime.COLD):
        for side, inputs, outputs in POINTWISE:
            yield _conv(side, inputs, outputs, 1, 1, regime)
        for side, inputs, outputs, kernel, stride in WINDOWS:
            yield _conv(side, inputs, outputs, kernel, stride, regime)
    for side, channels, kernel, stride in DEPTHWISE:
        edge, pad = side * stride, kernel // 2
        operands = (
            image(1, channels, side, side),
            image(1, channels, edge, edge),
            dense("fp32", kernel * kernel, channels),
            dense("fp32", channels),
            None,
        )
        parameters = (kernel, kernel, stride, stride, pad, pad, 1, 1, 0, 0.0, 0.0)
        sizes = (side * side, kernel * kernel, channels)
        yield KernelPoint("conv_depthwise", "fp32", sizes, Regime.WARM, operands, parameters)


def _conv(
    side: int, inputs: int, outputs: int, kernel: int, stride: int, regime: Regime
) -> KernelPoint:
    edge, pad = side * stride, kernel // 2
    operands = (
        image(1, outputs, side, side),
        image(1, inputs, edge, edge),
        packed(outputs, inputs, kernel * kernel, 1, regime is Regime.COLD),
        dense("fp32", outputs),
        None,
    )
    parameters = (kernel, kernel, stride, stride, pad, pad, 1, 1, 1, 0, 0.0, 0.0)
    variant = "pointwise" if kernel == 1 else "window"
    sizes = (side * side, inputs * kernel * kernel, outputs)
    return KernelPoint("conv_packed", variant, sizes, regime, operands, parameters)


def batched() -> Iterator[KernelPoint]:
    """Products of two computed operands."""
    for batch, rows, inner, columns in (
        (12, 128, 32, 128), (12, 128, 128, 32), (8, 40, 15, 40), (12, 32, 64, 32), (1, 64, 256, 64),
    ):  # fmt: skip
        operands = (
            dense("fp32", batch, rows, columns),
            dense("fp32", batch, rows, inner),
            dense("fp32", batch, inner, columns),
        )
        sizes = (batch, rows, inner, columns)
        yield _warm("matmul_batched", "fp32", sizes, operands, (1.0,))


def rows() -> Iterator[KernelPoint]:
    """Softmax and layer norms."""
    for count, inner in ((1, 384), (128, 384), (128, 128), (1536, 128), (384, 768), (40, 6625)):
        x, line = dense("fp32", count, inner), dense("fp32", inner)
        yield _warm("softmax", "fp32", (count, inner), (x, x), (0,))
        yield _warm("layer_norm", "fp32", (count, inner), (x, x, line, line, None), (1e-5,))


def elements() -> Iterator[KernelPoint]:
    """Element by element, copies, reductions and pooling."""
    for count in (64, 1024, 8192, 50176, 200704, 401408, 1605632):
        x = dense("fp32", count)
        for code in FUNCTIONS:
            yield _warm("unary", str(code), (count,), (x, x), (code, 0.0, 0.0))
        yield _warm("binary", "fp32", (count,), (x, x, x), (0, 0, 0.0, 0.0))
        yield _warm("copy", "fp32,fp32", (count,), (x, x), ())
        yield _warm("fill", "fp32", (count,), (x,), (0.0,))
    for outer, middle, inner in REDUCTIONS:
        out, x = dense("fp32", outer, inner), dense("fp32", outer, middle, inner)
        yield _warm("reduce", "fp32", (outer, middle, inner), (out, x), (0,))
    for side, channels, kernel in (
        (56, 64, 3),
        (28, 128, 2),
        (14, 256, 3),
        (13, 32, 2),
        (56, 24, 2),
        (7, 480, 3),
    ):
        operands = (image(1, channels, side, side), image(1, channels, side * 2, side * 2))
        pad = kernel // 2 if kernel % 2 else 0
        parameters = (0, kernel, kernel, 2, 2, pad, pad, 1, 1, 0)
        sizes = (side * side, kernel * kernel, channels)
        yield _warm("pool", "fp32", sizes, operands, parameters)


def recurrent() -> Iterator[KernelPoint]:
    """LSTM and GRU steps."""
    for steps, hidden in ((1, 64), (1, 128), (4, 128), (16, 128), (16, 256)):
        x, state = dense("fp32", steps, 1, hidden), dense("fp32", 1, hidden)
        for opcode, gates in (("lstm", 4), ("gru", 3)):
            weight = dense("fp32", gates * hidden, hidden)
            bias = dense("fp32", 2 * gates * hidden)
            states = (state, state) if opcode == "lstm" else (state,)
            operands = (x, *states, x, weight, weight, bias, *states)
            parameters = (0,) if opcode == "lstm" else (0, 1)
            yield _warm(opcode, "fp32", (steps, 1, hidden, hidden), operands, parameters)


def _warm(
    opcode: str,
    variant: str,
    sizes: tuple[int, ...],
    operands: tuple[ProbeOperand | None, ...],
    parameters: tuple[int | float, ...],
) -> KernelPoint:
    return KernelPoint(opcode, variant, sizes, Regime.WARM, operands, parameters)


def vision_points() -> tuple[KernelPoint, ...]:
    """Everything above."""
    return (*gemms(), *convolutions(), *rows(), *elements(), *batched(), *recurrent())
