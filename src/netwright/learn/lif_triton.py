"""The fused neurons of `learn.lif` on a GPU: the kernels of `lif_kernels` between torch's tensors.

Strides are handed to the kernels as they are; nothing is copied into another layout. What is
written (spikes, membranes, gradients) lies as x does.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, cast, final

import torch
from torch import Tensor

from netwright.errors import UnsupportedError
from netwright.learn.lif_step import Step

HOMES = {"kernels": "netwright.learn.lif_kernels"}

# Lanes of a program, and steps under way at once. Chosen from the bytes that must be in flight to
# hide a load; not tuned on a device.
FEW_LANES, _TILE_SMALL, _TILE_LARGE, _STAGES = 1 << 17, 128, 512, 4


@final
@dataclass(frozen=True, slots=True)
class Tile:
    """How lanes are cut: programs, and what of it is compiled in."""

    programs: int
    compiled: dict[str, Any]


def kernels() -> Any:
    """The module of kernels, which needs Triton.

    Raises:
        UnsupportedError: Triton is not installed; has the command.
    """
    try:
        return import_module(HOMES["kernels"])
    except ModuleNotFoundError as error:
        if error.name != "triton":
            raise
        raise UnsupportedError(
            "learn: neurons on a GPU need Triton; run: pip install 'netwright[triton]'"
        ) from None


def tile_of(sequences: list[Tensor]) -> Tile:
    """The cut for sequences [steps, outer, inner]; the same for any number of steps.

    Compiled in are powers of two of the lanes, whether inner lanes are neighbours in memory, and
    whether rows start at multiples of 4 numbers.
    """
    outers, inners = sequences[0].shape[1:]
    lanes = _TILE_LARGE if outers * inners >= FEW_LANES else _TILE_SMALL
    inner = min(lanes, 1 << max(0, inners - 1).bit_length())
    outer = lanes // inner
    adjacent = all(s.stride(2) == 1 for s in sequences)
    aligned = adjacent and inners % 4 == 0
    aligned = aligned and all(s.stride(0) % 4 == s.stride(1) % 4 == 0 for s in sequences)
    programs = -(-outers // outer) * -(-inners // inner)
    return Tile(
        programs,
        {
            "ADJACENT": adjacent,
            "ALIGNED": aligned,
            "OUTER": outer,
            "INNER": inner,
            "STAGES": _STAGES,
        },
    )


def _inner_is_batch(x: Tensor) -> bool:
    """Whether the samples of a batch lie closer to each other than neurons."""
    return x.shape[1] > 1 and (x.shape[2] == 1 or x.stride(1) < x.stride(2))


class TritonLif(torch.autograd.Function):
    """x [T, B, n], v [B, n] or None, decay and threshold (a number or [n]), Step; float32."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, v: Tensor | None, decay: Tensor, threshold: Tensor, step: Step
    ) -> tuple[Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        spikes, after = torch.empty_like(x), x.new_empty(x.shape[1:])
        needed = any(ctx.needs_input_grad)
        kept = torch.empty_like(x) if needed else spikes
        first = x.new_zeros(()).expand(after.shape) if v is None else v
        turned = _inner_is_batch(x)
        one, to, of = (_turned(a, turned) for a in (x, spikes, kept))
        states = [_turned(a.expand(after.shape), turned) for a in (first, after, decay, threshold)]
        tile = tile_of([one, to])
        if tile.programs:
            with torch.cuda.device_of(x):
                kernels().forward[(tile.programs,)](
                    one, states[0], states[2], states[3], to, of, states[1],
                    step.gain, step.drive, step.reset_value,
                    *one.shape, *_strides(one, to, *states),
                    step.reset, step.included, needed, **tile.compiled, enable_fp_fusion=False,
                )  # fmt: skip
        ctx.save_for_backward(kept, v, decay, threshold)
        ctx.step = step
        return spikes, after

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor | None) -> tuple[Tensor | None, ...]:
        kept, v, decay, threshold = ctx.saved_tensors
        step: Step = ctx.step
        needed = ctx.needs_input_grad
        learnt = needed[2] or needed[3]
        nothing = kept.new_zeros(())
        d_spikes, d_last = (nothing if d is None else d for d in outputs)
        turned = _inner_is_batch(kept)
        shape = kept.shape[1:]
        d_x, d_first = torch.empty_like(kept), kept.new_empty(shape)
        d_decay, d_threshold = (torch.empty_like(d_first) if learnt else d_first for _ in range(2))
        u, d_u = _turned(kept, turned), _turned(d_x, turned)
        d_s = _turned(d_spikes.expand(kept.shape), turned)
        given = (d_last, nothing if v is None else v, d_first, decay, threshold)
        states = [_turned(a.expand(shape), turned) for a in given]
        tile = tile_of([u, d_s])
        if tile.programs:
            with torch.cuda.device_of(kept):
                kernels().backward[(tile.programs,)](
                    u, d_s, states[0], states[1], states[3], states[4],
                    d_u, d_first, d_decay, d_threshold,
                    step.gain, step.reset_value,
                    step.gradient.surrogate.sharpness, 0.0 if step.gradient.detach_reset else 1.0,
                    *u.shape, *_strides(u, d_s, *states),
                    step.reset, step.included, step.gradient.surrogate.formula.code, learnt,
                    step.gradient.through_time, **tile.compiled, enable_fp_fusion=False,
                )  # fmt: skip
        return (
            d_x,
            d_first if needed[1] else None,
            summed(d_decay, decay.shape) if needed[2] else None,
            summed(d_threshold, threshold.shape) if needed[3] else None,
            None,
        )


def _turned(x: Tensor, turned: bool) -> Tensor:
    return x.transpose(-1, -2) if turned else x


def _strides(*tensors: Tensor) -> list[int]:
    return [stride for tensor in tensors for stride in tensor.stride()]


def summed(each: Tensor, shape: torch.Size) -> Tensor:
    """[B, n] summed to one number or to [n]."""
    over = each.sum(0)
    return over if over.shape == shape else over.sum().reshape(shape)


def lif_on_triton(
    x: Tensor, v: Tensor | None, decay: Tensor, threshold: Tensor, step: Step
) -> tuple[Tensor, Tensor]:
    """Spikes [T, B, n] and the membrane carried on [B, n]; the arguments are TritonLif's."""
    return cast(Any, TritonLif).apply(x, v, decay, threshold, step)
