"""Opcode, operands → Work: one formula an opcode of native/vm/opcodes.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netwright.cost.formulas import (
    array,
    attention,
    convolution,
    elementwise,
    linear,
    movement,
    plasticity,
    rows,
    spikes,
)
from netwright.cost.formulas.build import Formula
from netwright.cost.work import OperandLike, Work, views
from netwright.errors import UnsupportedError
from netwright.graph.extent import Affine, Extent, resolve

FORMULAS: Mapping[str, Formula] = {
    "gather_rows": movement.gather_rows,
    "rms_norm": rows.rms_norm,
    "quantize_rows": rows.quantize_rows,
    "matmul_quant": linear.matmul_quant,
    "glu": rows.glu,
    "rope": attention.rope,
    "cache_append": attention.cache_append,
    "attention": attention.attention,
    "matmul_dense": linear.matmul_dense,
    "matmul_lookup": linear.matmul_lookup,
    "matmul_codes": linear.matmul_codes,
    "gemm_packed": linear.gemm_packed,
    "matmul_batched": linear.matmul_batched,
    "conv_packed": convolution.conv_packed,
    "conv_winograd": convolution.conv_winograd,
    "conv_depthwise": convolution.conv_depthwise,
    "conv_transpose": convolution.conv_transpose,
    "pool": convolution.pool,
    "resize": convolution.resize,
    "unary": elementwise.unary,
    "binary": elementwise.binary,
    "where": elementwise.where,
    "copy": movement.copy,
    "fill": movement.fill,
    "softmax": rows.softmax,
    "layer_norm": rows.layer_norm,
    "reduce": elementwise.reduce,
    "arg_reduce": elementwise.reduce,
    "gather": movement.gather,
    "lstm": linear.lstm,
    "gru": linear.gru,
    "group_norm": rows.group_norm,
    "gather_elements": movement.gather,
    "gather_nd": movement.gather,
    "scatter_nd": movement.scatter_nd,
    "cumulative_sum": elementwise.cumulative_sum,
    "top_k": elementwise.top_k,
    "lp_norm": rows.lp_norm,
    "neuron": spikes.neuron,
    "spike_scatter": spikes.spike_scatter,
    "spike_rows": spikes.spike_rows,
    "matmul_spikes": spikes.matmul_spikes,
    "spike_procedural": spikes.spike_procedural,
    "poisson": spikes.poisson,
    "row_copy": spikes.row_copy,
    "spike_source": spikes.spike_source,
    "tick": spikes.tick,
    "plastic_connect": plasticity.plastic_connect,
    "stdp": plasticity.stdp,
    "spike_trace": plasticity.spike_trace,
    "astrocyte": plasticity.astrocyte,
    "nest": array.nest,
    "stream": array.stream,
}


def work(
    opcode: str,
    operands: Sequence[OperandLike | None],
    parameters: Sequence[Extent | float],
    symbols: Mapping[str, int],
) -> Work:
    """What one task asks of a machine, once its symbols have values.

    Raises:
        UnsupportedError: there is no formula for this opcode, or no size for a format.
        ProgramError: an operand or a parameter that the formula needs is absent.
        KeyError: a symbol has no value.
    """
    formula = FORMULAS.get(opcode)
    if formula is None:
        raise UnsupportedError(
            f"cost: no formula for opcode {opcode!r}; add one to cost/formulas beside its kernel"
        )
    numbers = [resolve(p, symbols) if isinstance(p, int | Affine) else p for p in parameters]
    return formula(opcode, views(operands, symbols), numbers)
