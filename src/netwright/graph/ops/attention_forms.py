"""Attention in fewer passes over the keys: the same result, other cascades.

The definition (`Attention.einsums`) makes three passes over keys: maximum, sum, product. Dividing
after the product leaves two; a running maximum leaves one (online softmax).
Source: FuseMax (Nayak et al., arXiv 2406.10491), cascades 4 and 5; Milakov and Gimelshein,
arXiv 1805.02867.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from netwright.graph.op import Access, Einsum, Projection, TensorType
from netwright.graph.ops.attention import Attention, batched, scores_cascade
from netwright.graph.ops.cascade import Index, Loops, access
from netwright.graph.ops.shape import operand


@final
@dataclass(frozen=True, slots=True)
class _Frame:
    """What both forms share: scores, loops and accesses."""

    steps: tuple[Einsum, ...]
    scores: Access
    over: Loops
    wide: Loops  # with `e`, the width of v
    row: tuple[str, ...]
    value: Access  # v
    result: Access


def _frame(kind: Attention, types: Sequence[TensorType | None], output: TensorType) -> _Frame:
    v = operand(kind, types, 2, "v")
    steps, scores = scores_cascade(kind, types, output)
    over = steps[-1].loops
    row = tuple(name for name, _ in over[:-1])
    each = over[-3][1]
    assert isinstance(each, int)
    head = Projection((("g", each), ("h", 1)))
    batch = row[:-3]
    value = batched(2, v, batch, ("s", "g", "e"))
    result = access(len(types), (*batch, "t", head, "e"))
    return _Frame(steps, scores, over, (*over, ("e", v.shape[-1])), row, value, result)


def two_pass(
    kind: Attention, types: Sequence[TensorType | None], output: TensorType
) -> tuple[Einsum, ...]:
    """Division after the product with v."""
    f = _frame(kind, types, output)
    dims = (*f.row, "s")
    most, shifted, grown = access(-7, f.row), access(-8, dims), access(-9, dims)
    total, mixed = access(-10, f.row), access(-11, (*f.row, "e"))
    return (
        *f.steps,
        Einsum(f.over, (f.scores,), most, "identity", "max"),
        Einsum(f.over, (f.scores, most), shifted, "sub"),
        Einsum(f.over, (shifted,), grown, "exp"),
        Einsum(f.over, (grown,), total, "identity"),
        Einsum(f.wide, (grown, f.value), mixed),
        Einsum((*f.over[:-1], f.wide[-1]), (mixed, total), f.result, "div"),
    )


def one_pass(
    kind: Attention, types: Sequence[TensorType | None], output: TensorType
) -> tuple[Einsum, ...]:
    """A running maximum, sum and product, corrected whenever the maximum grows."""
    f = _frame(kind, types, output)
    carry = ("s",)
    before = Projection((("s", 1),), -1)
    last_size = f.over[-1][1]
    last: Index = last_size - 1 if isinstance(last_size, int) else Projection((), -1)

    def at(index: int, step: Index) -> Access:
        return access(index, (*f.row, step))

    def wide(index: int, step: Index) -> Access:
        return access(index, (*f.row, step, "e"))

    most, shifted, grown, drop, factor = (at(-i, "s") for i in (7, 8, 9, 10, 11))
    kept_sum, total = at(-12, "s"), at(-13, "s")
    ends = (*f.over[:-1], f.wide[-1])
    return (
        *f.steps,
        Einsum(f.over, (at(-7, before), f.scores), most, "max", "max", carry),
        Einsum(f.over, (f.scores, most), shifted, "sub"),
        Einsum(f.over, (shifted,), grown, "exp"),
        Einsum(f.over, (at(-7, before), most), drop, "sub", "max", carry),
        Einsum(f.over, (drop,), factor, "exp"),
        Einsum(f.over, (at(-13, before), factor), kept_sum, carry=carry),
        Einsum(f.over, (kept_sum, grown), total, "add"),
        Einsum(f.wide, (wide(-16, before), factor), wide(-14, "s"), carry=carry),
        Einsum(f.wide, (grown, f.value), wide(-15, "s")),
        Einsum(f.wide, (wide(-14, "s"), wide(-15, "s")), wide(-16, "s"), "add"),
        Einsum(ends, (wide(-16, last), at(-13, last)), f.result, "div"),
    )
