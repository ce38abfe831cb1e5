"""Which operands a step may write over: it reads each element before it writes the same one."""

from __future__ import annotations

from collections.abc import Mapping

from netwright.plan.lower.step import Step, View

# Opcode → positions of read operands that the first operand may take the place of.
MAY_REPLACE: Mapping[str, tuple[int, ...]] = {
    "unary": (1,),
    "binary": (1, 2),
    "glu": (1, 2),
    "rms_norm": (1,),
    "layer_norm": (1, 4),
    "softmax": (1,),
    "matmul_quant": (4,),
    "matmul_dense": (4,),
    "matmul_lookup": (4,),
    "gemm_packed": (4,),
    "conv_packed": (4,),
    "conv_winograd": (4,),
    "conv_depthwise": (4,),
}


def in_place_pairs(step: Step) -> tuple[tuple[int, int], ...]:
    """(read buffer, written buffer) pairs that may share their bytes."""
    out = step.operands[0]
    if out is None:
        return ()
    return tuple(
        (read.buffer, out.buffer)
        for position in MAY_REPLACE.get(step.opcode, ())
        if position < len(step.operands)
        and (read := step.operands[position]) is not None
        and _same_place(read, out)
    )


def _same_place(a: View, b: View) -> bool:
    return a.buffer != b.buffer and (a.format, a.shape, a.stride_bytes, a.offset_bytes) == (
        b.format,
        b.shape,
        b.stride_bytes,
        b.offset_bytes,
    )
