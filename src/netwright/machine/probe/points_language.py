"""Kernels of token models: quantised products, attention, norms, positions, the cache."""

from __future__ import annotations

from collections.abc import Iterator

from netwright.machine.probe.points import KernelPoint, ProbeOperand, dense
from netwright.machine.table import Regime

# Shapes (K, N) of small and middling models; K of the k-quants must be a multiple of 256.
SHAPES = ((576, 192), (576, 576), (576, 1536), (1536, 576), (2048, 2048), (576, 8192))
SHAPES_256 = ((512, 512), (1024, 1024), (1536, 512), (2048, 2048), (2048, 5632))
FORMATS_32 = ("q4_1", "q8_0", "q4_0", "q5_0", "q5_1")
FORMATS_256 = ("q4_k", "q6_k", "q2_k", "q3_k", "q5_k", "tq2_0", "tq1_0")
ROWS = (1, 2, 3, 4, 6, 8, 12, 16, 48, 128, 384)
FEW_ROWS = (1, 4, 16, 128)
LARGEST_PRODUCT = 2**29  # multiply-adds: longer points are left out, they interpolate well


def products() -> Iterator[KernelPoint]:
    """matmul_quant, cold and warm, for every block format."""
    for fmt in (*FORMATS_32, *FORMATS_256):
        wide = fmt in FORMATS_256
        activation = "act8x256" if wide else "act8x32"
        for rows in ROWS if fmt in FORMATS_32[:2] else FEW_ROWS:
            for inputs, outputs in SHAPES_256 if wide else SHAPES:
                if rows * inputs * outputs <= LARGEST_PRODUCT:
                    yield _product(fmt, activation, (rows, inputs, outputs), Regime.COLD)
                    if fmt in FORMATS_32[:2] and inputs * outputs <= 2**20:
                        yield _product(fmt, activation, (rows, inputs, outputs), Regime.WARM)


def _product(fmt: str, activation: str, sizes: tuple[int, int, int], regime: Regime) -> KernelPoint:
    rows, inputs, outputs = sizes
    operands = (
        dense("fp32", rows, outputs),
        dense(activation, rows, inputs),
        dense(fmt, outputs, inputs, rotated=regime is Regime.COLD),
        None,
        None,
    )
    return KernelPoint("matmul_quant", fmt, sizes, regime, operands, (0, 0.0, 0.0))


def float_products() -> Iterator[KernelPoint]:
    """matmul_dense: weights as shipped in plain floats, cold."""
    for fmt in ("fp16", "fp32", "bf16"):
        for rows in FEW_ROWS:
            for inputs, outputs in SHAPES[1:5]:
                if rows * inputs * outputs <= LARGEST_PRODUCT // 4:
                    operands = (
                        dense("fp32", rows, outputs),
                        dense("fp32", rows, inputs),
                        dense(fmt, outputs, inputs, rotated=True),
                        None,
                        None,
                    )
                    sizes = (rows, inputs, outputs)
                    parameters = (0, 0.0, 0.0)
                    yield KernelPoint("matmul_dense", fmt, sizes, Regime.COLD, operands, parameters)


def attentions() -> Iterator[KernelPoint]:
    """Decode and prefill with a grouped fp16 cache, and full attention in fp32."""
    shapes = [(1, s, h, d) for s in (16, 64, 256, 1024) for h, d in ((9, 64), (32, 64))]
    shapes += [(t, t, 9, 64) for t in (16, 64, 128, 384)] + [(64, 256, 9, 64)]
    for queries, keys, heads, width in shapes:
        yield _attention("fp16", True, (1, queries, keys, heads, width), max(heads // 3, 1))
    for keys in (16, 64, 128, 256):
        for heads, width in ((12, 32), (12, 64)):
            yield _attention("fp32", False, (1, keys, keys, heads, width), heads)


def _attention(
    fmt: str, causal: bool, sizes: tuple[int, int, int, int, int], groups: int
) -> KernelPoint:
    _, queries, keys, heads, width = sizes
    groups = next(g for g in range(groups, 0, -1) if heads % g == 0)
    operands = (
        dense("fp32", 1, queries, heads, width),
        dense("fp32", 1, queries, heads, width),
        dense(fmt, 1, keys, groups, width),
        dense(fmt, 1, keys, groups, width),
        None,
    )
    variant = f"{fmt},causal" if causal else fmt
    parameters = (width**-0.5, int(causal), 0, 0.0)
    return KernelPoint("attention", variant, sizes, Regime.WARM, operands, parameters)


def rows_of_tokens() -> Iterator[KernelPoint]:
    """Norms, quantising, gated units, positions, cache rows and embedding rows."""
    for rows in (1, 4, 16, 128):
        for inner in (576, 1536, 2048):
            for fmt in ("act8x32", "act8x256", "fp32"):
                if fmt == "act8x256" and inner % 256:
                    continue
                sizes = (rows, inner)
                x, out = dense("fp32", *sizes), dense(fmt, *sizes)
                weight, act = dense("fp32", inner), (9, 0.0, 0.0)
                yield _warm("rms_norm", fmt, sizes, (out, x, weight), (1e-5,))
                yield _warm("glu", fmt, sizes, (out, x, x), act)
                if fmt != "fp32":
                    yield _warm("quantize_rows", fmt, sizes, (out, x), ())
        for heads in (3, 9, 32):
            sizes = (rows, heads, 64)
            x = dense("fp32", *sizes)
            yield _warm("rope", "fp32", sizes, (x, None), (10000.0, 64, 0, 0))
            cache = dense("fp16", 512, heads, 64)
            yield _warm("cache_append", "fp16", (rows * heads * 64,), (cache, x), (0,))
        for fmt in ("q8_0", "q4_1", "fp16", "q6_k", "q4_k"):
            inner = 1536
            operands = (dense("fp32", rows, inner), dense(fmt, 4096, inner), dense("int32", rows))
            yield _warm("gather_rows", fmt, (rows, inner), operands, (1.0,))


def _warm(
    opcode: str,
    variant: str,
    sizes: tuple[int, ...],
    operands: tuple[ProbeOperand | None, ...],
    parameters: tuple[int | float, ...],
) -> KernelPoint:
    return KernelPoint(opcode, variant, sizes, Regime.WARM, operands, parameters)


def language_points() -> tuple[KernelPoint, ...]:
    """Everything above, the most used first."""
    return (*products(), *rows_of_tokens(), *attentions(), *float_products())
