"""Which function lowers which kind of operator: the one explicit list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from netwright.errors import UnsupportedError
from netwright.graph.op import Op, OpKind
from netwright.graph.ops.attention import Attention
from netwright.graph.ops.connect import (
    ConvConnect,
    DenseConnect,
    RandomConnect,
    SparseConnect,
)
from netwright.graph.ops.conv import Conv, ConvTranspose
from netwright.graph.ops.elementwise import Binary, Cast, Glu, Unary, Where
from netwright.graph.ops.gather import Gather, GatherElements, GatherNd, ScatterNd
from netwright.graph.ops.linear import Linear, MatMul
from netwright.graph.ops.movement import Concat, Expand, Pad, Reshape, Slice, Tile, Transpose
from netwright.graph.ops.neuron import CobaLif, CubaLif, If, Li, Lif
from netwright.graph.ops.norm import BatchNorm, GroupNorm, LayerNorm, LpNorm, RmsNorm
from netwright.graph.ops.plasticity import Astrocyte, PlasticConnect, Stdp, Trace
from netwright.graph.ops.pool import Pool
from netwright.graph.ops.position import CacheAppend, Rope, StateUpdate
from netwright.graph.ops.quantise import FakeQuantise
from netwright.graph.ops.recurrent import Gru, Lstm
from netwright.graph.ops.reduce import ArgReduce, CumulativeSum, Reduce, TopK
from netwright.graph.ops.resize import Resize
from netwright.graph.ops.softmax import Softmax
from netwright.graph.ops.spike_time import OfStep, Poisson, Remember, SpikeSource, Tick
from netwright.plan.lower import (
    affine,
    connect,
    elementwise,
    indexing,
    linear,
    movement,
    neuron,
    plasticity,
    recurrent,
    reduction,
    rows,
    spatial,
    token,
)
from netwright.plan.lower.emitter import Emitter, unsupported
from netwright.plan.lower.step import bytes_of

Lowering: TypeAlias = Callable[[Emitter, Op], None]

LOWERINGS: Mapping[type[OpKind], Lowering] = {
    ArgReduce: reduction.lower_arg_reduce,
    Astrocyte: plasticity.lower_astrocyte,
    Attention: token.lower_attention,
    BatchNorm: affine.lower_batch_norm,
    Binary: elementwise.lower_binary,
    CacheAppend: token.lower_cache_append,
    Cast: elementwise.lower_cast,
    CobaLif: neuron.lower_neuron,
    Concat: movement.lower_concat,
    Conv: spatial.lower_conv,
    ConvTranspose: spatial.lower_conv_transpose,
    ConvConnect: connect.lower_conv_connect,
    CubaLif: neuron.lower_neuron,
    CumulativeSum: reduction.lower_cumulative_sum,
    DenseConnect: connect.lower_dense,
    Expand: movement.lower_expand,
    FakeQuantise: elementwise.lower_fake_quantise,
    Gather: indexing.lower_gather,
    GatherElements: indexing.lower_indexed,
    GatherNd: indexing.lower_indexed,
    Glu: elementwise.lower_gate,
    GroupNorm: reduction.lower_group_norm,
    Gru: recurrent.lower_gru,
    If: neuron.lower_neuron,
    LayerNorm: reduction.lower_layer_norm,
    Li: neuron.lower_neuron,
    Lif: neuron.lower_neuron,
    Linear: linear.lower_linear,
    LpNorm: reduction.lower_lp_norm,
    Lstm: recurrent.lower_lstm,
    MatMul: linear.lower_matmul,
    Pad: movement.lower_pad,
    PlasticConnect: plasticity.lower_plastic_connect,
    Poisson: connect.lower_poisson,
    Pool: spatial.lower_pool,
    RandomConnect: connect.lower_random,
    Reduce: reduction.lower_reduce,
    OfStep: rows.lower_of_step,
    Remember: neuron.lower_remember,
    Reshape: movement.lower_reshape,
    Resize: spatial.lower_resize,
    RmsNorm: token.lower_rms_norm,
    Rope: token.lower_rope,
    ScatterNd: indexing.lower_indexed,
    Slice: movement.lower_slice,
    Softmax: reduction.lower_softmax,
    SparseConnect: connect.lower_sparse,
    SpikeSource: connect.lower_spike_source,
    Stdp: plasticity.lower_stdp,
    StateUpdate: movement.lower_state_update,
    Tick: neuron.lower_tick,
    Tile: movement.lower_tile,
    TopK: reduction.lower_top_k,
    Trace: plasticity.lower_trace,
    Transpose: movement.lower_transpose,
    Unary: elementwise.lower_unary,
    Where: elementwise.lower_where,
}


def lower_op(emitter: Emitter, op: Op) -> None:
    """Emits the steps of one operator.

    Raises:
        UnsupportedError: no kernel covers it; names the operator and what is covered.
    """
    lowering = LOWERINGS.get(type(op.kind))
    if lowering is None:
        covered = ", ".join(sorted(kind.__name__ for kind in LOWERINGS))
        raise UnsupportedError(
            f"{op.name}: no native kernel for {type(op.kind).__name__}; covered: {covered}. "
            "The reference interpreter covers every kind"
        )
    try:
        for tensor in op.outputs:
            bytes_of(emitter.graph[tensor].format.name)
        lowering(emitter, op)
    except UnsupportedError as error:
        if str(error).startswith(op.name):
            raise
        raise unsupported(op, str(error)) from error
