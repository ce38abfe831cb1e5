"""Kernels of token models: quantised products, attention, norms, positions, the cache."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from netwright.machine.probe.points import KernelPoint, cold_too, dense, normal, point

# The probe's own grid of (T, K, N): powers of two, no model's shapes.
INPUTS = (256, 512, 1024, 2048)
OUTPUTS = (128, 512, 1024, 4096, 16384)
ROWS = (1, 2, 4, 8, 16, 24, 48, 96, 192, 384)
FORMATS_32 = ("q4_1", "q8_0", "q4_0", "q5_0", "q5_1")
FORMATS_256 = ("q4_k", "q6_k", "q2_k", "q3_k", "q5_k", "tq2_0", "tq1_0")
FINE = ("q4_1", "q8_0", "q4_0", "q4_k", "tq2_0")  # the formats that most files are in
FEW_SHAPES = ((512, 512), (1024, 1024), (2048, 512), (2048, 4096))
FEW_ROWS = (1, 4, 16, 96)
LARGEST_PRODUCT = 2**28  # multiply-adds: longer points are left out, they grow in proportion


def unpacked(fmt: str, rows: int, inputs: int, outputs: int) -> KernelPoint:
    """A product with a weight in blocks."""
    x = dense("act8x256" if fmt in FORMATS_256 else "act8x32", rows, inputs)
    operands = (dense("fp32", rows, outputs), x, dense(fmt, outputs, inputs, resident=True))
    sizes = (rows, inputs, outputs)
    return point("matmul_quant", fmt, sizes, (*operands, None, None), (0, 0.0, 0.0))


def lookup(bits: int, rows: int, inputs: int, outputs: int) -> KernelPoint:
    """A product with a weight in bit planes (kernels/quant_lookup.hpp)."""
    raw = -(-outputs // 32) * (inputs // 256) * (64 + 32 * 32 * bits)
    x, weight = normal("lut4x256", rows, inputs), dense("bytes", raw, resident=True)
    operands = (dense("fp32", rows, outputs), x, weight, None, None)
    parameters = (inputs, outputs, bits, 1, 0, 0.0, 0.0)
    return point("matmul_lookup", f"bits{bits}", (rows, inputs, outputs), operands, parameters)


def encoding(fmt: str, rows: int, inputs: int) -> KernelPoint:
    """Activations as int8 blocks, or these as tables."""
    x = normal("act8x256", rows, inputs) if fmt == "lut4x256" else dense("fp32", rows, inputs)
    return point("quantize_rows", fmt, (rows, inputs), (dense(fmt, rows, inputs), x))


def products() -> Iterator[KernelPoint]:
    """matmul_quant for every block format: every second point of the grid, or few."""
    for fmt in (*FORMATS_32, *FORMATS_256):
        if fmt in FINE:
            grid = product(enumerate(ROWS), enumerate(INPUTS), enumerate(OUTPUTS))
            sizes = [(t, k, n) for (a, t), (b, k), (c, n) in grid if t == 1 or (a + b + c) % 2 == 0]
        else:
            sizes = [(t, k, n) for t in FEW_ROWS for k, n in FEW_SHAPES]
        for rows, inputs, outputs in sizes:
            if rows * inputs * outputs <= LARGEST_PRODUCT:
                yield unpacked(fmt, rows, inputs, outputs)


def lookups() -> Iterator[KernelPoint]:
    """matmul_lookup for codes of two bits: one row at every shape, more at some."""
    grid = product(enumerate((1, 2, 4, 16, 96)), enumerate(INPUTS), enumerate(OUTPUTS))
    for (a, rows), (b, inputs), (c, outputs) in grid:
        if rows * inputs * outputs <= LARGEST_PRODUCT and (rows == 1 or (a + b + c) % 2 == 0):
            yield lookup(2, rows, inputs, outputs)


def float_products() -> Iterator[KernelPoint]:
    """matmul_dense: weights as shipped in plain floats."""
    for fmt in ("fp16", "fp32", "bf16"):
        for rows in FEW_ROWS:
            for inputs, outputs in FEW_SHAPES:
                if rows * inputs * outputs <= LARGEST_PRODUCT // 4:
                    operands = (
                        dense("fp32", rows, outputs),
                        dense("fp32", rows, inputs),
                        dense(fmt, outputs, inputs, resident=True),
                        None,
                        None,
                    )
                    sizes = (rows, inputs, outputs)
                    yield point("matmul_dense", fmt, sizes, operands, (0, 0.0, 0.0))


def attentions() -> Iterator[KernelPoint]:
    """One query, a chunk after a past, and a whole text; grouped fp16 caches and fp32.

    The longest reach beyond a tile of queries and beyond what the inner caches hold of a head.
    """
    causal = [(1, s) for s in (8, 32, 128, 512, 1536)]
    causal += [(t, t) for t in (16, 48, 128, 320)] + [(48, 256), (128, 512), (16, 1024)]
    for (queries, keys), (heads, groups, width) in product(
        causal, ((4, 4, 64), (8, 4, 32), (8, 2, 64), (16, 4, 64), (16, 16, 128), (12, 4, 64))
    ):
        if queries * keys * heads * width <= 2**27:
            yield _attention("fp16", True, (queries, keys), (heads, groups, width))
    for keys, (heads, width) in product((16, 48, 96, 160, 320), ((4, 64), (8, 32), (16, 32))):
        yield _attention("fp32", False, (keys, keys), (heads, heads, width))
    for tokens, heads in ((64, 4), (256, 8), (640, 4), (1280, 1)):
        for causal in (False, True):
            yield _attention("fp32", causal, (tokens, tokens), (heads, heads, 64))
    for keys, heads in product((64, 512, 4096), (2, 8)):
        yield _attention("fp32", True, (1, keys), (heads, heads, 64))


def _attention(
    fmt: str, causal: bool, places: tuple[int, int], shape: tuple[int, int, int]
) -> KernelPoint:
    (queries, keys), (heads, groups, width) = places, shape
    operands = (
        dense("fp32", 1, queries, heads, width),
        dense("fp32", 1, queries, heads, width),
        dense(fmt, 1, keys, groups, width, resident=causal),
        dense(fmt, 1, keys, groups, width, resident=causal),
        None,
    )
    seen = round(keys - (queries - 1) / 2) if causal else keys
    sizes = (queries, seen, heads, groups, width)
    variant = f"{fmt},causal" if causal else fmt
    return point("attention", variant, sizes, operands, (width**-0.5, int(causal), 0, 0.0))


def rows_of_tokens() -> Iterator[KernelPoint]:
    """Norms, quantising, gated units, positions, cache rows and embedding rows."""
    for rows in (1, 4, 16, 64, 256):
        for inner in (256, 512, 1024, 2048):
            for fmt in ("act8x32", "act8x256", "fp32"):
                sizes = (rows, inner)
                x, out = dense("fp32", *sizes), dense(fmt, *sizes)
                yield point("rms_norm", fmt, sizes, (out, x, dense("fp32", inner)), (1e-5,))
                yield point("glu", fmt, sizes, (out, x, x), (9, 0.0, 0.0))
                if fmt != "fp32":
                    yield encoding(fmt, rows, inner)
            yield encoding("lut4x256", rows, inner)
        for heads in (2, 8, 32):
            sizes = (rows, heads, 64)
            x = dense("fp32", *sizes)
            yield point("rope", "fp32", sizes, (x, None), (10000.0, 64, 0, 0))
            cache = dense("fp16", 512, heads, 64)
            yield point("cache_append", "fp16", (rows * heads * 64,), (cache, x), (0,))
        for fmt in ("q8_0", "q4_1", "fp16", "q6_k", "q4_k"):
            table = dense(fmt, 4096, 1024, resident=True)
            operands = (dense("fp32", rows, 1024), table, dense("int32", rows))
            yield point("gather_rows", fmt, (rows, 1024), operands, (1.0,))


def language_points() -> tuple[KernelPoint, ...]:
    """Everything above, the most used first."""
    return tuple(cold_too((*products(), *lookups(), *attentions(), *float_products()))) + tuple(
        rows_of_tokens()
    )
