"""Leaky integrate-and-fire neurons over many steps as one torch operator, forward and backward.

Time runs inside one loop, of the native core for tensors on the CPU and of a Triton kernel for
tensors on a GPU; the membrane before reset is kept, and the backward pass goes back through time
with a surrogate for the slope of a spike. Arrays are shared, never copied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast, final

import torch
from torch import Tensor

from netwright.errors import JobError, UnsupportedError
from netwright.graph.ops.neuron_rule import Discretisation
from netwright.learn.lif_step import Gradient, Spiking, Step, step_of
from netwright.learn.lif_triton import lif_on_triton, summed
from netwright.native import core


@final
@dataclass(frozen=True, slots=True)
class Given:
    """What may be given beside the input; absent: zero, or the kind's own.

    `v` [B, n]: the membrane carried in. `decay` and `threshold`, a number or [n], can be learnt.
    """

    v: Tensor | None = None
    decay: Tensor | None = None
    threshold: Tensor | None = None


NOTHING = Given()

KEPT_FROM_BYTES = 2**21  # a large page; what is smaller comes from torch


def lif(
    x: Tensor, kind: Spiking, gradient: Gradient, given: Given = NOTHING
) -> tuple[Tensor, Tensor]:
    """Spikes [T, B, n] and the membrane carried on [B, n], for inputs x [T, B, n] in float32.

    Raises:
        UnsupportedError: a refractory time, several spikes a step, x not in float32 on the CPU or
            a GPU; or on a GPU without Triton.
        JobError: shapes or devices that do not fit each other.
    """
    check_trainable(kind)
    if x.device.type not in _ENGINES or x.dtype != torch.float32:
        raise UnsupportedError(
            f"learn: x is {x.dtype} on {x.device}; the operator takes float32 on the CPU or a GPU"
        )
    if x.ndim != 3:
        raise JobError(f"learn: x has shape {tuple(x.shape)}, expected [steps, batch, neurons]")
    _check_given(x, given)
    membrane = kind.membrane()
    decay, threshold = (
        torch.full((), number, dtype=torch.float32, device=x.device) if tensor is None else tensor
        for number, tensor in (
            (membrane.decay, given.decay), (membrane.threshold, given.threshold)
        )
    )  # fmt: skip
    run = _ENGINES[x.device.type]
    return run(x, given.v, decay, threshold, step_of(kind, gradient))


def check_trainable(kind: Spiking) -> Discretisation:
    """The rule of a kind, when the fused operator has it.

    Raises:
        UnsupportedError: a refractory time or several spikes a step.
    """
    rule = kind.rule
    if rule.refractory_steps or rule.most_spikes != 1:
        raise UnsupportedError(
            f"learn: refractory_steps {rule.refractory_steps} and most_spikes {rule.most_spikes}; "
            "the training operator has 0 and 1: train without, or use the float64 reference"
        )
    return rule


def _check_given(x: Tensor, given: Given) -> None:
    batch, neurons = x.shape[1:]
    if given.v is not None and given.v.shape != (batch, neurons):
        raise JobError(f"learn: v has shape {tuple(given.v.shape)}, expected {(batch, neurons)}")
    for name, value in (("decay", given.decay), ("threshold", given.threshold)):
        if value is not None and value.shape not in ((), (1,), (neurons,)):
            raise JobError(
                f"learn: {name} has shape {tuple(value.shape)}, expected one number or {neurons}"
            )
    for name, value in (("v", given.v), ("decay", given.decay), ("threshold", given.threshold)):
        if value is not None and value.device != x.device:
            raise JobError(f"learn: {name} is on {value.device}, x on {x.device}")


def _rows(x: Tensor, decay: Tensor, threshold: Tensor, step: Step) -> Tensor:
    """[5, n]: decay, gain, drive, threshold and reset value of every neuron."""
    rows = torch.empty(5, x.shape[2], dtype=torch.float32)
    rows[0], rows[3] = decay.detach(), threshold.detach()
    rows[1], rows[2], rows[4] = step.gain, step.drive, step.reset_value
    return rows


class _NativeLif(torch.autograd.Function):
    """The native operator between tensors of torch."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, v: Tensor | None, decay: Tensor, threshold: Tensor, step: Step
    ) -> tuple[Tensor, Tensor]:
        x = _neighbours(x)
        first = None if v is None else v.detach().contiguous()
        rows = _rows(x, decay, threshold, step)
        spikes, after = _sequence(x.shape), x.new_empty(x.shape[1:])
        kept = _sequence(x.shape) if any(ctx.needs_input_grad) else None
        core.train_lif_forward(
            rows, step.reset, step.included, x, first, spikes, kept, after,
            torch.get_num_threads(), core.has_avx2(),
        )  # fmt: skip
        ctx.save_for_backward(rows, kept, first)
        ctx.step = step
        ctx.shapes = (decay.shape, threshold.shape)
        return spikes, after

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        rows, u, first = ctx.saved_tensors
        d_spikes, d_after = _neighbours(outputs[0]), outputs[1].detach().contiguous()
        d_x, d_first = _sequence(u.shape), torch.empty_like(u[0])
        learnt = any(ctx.needs_input_grad[2:4])
        d_decay, d_threshold = (torch.empty_like(d_first) if learnt else None for _ in range(2))
        step: Step = ctx.step
        surrogate = step.gradient.surrogate
        core.train_lif_backward(
            rows, step.reset, step.included, u, first, d_spikes, d_after, d_x, d_first, d_decay,
            d_threshold, surrogate.formula.code, surrogate.sharpness, step.gradient.detach_reset,
            step.gradient.through_time, torch.get_num_threads(), core.has_avx2(),
        )  # fmt: skip
        needed = ctx.needs_input_grad
        return (
            d_x,
            d_first if needed[1] else None,
            summed(d_decay, ctx.shapes[0]) if d_decay is not None and needed[2] else None,
            summed(d_threshold, ctx.shapes[1]) if d_threshold is not None and needed[3] else None,
            None,
        )


def _sequence(shape: torch.Size) -> Tensor:
    """An empty array in memory that the core keeps for the next one: fresh pages are dear."""
    if shape.numel() * 4 < KEPT_FROM_BYTES:
        return torch.empty(shape, dtype=torch.float32)
    return cast(Any, torch).from_numpy(core.train_sequence(*shape))


def _neighbours(x: Tensor) -> Tensor:
    """A sequence whose neurons lie side by side; steps and batch in any order, or repeated."""
    x = x.detach()
    if x.stride(2) == 1 or x.shape[2] == 1:
        return x
    if x.stride() == (0, 0, 0):
        return x[:1, :1].contiguous().expand(x.shape)
    return x.contiguous()


def _lif_on_core(
    x: Tensor, v: Tensor | None, decay: Tensor, threshold: Tensor, step: Step
) -> tuple[Tensor, Tensor]:
    return cast(Any, _NativeLif).apply(x, v, decay, threshold, step)


# What runs the neurons, by where their input lies.
_ENGINES = {"cpu": _lif_on_core, "cuda": lif_on_triton}
