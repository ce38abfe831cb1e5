"""What must be known of an opcode without its kernel: which parameters are reals, which a function.

The full table of operands and parameters is docs/opcodes.md.
"""

from __future__ import annotations

from collections.abc import Mapping

# Opcodes that apply a function to their result: the index of its code; its two reals follow.
FUNCTION_PARAMETER: Mapping[str, int] = {
    "matmul_quant": 0,
    "glu": 0,
    "matmul_dense": 0,
    "matmul_lookup": 4,
    "matmul_codes": 4,
    "gemm_packed": 2,
    "conv_packed": 9,
    "conv_winograd": 3,
    "conv_depthwise": 8,
    "conv_transpose": 9,
    "unary": 0,
    "binary": 1,
}

# Indices of the parameters that are stored as the bits of a double.
REAL_PARAMETERS: Mapping[str, frozenset[int]] = {
    "gather_rows": frozenset({0}),
    "rms_norm": frozenset({0}),
    "rope": frozenset({0}),
    "attention": frozenset({0, 3}),
    "matmul_batched": frozenset({0}),
    "resize": frozenset({3, 4}),
    "fill": frozenset({0}),
    "layer_norm": frozenset({0}),
    "group_norm": frozenset({1}),
    "neuron": frozenset(range(8, 27)),
    "spike_scatter": frozenset({4}),
    "spike_rows": frozenset({4}),
    "matmul_spikes": frozenset({0}),
    "spike_procedural": frozenset({7, 8}),
    "poisson": frozenset({3}),
    "spike_source": frozenset({3}),
    "spiking_core": frozenset({3}),
    "plastic_connect": frozenset({0}),
    "stdp": frozenset({0, 1, 2}),
    "spike_trace": frozenset({0, 1}),
    "astrocyte": frozenset({0, 1, 2}),
    **{name: frozenset({at + 1, at + 2}) for name, at in FUNCTION_PARAMETER.items()},
    "matmul_lookup": frozenset({5, 6}),
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
        "gather_weights",
        "scatter_gradients",
    }
)

# A loop nest on a spatial array, and values that stream past one: the simulator prices them, no
# kernel of the core does them.
ARRAY_OPCODES = frozenset({"nest", "stream"})

# Neurons on one core of a chip, each step: the simulator counts and prices their events.
SPIKING_CORE = "spiking_core"


def real_parameters(opcode: str) -> frozenset[int]:
    """Indices of this opcode's parameters that are reals."""
    return REAL_PARAMETERS.get(opcode, frozenset())
