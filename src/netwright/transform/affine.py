"""A factor and a shift before a convolution become part of its weight and bias.

Exact: w (a x + b) = (a w) x + b sum(w). A shift may not meet padding, which stays zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netwright.graph.format import FP32
from netwright.graph.op import Op
from netwright.graph.ops.conv import Conv
from netwright.transform.draft import Draft, Rule
from netwright.transform.match import function_of


def _before_convolution(draft: Draft, op: Op) -> Sequence[Op] | None:
    if not isinstance(op.kind, Conv):
        return None
    x, weight, bias, *rest = (*op.inputs, None)[: max(len(op.inputs), 3)]
    found = function_of(draft, x, "scale")
    if x is None or weight is None or found is None or not draft.alone(x):
        return None
    function, inner = found
    padded = any(n for pair in op.kind.pads for n in pair)
    if (padded and function.beta) or draft[weight].format != FP32:
        return None
    values = draft.values(weight)
    offset = None if bias is None else draft.values(bias)
    if values is None or (bias is not None and offset is None):
        return None
    sums = values.reshape(values.shape[0], -1).sum(axis=1)
    shift = function.beta * sums + (0.0 if offset is None else offset)
    new = draft.weight(f"{op.name}.weight", function.alpha * values)
    return (replace(op, inputs=(inner, new, draft.weight(f"{op.name}.bias", shift), *rest)),)


RULES = (Rule("numbers folded into the convolution after", _before_convolution),)
