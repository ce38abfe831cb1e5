"""Bytes of the formats that operands have: the same figures as native/vm/format.hpp."""

from __future__ import annotations

from netwright.errors import UnsupportedError

# Format → (elements of a block, bytes of a block).
BLOCKS: dict[str, tuple[int, int]] = {
    "fp64": (1, 8), "int64": (1, 8),
    "fp32": (1, 4), "int32": (1, 4),
    "fp16": (1, 2), "bf16": (1, 2), "int16": (1, 2), "uint16": (1, 2),
    "fp8_e4m3": (1, 1), "fp8_e5m2": (1, 1),
    "int8": (1, 1), "uint8": (1, 1), "bool": (1, 1), "boolean": (1, 1), "bytes": (1, 1),
    "q4_0": (32, 18), "q4_1": (32, 20), "q5_0": (32, 22), "q5_1": (32, 24), "q8_0": (32, 34),
    "q2_k": (256, 84), "q3_k": (256, 110), "q4_k": (256, 144), "q5_k": (256, 176),
    "q6_k": (256, 210), "tq1_0": (256, 54), "tq2_0": (256, 66),
    "act8x32": (32, 44), "act8x256": (256, 292), "lut4x256": (256, 1168),
}  # fmt: skip


def row_bytes(format_name: str, elements: int) -> float:
    """Bytes of a row of this many elements; a part of a block counts as its share.

    Raises:
        UnsupportedError: the format is none that an operand may have.
    """
    if format_name not in BLOCKS:
        raise UnsupportedError(
            f"cost: no size is known for operand format {format_name!r}; "
            f"add it to cost/storage.py beside native/vm/format.hpp"
        )
    block_elements, block_bytes = BLOCKS[format_name]
    return elements * block_bytes / block_elements


def broadcast_bytes(format_name: str, shape: tuple[int, ...], strides: tuple[int, ...]) -> int:
    """Distinct bytes of an operand: a dim of stride 0 is one element seen many times.

    The innermost stride of a block format is 0 by convention, and is no broadcast.
    """
    plain = BLOCKS.get(format_name, (1, 0))[0] == 1
    rows, inner = 1, shape[-1] if shape else 1
    for size, stride in zip(shape[:-1], strides[:-1] or (1,) * (len(shape) - 1), strict=True):
        rows *= size if stride else min(size, 1)
    if plain and shape and strides and strides[-1] == 0:
        inner = min(inner, 1)
    return round(rows * row_bytes(format_name, inner))
