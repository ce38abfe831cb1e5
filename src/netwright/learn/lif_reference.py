"""The same neurons unrolled step by step in plain torch, any precision: the oracle of the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import Tensor

from netwright.graph.ops.neuron_rule import Reset
from netwright.learn.lif import NOTHING, Given, check_trainable
from netwright.learn.lif_step import Gradient, Spiking
from netwright.learn.surrogate import Surrogate

TORCH: Mapping[str, Callable[..., Any]] = {
    "abs": torch.abs,
    "atan": torch.atan,
    "exp": torch.exp,
    "square": torch.square,
    "where": torch.where,
}


def lif_reference(
    x: Tensor, kind: Spiking, gradient: Gradient, given: Given = NOTHING
) -> tuple[Tensor, Tensor]:
    """As `lif`, by autograd over every step: slow, plain, on any device.

    Raises:
        UnsupportedError: a refractory time or several spikes a step.
    """
    rule, membrane = check_trainable(kind), kind.membrane()
    decay = membrane.decay if given.decay is None else given.decay
    threshold = membrane.threshold if given.threshold is None else given.threshold
    value = rule.reset_value if rule.reset is Reset.VALUE else 0.0
    v = torch.zeros_like(x[0]) if given.v is None else given.v
    spikes: list[Tensor] = []

    def spike(u: Tensor) -> Tensor:
        return _step(u - threshold, gradient.surrogate, rule.threshold_included)

    for step in x:
        v = v if gradient.through_time else v.detach()
        past = spike(v) if rule.reset_delay else torch.zeros_like(v)
        past = past.detach() if gradient.detach_reset else past
        if rule.reset_delay and rule.reset in (Reset.ZERO, Reset.VALUE):
            v = _set(v, past, value)
        u = decay * v
        if rule.reset_delay and rule.reset is Reset.SUBTRACT:
            u = u - past * threshold
        u = u + membrane.input * step + membrane.drive
        s = spike(u)
        spikes.append(s)
        felt = s.detach() if gradient.detach_reset else s
        if rule.reset_delay or rule.reset is Reset.NONE:
            v = u
        elif rule.reset is Reset.SUBTRACT:
            v = u - felt * threshold
        else:
            v = _set(u, felt, value)
    return torch.stack(spikes), v


def _set(v: Tensor, spike: Tensor, value: float) -> Tensor:
    return v * (1.0 - spike) + value * spike


def _step(x: Tensor, surrogate: Surrogate, included: bool) -> Tensor:
    return cast(Any, _Step).apply(x, surrogate, included)


class _Step(torch.autograd.Function):
    """The step function, with a surrogate's slope."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, surrogate: Surrogate, included: bool) -> Tensor:
        ctx.save_for_backward(x)
        ctx.surrogate = surrogate
        return ((x >= 0) if included else (x > 0)).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        return outputs[0] * ctx.surrogate.slope(x, TORCH), None, None
