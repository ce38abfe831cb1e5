"""Zero padding before a convolution or an average becomes its own padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netwright.graph.op import Op
from netwright.graph.ops.conv import Conv
from netwright.graph.ops.movement import Pad
from netwright.graph.ops.pool import Pool
from netwright.graph.tensor import TensorId
from netwright.transform.draft import Draft, Rule

Pads = tuple[tuple[int, int], ...]


def _spatial_zeros(draft: Draft, tensor: TensorId | None) -> tuple[Pads, TensorId] | None:
    """The pads of the spatial dims and what was padded, if zeros were put around those alone."""
    op = draft.made_by(tensor, Pad)
    if op is None or not isinstance(op.kind, Pad) or op.inputs[0] is None:
        return None
    kind = op.kind
    if kind.mode != "constant" or kind.value != 0.0 or kind.pads[:2] != ((0, 0), (0, 0)):
        return None
    if any(n < 0 for pair in kind.pads for n in pair):
        return None
    return kind.pads[2:], op.inputs[0]


def _sum(a: Pads, b: Pads) -> Pads:
    return tuple((p + r, q + s) for (p, q), (r, s) in zip(a, b, strict=True))


def _convolution(draft: Draft, op: Op) -> Sequence[Op] | None:
    if not isinstance(op.kind, Conv):
        return None
    found = _spatial_zeros(draft, op.inputs[0])
    if found is None:
        return None
    kind = replace(op.kind, pads=_sum(op.kind.pads, found[0]))
    return (replace(op, kind=kind, inputs=(found[1], *op.inputs[1:])),)


def _average(draft: Draft, op: Op) -> Sequence[Op] | None:
    """Exact where the padding counts as elements, and no window may reach past it."""
    if not isinstance(op.kind, Pool) or op.kind.mode != "average" or op.kind.ceil_mode:
        return None
    found = _spatial_zeros(draft, op.inputs[0])
    own = any(n for pair in op.kind.pads for n in pair)
    if found is None or (own and not op.kind.count_include_pad):
        return None
    kind = replace(op.kind, pads=_sum(op.kind.pads, found[0]), count_include_pad=True)
    return (replace(op, kind=kind, inputs=(found[1],)),)


RULES = (
    Rule("padding taken into convolutions", _convolution),
    Rule("padding taken into averages", _average),
)
