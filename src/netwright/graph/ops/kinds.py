"""Every operator kind, by name: the explicit list that files are read against."""

from __future__ import annotations

from netwright.graph.op import OpKind
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
from netwright.graph.ops.gradient import FunctionGradient, ScatterAdd
from netwright.graph.ops.linear import Linear, MatMul
from netwright.graph.ops.lp_norm import LpNorm
from netwright.graph.ops.movement import Concat, Expand, Pad, Reshape, Slice, Tile, Transpose
from netwright.graph.ops.neuron import CobaLif, CubaLif, If, Li, Lif
from netwright.graph.ops.norm import BatchNorm, GroupNorm, LayerNorm, RmsNorm
from netwright.graph.ops.plasticity import Astrocyte, PlasticConnect, Stdp, Trace
from netwright.graph.ops.pool import Pool
from netwright.graph.ops.position import CacheAppend, Rope, StateUpdate
from netwright.graph.ops.quantise import FakeQuantise
from netwright.graph.ops.recurrent import Gru, Lstm
from netwright.graph.ops.reduce import ArgReduce, CumulativeSum, Reduce, TopK
from netwright.graph.ops.resize import Resize
from netwright.graph.ops.softmax import Softmax
from netwright.graph.ops.spike_time import OfStep, Poisson, Remember, SpikeSource, Tick

KINDS: tuple[type[OpKind], ...] = (
    ArgReduce,
    Astrocyte,
    Attention,
    BatchNorm,
    Binary,
    CacheAppend,
    Cast,
    CobaLif,
    Concat,
    Conv,
    ConvConnect,
    ConvTranspose,
    CubaLif,
    CumulativeSum,
    DenseConnect,
    Expand,
    FakeQuantise,
    FunctionGradient,
    Gather,
    GatherElements,
    GatherNd,
    Glu,
    GroupNorm,
    Gru,
    If,
    LayerNorm,
    Li,
    Lif,
    Linear,
    LpNorm,
    Lstm,
    MatMul,
    Pad,
    PlasticConnect,
    Poisson,
    Pool,
    RandomConnect,
    Reduce,
    OfStep,
    Remember,
    Reshape,
    Resize,
    RmsNorm,
    Rope,
    ScatterAdd,
    ScatterNd,
    Slice,
    Softmax,
    SparseConnect,
    SpikeSource,
    StateUpdate,
    Stdp,
    Tick,
    Tile,
    TopK,
    Trace,
    Transpose,
    Unary,
    Where,
)

# What only learning holds, never run natively: backward passes run in torch and by the reference.
TRAINING_KINDS: tuple[type[OpKind], ...] = (FunctionGradient, ScatterAdd)
