"""Memory of one device in training: weights, gradients, optimiser, activations.

Activations of a layer by Korthikanti et al., arXiv 2205.05198, equations 1 to 6: of a micro-batch
of b sequences of s tokens, width h, a heads, t parts, in bytes

    s b h (10 + 24 / t + 5 a s / (h t))     tensor parallel
    s b h / t (34 + 5 a s / h)              and sequence parallel
    the same without 5 a s / h              the scores done again
    2 s b h                                 all done again

The first stage holds most: `held` chunks of a micro-batch at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from netwright.cost.transformer import Transformer
from netwright.plan.infeasible import Infeasible, Lever, Term
from netwright.plan.parallel.layout import Layout, Recompute

WEIGHT, GRADIENT, STATE = 2, 4, 12  # bytes a parameter: fp16; fp32 sums; fp32 weight and moments


@final
@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """Bytes on the device that holds most; `working_bytes`: a layer done again, or the logits."""

    weight_bytes: float
    gradient_bytes: float
    state_bytes: float
    activation_bytes: float
    working_bytes: float

    @property
    def total_bytes(self) -> float:
        """All of it; nothing is added for what a runtime or fragments take."""
        return sum(value for _, value in self.terms)

    @property
    def terms(self) -> tuple[tuple[str, float], ...]:
        """Name and bytes of each part."""
        return (
            ("weights", self.weight_bytes),
            ("gradients", self.gradient_bytes),
            ("optimiser", self.state_bytes),
            ("activations", self.activation_bytes),
            ("working", self.working_bytes),
        )


def layer_bytes(network: Transformer, layout: Layout) -> float:
    """What one layer keeps of a micro-batch from its forward to its backward pass."""
    t, whole = layout.tensor, layout.microbatch * network.sequence * network.hidden
    if layout.recompute is Recompute.FULL:
        return 2.0 * whole / (t if layout.along_sequence else 1)
    return _kept_bytes(network, layout, layout.recompute is Recompute.NONE)


def _kept_bytes(network: Transformer, layout: Layout, with_scores: bool) -> float:
    t, whole = layout.tensor, layout.microbatch * network.sequence * network.hidden
    scores = 5.0 * network.heads * network.sequence / network.hidden if with_scores else 0.0
    if layout.along_sequence:
        return whole / t * (34 + scores)
    return whole * (10 + (24 + scores) / t)


def held_chunks(layout: Layout, microbatches: int) -> int:
    """Chunks of a micro-batch that the first stage holds at once under (interleaved) 1F1B."""
    p, v = layout.pipeline, layout.chunks
    ahead = p - 1 if v == 1 else 2 * (p - 1) + (v - 1) * p
    return min(ahead + 1, microbatches * v)


def stage_parameters(network: Transformer, layout: Layout) -> float:
    """Of one tensor-parallel part of the first stage, which has the embedding too."""
    layers = network.layers / layout.pipeline * network.layer_parameters
    return (layers + network.vocabulary * network.hidden) / layout.tensor + (
        network.sequence * network.hidden
    )


def device_memory(network: Transformer, layout: Layout, batch: int) -> DeviceMemory:
    """Of a device of the first stage; of the only one, with the logits."""
    parameters = stage_parameters(network, layout)
    m = layout.microbatches(batch)
    held = held_chunks(layout, m)
    tokens = layout.microbatch * network.sequence
    t = layout.tensor
    outside = tokens * network.hidden / (t if layout.along_sequence else 1)
    masks = outside * min(-(-held // layout.chunks), m)
    again = _kept_bytes(network, layout, True) if layout.recompute is not Recompute.NONE else 0.0
    if layout.recompute is Recompute.SELECTIVE:
        again -= _kept_bytes(network, layout, False)
    last = 4.0 * outside + 4.0 * tokens * network.vocabulary / t if layout.pipeline == 1 else 0.0
    return DeviceMemory(
        WEIGHT * parameters,
        GRADIENT * parameters,
        STATE * parameters / (layout.data if layout.sharded else 1),
        held * layout.chunk_layers(network) * layer_bytes(network, layout) + masks,
        max(again, last),
    )


def memory_infeasible(
    network: Transformer, layout: Layout, batch: int, limit_bytes: int
) -> Infeasible | None:
    """Why a layout does not fit a device, as a value with what would make it fit; None: it does."""
    found = device_memory(network, layout, batch)
    if found.total_bytes <= limit_bytes:
        return None
    levers = tuple(
        Lever(str(other), now)
        for other in _relieved(layout)
        if (now := device_memory(network, other, batch).total_bytes) <= limit_bytes
    )
    if not levers:
        times = math.ceil(found.total_bytes / limit_bytes)
        name = f"{times} times as many tensor-parallel parts and stages"
        levers = (Lever(name, found.total_bytes / times),)
    terms = tuple(Term(name, value) for name, value in found.terms)
    return Infeasible(
        f"memory of a device under {layout}", found.total_bytes, limit_bytes, "bytes", terms, levers
    )


def _relieved(layout: Layout) -> tuple[Layout, ...]:
    """Layouts of the same devices that hold less."""
    t, p, d = layout.tensor, layout.pipeline, layout.data
    found: list[Layout] = []

    def other(recompute: Recompute, along: bool, sharded: bool, size: int) -> Layout:
        return Layout(t, p, d, size, layout.chunks, recompute, along, sharded)

    for recompute in (layout.recompute, Recompute.SELECTIVE, Recompute.FULL):
        for along in (layout.along_sequence, t > 1):
            for sharded in (layout.sharded, d > 1):
                for size in (layout.microbatch, 1):
                    found.append(other(recompute, along, sharded, size))
    return tuple(dict.fromkeys(found))
