"""Attention in fewer passes over the keys: the same result, other cascades.

The definition (`Attention.einsums`) makes three passes over keys: maximum, sum, product. Dividing
after the product leaves two; a running maximum leaves one (online softmax).
Source: FuseMax (Nayak et al., arXiv 2406.10491), cascades 4 and 5; Milakov and Gimelshein,
arXiv 1805.02867.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

from netwright.errors import GraphError
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


# What the einsums of `one_pass_blocked` after the scores are for, in their order.
BLOCK_ROLES: tuple[str, ...] = (
    "local_maximum", "maximum", "shifted", "weights", "local_total", "drop", "correction",
    "kept_total", "total", "local_product", "kept_product", "product", "result",
)  # fmt: skip


def one_pass_blocked(
    kind: Attention, types: Sequence[TensorType | None], output: TensorType, block: int
) -> tuple[Einsum, ...]:
    """As `one_pass`, but the maximum runs from block to block of keys (`m`), not key to key (`n`).

    Within a block everything is a plain sum or maximum, so only what is one value a row and block
    is carried: FuseMax's cascade 5, FlashAttention-2's loop. The names of the einsums after the
    scores are `BLOCK_ROLES`.

    Raises:
        GraphError: the number of keys is no multiple of `block`.
    """
    f = _frame(kind, types, output)
    keys = f.over[-1][1]
    if not isinstance(keys, int) or block < 1 or keys % block:
        raise GraphError(f"attention: {keys} keys are no multiple of a block of {block}")
    split = {"s": (("m", keys // block), ("n", block))}
    scores = [_split(einsum, split) for einsum in f.steps]
    rows, each, over = f.over[:-1], (("m", keys // block),), _split_loops(f.over, split)
    ends = (f.wide[-1],)
    before, last = Projection((("m", 1),), -1), keys // block - 1

    def at(index: int, *rest: Index) -> Access:
        return access(index, (*f.row, *rest))

    value, carry = _split_access(f.value, split), ("m",)
    return (
        *scores,
        Einsum(over, (_split_access(f.scores, split),), at(-7, "m"), "identity", "max"),
        Einsum((*rows, *each), (at(-8, before), at(-7, "m")), at(-8, "m"), "max", "max", carry),
        Einsum(over, (_split_access(f.scores, split), at(-8, "m")), at(-9, "m", "n"), "sub"),
        Einsum(over, (at(-9, "m", "n"),), at(-10, "m", "n"), "exp"),
        Einsum(over, (at(-10, "m", "n"),), at(-11, "m"), "identity"),
        Einsum(
            (*rows, *each), (at(-8, before), at(-8, "m")), at(-12, "m"), "sub", "max", carry
        ),
        Einsum((*rows, *each), (at(-12, "m"),), at(-13, "m"), "exp"),
        Einsum((*rows, *each), (at(-15, before), at(-13, "m")), at(-14, "m"), carry=carry),
        Einsum((*rows, *each), (at(-14, "m"), at(-11, "m")), at(-15, "m"), "add"),
        Einsum((*over, *ends), (at(-10, "m", "n"), value), at(-16, "m", "e")),
        Einsum(
            (*rows, *each, *ends), (at(-18, before, "e"), at(-13, "m")), at(-17, "m", "e"),
            carry=carry,
        ),
        Einsum(
            (*rows, *each, *ends), (at(-17, "m", "e"), at(-16, "m", "e")), at(-18, "m", "e"), "add"
        ),
        Einsum((*rows, *ends), (at(-18, last, "e"), at(-15, last)), f.result, "div"),
    )  # fmt: skip


def _split_loops(over: Loops, split: Mapping[str, Loops]) -> Loops:
    return tuple(part for loop in over for part in split.get(loop[0], (loop,)))


def _split_access(given: Access, split: Mapping[str, Loops]) -> Access:
    """Where a loop indexed, its two parts do; an index of that loop alone becomes two."""
    places: list[Projection] = []
    for p in given.projections:
        parts = [name for name, _ in p.terms if name in split]
        if not parts:
            places.append(p)
        elif given.operand < 0:  # a value of the cascade's own: it takes both loops as dims
            places += [Projection(((name, 1),)) for name, _ in split[parts[0]]]
        else:
            (outer, _), (inner, size) = split[parts[0]]
            assert isinstance(size, int)
            places.append(Projection(((outer, size), (inner, 1))))
    return Access(given.operand, tuple(places))


def _split(einsum: Einsum, split: Mapping[str, Loops]) -> Einsum:
    return replace(
        einsum,
        loops=_split_loops(einsum.loops, split),
        inputs=tuple(_split_access(a, split) for a in einsum.inputs),
        output=_split_access(einsum.output, split),
    )
