"""GB/s and GOP/s of the quantised matrix products, by format and tokens, in CPU time of one thread.

Run: PYTHONPATH=src python benchmarks/kernels.py [format ...]
GB/s counts the weight's bytes once a call; the weights are larger than the last cache.
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

from netwright.native import core

# name → (format code, elements and bytes of a block, code of its activations)
FORMATS = {
    "q4_0": (16, 32, 18, 40),
    "q4_1": (17, 32, 20, 40),
    "q5_0": (18, 32, 22, 40),
    "q5_1": (19, 32, 24, 40),
    "q8_0": (20, 32, 34, 40),
    "q2_k": (21, 256, 84, 41),
    "q3_k": (22, 256, 110, 41),
    "q4_k": (23, 256, 144, 41),
    "q5_k": (24, 256, 176, 41),
    "q6_k": (25, 256, 210, 41),
    "tq1_0": (26, 256, 54, 41),
    "tq2_0": (27, 256, 66, 41),
}
LARGE_BYTES = 96 << 20
FP32 = 0
NO_FUNCTION = [0, 0.0, 0.0]


def activations(tokens: int, inputs: int, code: int) -> tuple[NDArray[np.uint8], int]:
    """Random fp32 rows, quantised; the rows and the bytes of one."""
    row_bytes = core.activation_row_bytes(code, inputs)
    x = np.random.default_rng(0).standard_normal((tokens, inputs), dtype=np.float32)
    rows = np.zeros((tokens, row_bytes), np.uint8)
    out = (rows, code, [tokens, inputs], [row_bytes, 0])
    core.call("quantize_rows", [out, (x, FP32, [tokens, inputs], [inputs * 4, 4])], [])
    return rows, row_bytes


def measure(name: str, outputs: int, inputs: int, tokens: int, repeats: int) -> tuple[float, float]:
    """(GB/s, GOP/s), the best of some passes over copies that leave the caches."""
    code, elements, block_bytes, act = FORMATS[name]
    stride = inputs // elements * block_bytes
    copies = max(1, LARGE_BYTES // (outputs * stride)) if tokens <= 4 else 1
    weight = np.random.default_rng(1).integers(0, 256, (copies, outputs, stride), dtype=np.uint8)
    rows, row_bytes = activations(tokens, inputs, act)
    out = np.zeros((tokens, outputs), np.float32)
    operands = [
        [
            (out, FP32, [tokens, outputs], [outputs * 4, 4]),
            (rows, act, [tokens, inputs], [row_bytes, 0]),
            (each, code, [outputs, inputs], [stride, 0]),
        ]
        for each in weight
    ]
    seconds = min(
        sum(core.call("matmul_quant", each, NO_FUNCTION) for each in operands)
        for _ in range(repeats)
    )
    total_bytes = copies * outputs * stride
    operations = 2 * copies * outputs * inputs * tokens
    return total_bytes / seconds * 1e-9, operations / seconds * 1e-9


def main() -> None:
    print("one thread here: DRAM read 11-15 GB/s in one stream, 17-20 in eight; maddubs 290 GOP/s")
    for name in sys.argv[1:] or FORMATS:
        shapes = [(1536, 576), (576, 1536)] if FORMATS[name][1] == 32 else []
        for outputs, inputs in [*shapes, (4096, 2048)]:
            cells: list[str] = []
            for tokens in (1, 2, 4, 8, 16, 128):
                bandwidth, rate = measure(name, outputs, inputs, tokens, 5 if tokens < 16 else 3)
                cells.append(
                    f"T={tokens}: {bandwidth:5.1f} GB/s"
                    if tokens <= 4
                    else f"T={tokens}: {rate:4.0f} GOP/s"
                )
            print(f"{name:6} {outputs:5}x{inputs:<5} " + "  ".join(cells), flush=True)


if __name__ == "__main__":
    main()
