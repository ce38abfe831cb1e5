"""Leaky integrate-and-fire neurons over many steps in Triton: one kernel forward, one backward.

The same arithmetic in the same order as the native core (`native/spikes/train_lif_steps.hpp`; the
codes of RESET are there), without fused multiply-add, so that both find the same spikes. Time is a
loop inside the kernel and its length an argument. Sequences are [steps, outer, inner] and states
[outer, inner], where inner is whichever of batch and neuron lies closer in memory; strides are in
numbers, and a stride of 0 repeats.

ADJACENT: inner strides of all sequences are 1. ALIGNED: their other strides and the number of
inner lanes are multiples of 4, which `// 4 * 4` shows the compiler: it then moves 16 bytes at a
time in wide layers, and needs no other kernel for another number of steps. A program owns a tile of
OUTER x INNER lanes; loads of the next STAGES - 1 steps are under way while one is computed.
"""

from __future__ import annotations

import triton
import triton.language as tl

from netwright.learn.surrogate_triton import slope


@triton.jit()
def _lanes(
    outers: tl.tensor, inners: tl.tensor,
    ALIGNED: tl.constexpr, OUTER: tl.constexpr, INNER: tl.constexpr,
) -> tl.tuple:  # fmt: skip
    """This program's lanes: outer [OUTER, 1], inner [1, INNER], and which exist."""
    if ALIGNED:
        inners = inners // 4 * 4
    tiles = (inners + INNER - 1) // INNER
    outer = (tl.program_id(0) // tiles).to(tl.int64) * OUTER + tl.arange(0, OUTER)[:, None]
    inner = (tl.program_id(0) % tiles).to(tl.int64) * INNER + tl.arange(0, INNER)[None, :]
    return outer, inner, (outer < outers) & (inner < inners)


@triton.jit()
def _state(
    pointer: tl.tensor, far: tl.tensor, near: tl.tensor,
    outer: tl.tensor, inner: tl.tensor, live: tl.tensor,
) -> tl.tensor:  # fmt: skip
    return tl.load(pointer + outer * far + inner * near, live, 0.0).to(tl.float32)


@triton.jit()
def _sequence(
    pointer: tl.tensor, step: tl.tensor, far: tl.tensor, near: tl.tensor,
    outer: tl.tensor, inner: tl.tensor, ADJACENT: tl.constexpr, ALIGNED: tl.constexpr,
) -> tl.tuple:  # fmt: skip
    """Where each lane's step 0 is, and how far the next."""
    if ALIGNED:
        step, far = step // 4 * 4, far // 4 * 4
    at = pointer + outer * far
    if ADJACENT:
        at = at + inner
    else:
        at = at + inner * near
    return at, step


@triton.jit(do_not_specialize=[
    "steps", "outers", "inners",
    "x_step", "x_outer", "x_inner", "out_step", "out_outer", "out_inner",
    "first_outer", "first_inner", "last_outer", "last_inner",
    "decay_outer", "decay_inner", "threshold_outer", "threshold_inner",
])  # fmt: skip
def forward(
    x: tl.tensor, v_first: tl.tensor, decays: tl.tensor, thresholds: tl.tensor,
    spikes: tl.tensor, kept: tl.tensor, v_last: tl.tensor,
    gain: tl.tensor, drive: tl.tensor, reset_value: tl.tensor,
    steps: tl.int64, outers: tl.int64, inners: tl.int64,
    x_step: tl.int64, x_outer: tl.int64, x_inner: tl.int64,
    out_step: tl.int64, out_outer: tl.int64, out_inner: tl.int64,
    first_outer: tl.int64, first_inner: tl.int64, last_outer: tl.int64, last_inner: tl.int64,
    decay_outer: tl.int64, decay_inner: tl.int64,
    threshold_outer: tl.int64, threshold_inner: tl.int64,
    RESET: tl.constexpr, INCLUDED: tl.constexpr, KEPT: tl.constexpr,
    ADJACENT: tl.constexpr, ALIGNED: tl.constexpr,
    OUTER: tl.constexpr, INNER: tl.constexpr, STAGES: tl.constexpr,
) -> None:  # fmt: skip
    """Spikes, membranes before reset (when KEPT) and the membrane carried on."""
    outer, inner, live = _lanes(outers, inners, ALIGNED, OUTER, INNER)
    decay = _state(decays, decay_outer, decay_inner, outer, inner, live)
    threshold = _state(thresholds, threshold_outer, threshold_inner, outer, inner, live)
    v = _state(v_first, first_outer, first_inner, outer, inner, live)
    x_at, x_step = _sequence(
        x, x_step, x_outer, x_inner, outer, inner, ADJACENT, ALIGNED
    )  # fmt: skip
    spikes_at, _ = _sequence(
        spikes, out_step, out_outer, out_inner, outer, inner, ADJACENT, ALIGNED
    )
    kept_at, out_step = _sequence(
        kept, out_step, out_outer, out_inner, outer, inner, ADJACENT, ALIGNED
    )
    for step in tl.range(0, steps, num_stages=STAGES):
        current = tl.load(x_at + step * x_step, live, 0.0)
        before = v >= threshold if INCLUDED else v > threshold
        if RESET == 4:
            v = tl.where(before, reset_value, v)
        u = decay * v
        if RESET == 2:
            u = u - tl.where(before, 1.0, 0.0) * threshold
        u = (u + gain * current) + drive
        fires = u >= threshold if INCLUDED else u > threshold
        spike = tl.where(fires, 1.0, 0.0)
        tl.store(spikes_at + step * out_step, spike, live)
        if KEPT:
            tl.store(kept_at + step * out_step, u, live)
        v = u
        if RESET == 1:
            v = u - spike * threshold
        elif RESET == 3:
            v = tl.where(fires, reset_value, u)
    tl.store(v_last + outer * last_outer + inner * last_inner, v, live)


@triton.jit(do_not_specialize=[
    "steps", "outers", "inners",
    "kept_step", "kept_outer", "kept_inner", "spike_step", "spike_outer", "spike_inner",
    "last_outer", "last_inner", "first_outer", "first_inner", "out_outer", "out_inner",
    "decay_outer", "decay_inner", "threshold_outer", "threshold_inner",
])  # fmt: skip
def backward(
    kept: tl.tensor, d_spikes: tl.tensor, d_last: tl.tensor, v_first: tl.tensor,
    decays: tl.tensor, thresholds: tl.tensor,
    d_x: tl.tensor, d_first: tl.tensor, d_decay: tl.tensor, d_threshold: tl.tensor,
    gain: tl.tensor, reset_value: tl.tensor, sharpness: tl.tensor, through: tl.tensor,
    steps: tl.int64, outers: tl.int64, inners: tl.int64,
    kept_step: tl.int64, kept_outer: tl.int64, kept_inner: tl.int64,
    spike_step: tl.int64, spike_outer: tl.int64, spike_inner: tl.int64,
    last_outer: tl.int64, last_inner: tl.int64, first_outer: tl.int64, first_inner: tl.int64,
    out_outer: tl.int64, out_inner: tl.int64,
    decay_outer: tl.int64, decay_inner: tl.int64,
    threshold_outer: tl.int64, threshold_inner: tl.int64,
    RESET: tl.constexpr, INCLUDED: tl.constexpr, SURROGATE: tl.constexpr, LEARNT: tl.constexpr,
    TIME: tl.constexpr, ADJACENT: tl.constexpr, ALIGNED: tl.constexpr,
    OUTER: tl.constexpr, INNER: tl.constexpr, STAGES: tl.constexpr,
) -> None:  # fmt: skip
    """Gradients for x, the membrane carried in and, when LEARNT, decay and threshold of each lane.

    `through` is 0 where the reset is detached, else 1. TIME: a step's gradient flows to the one
    before. `after` is the slope of the loss by the
    membrane before reset of the step after.
    """
    outer, inner, live = _lanes(outers, inners, ALIGNED, OUTER, INNER)
    decay = _state(decays, decay_outer, decay_inner, outer, inner, live)
    threshold = _state(thresholds, threshold_outer, threshold_inner, outer, inner, live)
    outside = _state(d_last, last_outer, last_inner, outer, inner, live)
    d_x_at, _ = _sequence(d_x, kept_step, kept_outer, kept_inner, outer, inner, ADJACENT, ALIGNED)
    kept_at, kept_step = _sequence(
        kept, kept_step, kept_outer, kept_inner, outer, inner, ADJACENT, ALIGNED
    )
    d_spikes_at, spike_step = _sequence(
        d_spikes, spike_step, spike_outer, spike_inner, outer, inner, ADJACENT, ALIGNED
    )
    zero = tl.zeros_like(decay)
    after, decay_sum, threshold_sum = zero, zero, zero
    for back in tl.range(0, steps, num_stages=STAGES):
        step = steps - 1 - back
        u = tl.load(kept_at + step * kept_step, live, 0.0)
        d_spike = tl.load(d_spikes_at + step * spike_step, live, 0.0)
        fires = u >= threshold if INCLUDED else u > threshold
        spike = tl.where(fires, 1.0, 0.0)
        felt = after if TIME else zero  # what flows back from the step after
        du = decay * felt
        left, by_threshold, by_reset = u, zero, zero
        if RESET != 4:
            du = du + outside
        if RESET == 1:
            d_spike = d_spike - through * (threshold * du)
            left, by_threshold = u - spike * threshold, -(spike * du)
        elif RESET == 2:
            d_spike = d_spike - through * (threshold * felt)
            by_threshold, by_reset = -(spike * after), -(threshold * after)
        elif RESET >= 3:
            d_spike = d_spike + through * ((reset_value - u) * du)
            left, du = tl.where(fires, reset_value, u), (1.0 - spike) * du
        if RESET == 4:
            du = du + outside
            by_reset = (reset_value - u) * (decay * after)
        steep = slope(u - threshold, sharpness, SURROGATE)
        by_spike = d_spike * steep
        if LEARNT:
            decay_sum = decay_sum + after * left
            if not TIME:  # a delayed reset is part of the step after, and its threshold learns
                by_threshold = by_threshold - through * by_reset * steep
            threshold_sum = threshold_sum + (by_threshold - by_spike)
        after = du + by_spike
        outside = zero  # what comes from outside comes to the last step only
        tl.store(d_x_at + step * kept_step, gain * after, live)
    # From the membrane of step 0 to what was carried in.
    first = _state(v_first, first_outer, first_inner, outer, inner, live)
    before = decay * after
    fires = first >= threshold if INCLUDED else first > threshold
    spike = tl.where(fires, 1.0, 0.0)
    steepness = slope(first - threshold, sharpness, SURROGATE)
    if RESET == 2:
        by_spike = -(through * (threshold * after)) * steepness
        threshold_sum = threshold_sum + (-(spike * after) - by_spike)
        before = before + by_spike
    elif RESET == 4:
        by_spike = through * ((reset_value - first) * before) * steepness
        threshold_sum = threshold_sum - by_spike
        before, first = (1.0 - spike) * before + by_spike, tl.where(fires, reset_value, first)
    at = outer * out_outer + inner * out_inner
    tl.store(d_first + at, before if TIME else zero, live)
    if LEARNT:
        tl.store(d_decay + at, decay_sum + after * first, live)
        tl.store(d_threshold + at, threshold_sum, live)
