"""The one explicit table: opcode → what it means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, final

from netwright.program.reference import element, index, plasticity, spatial, spikes, token, winograd
from netwright.program.reference.call import Array, Call

Meaning: TypeAlias = Callable[[Call], tuple[Array, ...]]


@final
@dataclass(frozen=True, slots=True)
class Reference:
    """A meaning, how many operands it writes, and whether it also reads the first of them."""

    meaning: Meaning
    written: int = 1
    in_place: bool = False


REFERENCES: Mapping[str, Reference] = {
    "gather_rows": Reference(token.gather_rows),
    "rms_norm": Reference(token.rms_norm),
    "quantize_rows": Reference(token.quantize_rows),
    "matmul_quant": Reference(token.matmul),
    "glu": Reference(token.glu),
    "rope": Reference(token.rope, in_place=True),
    "cache_append": Reference(token.cache_append, in_place=True),
    "attention": Reference(token.attention),
    "matmul_dense": Reference(token.matmul),
    "matmul_lookup": Reference(token.matmul_lookup),
    "matmul_codes": Reference(token.matmul_codes),
    "gemm_packed": Reference(token.gemm_packed),
    "matmul_batched": Reference(token.matmul_batched),
    "conv_packed": Reference(spatial.conv_packed),
    "conv_winograd": Reference(winograd.conv_winograd),
    "conv_depthwise": Reference(spatial.conv_depthwise),
    "conv_transpose": Reference(spatial.conv_transpose),
    "pool": Reference(spatial.pool),
    "resize": Reference(spatial.resize),
    "unary": Reference(element.unary),
    "binary": Reference(element.binary),
    "where": Reference(element.where),
    "copy": Reference(element.copy),
    "fill": Reference(element.fill),
    "softmax": Reference(element.softmax),
    "layer_norm": Reference(element.layer_norm),
    "reduce": Reference(element.reduce),
    "arg_reduce": Reference(element.arg_reduce),
    "gather": Reference(index.gather),
    "lstm": Reference(index.lstm, written=3),
    "gru": Reference(index.gru, written=2),
    "group_norm": Reference(element.group_norm),
    "gather_elements": Reference(index.gather_elements),
    "gather_nd": Reference(index.gather_nd),
    "scatter_nd": Reference(index.scatter_nd),
    "cumulative_sum": Reference(element.cumulative_sum),
    "top_k": Reference(element.top_k, written=2),
    "lp_norm": Reference(element.lp_norm),
    "neuron": Reference(spikes.neuron, written=9, in_place=True),
    "spike_scatter": Reference(spikes.spike_scatter, in_place=True),
    "spike_rows": Reference(spikes.spike_rows, in_place=True),
    "matmul_spikes": Reference(spikes.matmul_spikes),
    "spike_procedural": Reference(spikes.spike_procedural, in_place=True),
    "poisson": Reference(spikes.poisson, in_place=True),
    "spike_source": Reference(spikes.spike_source, written=2, in_place=True),
    "tick": Reference(spikes.tick, in_place=True),
    "row_copy": Reference(spikes.row_copy, in_place=True),
    "plastic_connect": Reference(plasticity.plastic_connect),
    "stdp": Reference(plasticity.stdp, in_place=True),
    "spike_trace": Reference(plasticity.spike_trace, in_place=True),
    "astrocyte": Reference(plasticity.astrocyte, in_place=True),
}
