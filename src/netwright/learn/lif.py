"""Leaky integrate-and-fire neurons over many steps as one torch operator, forward and backward.

The native core runs time inside one loop and keeps the membrane before reset; the backward pass
goes back through time with a surrogate for the slope of a spike. Arrays are shared, never copied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, cast, final

import torch
from torch import Tensor

from netwright.errors import JobError, UnsupportedError
from netwright.graph.ops.neuron import If, Lif
from netwright.graph.ops.neuron_rule import Discretisation, Reset
from netwright.learn.surrogate import Surrogate
from netwright.native import core

Spiking: TypeAlias = Lif | If

_RESETS = {
    (Reset.NONE, False): 0,
    (Reset.NONE, True): 0,
    (Reset.SUBTRACT, False): 1,
    (Reset.SUBTRACT, True): 2,
    (Reset.ZERO, False): 3,
    (Reset.VALUE, False): 3,
    (Reset.ZERO, True): 4,
    (Reset.VALUE, True): 4,
}


@final
@dataclass(frozen=True, slots=True)
class Gradient:
    """How the backward pass goes through a spike.

    `detach_reset`: nothing flows back through the reset.
    """

    surrogate: Surrogate
    detach_reset: bool = False


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


def lif(
    x: Tensor, kind: Spiking, gradient: Gradient, given: Given = NOTHING
) -> tuple[Tensor, Tensor]:
    """Spikes [T, B, n] and the membrane carried on [B, n], for inputs x [T, B, n] in float32.

    Raises:
        UnsupportedError: a refractory time, several spikes a step, or x not on the CPU in float32.
        JobError: shapes that do not fit each other.
    """
    check_trainable(kind)
    if x.device.type != "cpu" or x.dtype != torch.float32:
        raise UnsupportedError(
            f"learn: x is {x.dtype} on {x.device}; the native operator takes float32 on the CPU"
        )
    if x.ndim != 3:
        raise JobError(f"learn: x has shape {tuple(x.shape)}, expected [steps, batch, neurons]")
    _check_given(x, given)
    membrane = kind.membrane()
    decay = torch.tensor(membrane.decay) if given.decay is None else given.decay
    threshold = torch.tensor(membrane.threshold) if given.threshold is None else given.threshold
    return cast(Any, _Lif).apply(x, given.v, decay, threshold, kind, gradient)


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


def _rows(x: Tensor, kind: Spiking, decay: Tensor, threshold: Tensor) -> Tensor:
    """[5, n]: decay, gain, drive, threshold and reset value of every neuron."""
    membrane, rule = kind.membrane(), kind.rule
    rows = torch.empty(5, x.shape[2], dtype=torch.float32)
    rows[0], rows[3] = decay.detach(), threshold.detach()
    rows[1], rows[2] = membrane.input, membrane.drive
    rows[4] = rule.reset_value if rule.reset is Reset.VALUE else 0.0
    return rows


class _Lif(torch.autograd.Function):
    """The native operator between tensors of torch."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        v: Tensor | None,
        decay: Tensor,
        threshold: Tensor,
        kind: Spiking,
        gradient: Gradient,
    ) -> tuple[Tensor, Tensor]:
        x = _neighbours(x)
        first = None if v is None else v.detach().contiguous()
        rows = _rows(x, kind, decay, threshold)
        spikes, after = x.new_empty(x.shape), x.new_empty(x.shape[1:])
        kept = x.new_empty(x.shape) if any(ctx.needs_input_grad) else None
        rule = kind.rule
        code = _RESETS[rule.reset, rule.reset_delay]
        core.train_lif_forward(
            rows, code, rule.threshold_included, x, first, spikes, kept, after,
            torch.get_num_threads(), core.has_avx2(),
        )  # fmt: skip
        ctx.save_for_backward(rows, kept, first)
        ctx.rule = (code, rule.threshold_included)
        ctx.gradient = gradient
        ctx.shapes = (decay.shape, threshold.shape)
        return spikes, after

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        rows, u, first = ctx.saved_tensors
        d_spikes, d_after = _neighbours(outputs[0]), outputs[1].detach().contiguous()
        d_x, d_first = torch.empty_like(u), torch.empty_like(u[0])
        learnt = any(ctx.needs_input_grad[2:4])
        d_decay = torch.empty_like(d_first) if learnt else None
        d_threshold = torch.empty_like(d_first) if learnt else None
        gradient: Gradient = ctx.gradient
        core.train_lif_backward(
            rows, *ctx.rule, u, first, d_spikes, d_after, d_x, d_first, d_decay, d_threshold,
            gradient.surrogate.formula.code, gradient.surrogate.sharpness, gradient.detach_reset,
            torch.get_num_threads(), core.has_avx2(),
        )  # fmt: skip
        needed = ctx.needs_input_grad
        return (
            d_x,
            d_first if needed[1] else None,
            _summed(d_decay, ctx.shapes[0]) if needed[2] else None,
            _summed(d_threshold, ctx.shapes[1]) if needed[3] else None,
            None,
            None,
        )


def _neighbours(x: Tensor) -> Tensor:
    """A sequence whose neurons lie side by side; steps and batch in any order, or repeated."""
    x = x.detach()
    if x.stride(2) == 1 or x.shape[2] == 1:
        return x
    if x.stride() == (0, 0, 0):
        return x[:1, :1].contiguous().expand(x.shape)
    return x.contiguous()


def _summed(each: Tensor | None, shape: torch.Size) -> Tensor | None:
    """[B, n] summed to one number or to [n]."""
    if each is None:
        return None
    over = each.sum(0)
    return over if over.shape == shape else over.sum().reshape(shape)
