"""What the file form must know of an opcode: which of its parameters are reals.

The full table of operands and parameters is docs/opcodes.md.
"""

from __future__ import annotations

from collections.abc import Mapping

# Indices of the parameters that are stored as the bits of a double.
REAL_PARAMETERS: Mapping[str, frozenset[int]] = {
    "gather_rows": frozenset({0}),
    "rms_norm": frozenset({0}),
    "matmul_quant": frozenset({1, 2}),
    "glu": frozenset({1, 2}),
    "rope": frozenset({0}),
    "attention": frozenset({0, 3}),
    "matmul_dense": frozenset({1, 2}),
    "gemm_packed": frozenset({3, 4}),
    "matmul_batched": frozenset({0}),
    "conv_packed": frozenset({10, 11}),
    "conv_winograd": frozenset({4, 5}),
    "conv_depthwise": frozenset({9, 10}),
    "conv_transpose": frozenset({10, 11}),
    "resize": frozenset({3, 4}),
    "unary": frozenset({1, 2}),
    "binary": frozenset({2, 3}),
    "fill": frozenset({0}),
    "layer_norm": frozenset({0}),
    "group_norm": frozenset({1}),
}

# Whole passes of a pipeline's workers, and messages between them: processes do these, no kernel of
# the core, so it has no check and no workspace for them and refuses a program that has any.
STAGE_OPCODES = frozenset(
    {
        "stage_forward",
        "stage_input_gradient",
        "stage_weight_gradient",
        "stage_backward",
        "transfer",
        "stage_update",
    }
)


def real_parameters(opcode: str) -> frozenset[int]:
    """Indices of this opcode's parameters that are reals."""
    return REAL_PARAMETERS.get(opcode, frozenset())
