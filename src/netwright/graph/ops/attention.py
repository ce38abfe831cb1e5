"""Attention with positions and caches. Token-major: x [..., tokens, heads, head_dim]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.graph.op import Access, Einsum, OpKind, Projection, TensorType
from netwright.graph.ops.cascade import access, loops, names
from netwright.graph.ops.position import CacheAppend, Rope
from netwright.graph.ops.shape import (
    broadcast,
    broadcasts_to,
    count,
    expect,
    fail,
    operand,
    optional,
    rank_at_least,
)
from netwright.graph.ops.softmax import softmax

__all__ = ["Attention", "CacheAppend", "Rope"]

Array: TypeAlias = NDArray[Any]


@final
@dataclass(frozen=True, slots=True)
class Attention(OpKind):
    """softmax(scale * q k^T [softcap: c*tanh(s/c)] + mask) v, grouped heads.

    Inputs: q [..., T, H, D], k [..., S, G, D], v [..., S, G, E], mask (added, broadcast to
    [..., H, T, S]) or None; H a multiple of G. When `causal`, query i sees keys j <= i + S - T, and
    with a `window` only j > i + S - T - window. Output [..., T, H, E]. A query that sees no key
    gives zeros.
    """

    scale: float
    causal: bool = False
    window: int | None = None
    softcap: float | None = None

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 3, 4)
        q, k, v = (operand(self, types, i, n, "float") for i, n in enumerate(("q", "k", "v")))
        for name, given in (("q", q), ("k", k), ("v", v)):
            rank_at_least(self, given, 3, name)
        tokens, heads, width = q.shape[-3:]
        keys, groups, _ = k.shape[-3:]
        if k.shape[-1] != width:
            fail(self, f"q has head size {width}, k has {k.shape[-1]}")
        expect(self, "v but for its last dim", v.shape[:-1], k.shape[:-1])
        if not isinstance(heads, int) or not isinstance(groups, int) or heads % groups:
            fail(self, f"{heads} query heads are no multiple of {groups} key heads")
        if self.window is not None and (not self.causal or self.window < 1):
            fail(self, f"window {self.window} needs causal attention and at least 1 token")
        batch = broadcast(self, q.shape[:-3], k.shape[:-3])
        mask = optional(types, 3)
        if mask is not None:
            broadcasts_to(self, "mask", mask.shape, (*batch, heads, tokens, keys))
        return (TensorType((*batch, tokens, heads, v.shape[-1])),)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return attention_cascade(self, types, outputs[0])

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        q, k, v = arrays[0], arrays[1], arrays[2]
        assert q is not None
        assert k is not None
        assert v is not None
        tokens, heads, _ = q.shape[-3:]
        keys, groups, _ = k.shape[-3:]
        k, v = (np.repeat(np.swapaxes(a, -2, -3), heads // groups, axis=-3) for a in (k, v))
        scores = self.scale * (np.swapaxes(q, -2, -3) @ np.swapaxes(k, -1, -2))
        if self.softcap is not None:
            scores = self.softcap * np.tanh(scores / self.softcap)
        mask = arrays[3] if len(arrays) > 3 else None
        if mask is not None:
            scores = scores + mask
        if self.causal:
            scores = np.where(self.visible(tokens, keys), scores, -np.inf)
        return (np.swapaxes(softmax(scores) @ v, -2, -3),)

    def visible(self, tokens: int, keys: int) -> NDArray[np.bool_]:
        """Which keys [tokens, keys] a query sees by position alone."""
        if not self.causal:
            return np.ones((tokens, keys), dtype=np.bool_)
        last = np.arange(tokens)[:, None] + (keys - tokens)
        key = np.arange(keys)[None, :]
        seen = key <= last
        return seen if self.window is None else seen & (key > last - self.window)


def scores_cascade(
    kind: Attention, types: Sequence[TensorType | None], output: TensorType
) -> tuple[tuple[Einsum, ...], Access]:
    """The masked scores [..., g, h, t, s] from q and k; uses -1 .. -5.

    Loops: `t` queries, `s` keys, `g` key heads, `h` query heads of one key head, `d` head size.
    Positional masks have no operand; they cost nothing and are not written here.
    """
    q, k = operand(kind, types, 0, "q"), operand(kind, types, 1, "k")
    heads, groups = q.shape[-2], k.shape[-2]
    assert isinstance(heads, int)
    assert isinstance(groups, int)
    each = heads // groups
    batch = names(len(output.shape) - 3, "b")
    rows = (*loops(batch, output.shape[:-3]), ("g", groups), ("h", each), ("t", q.shape[-3]))
    over = (*rows, ("s", k.shape[-3]))
    dims = [name for name, _ in over]
    head = Projection((("g", each), ("h", 1)))
    sources = (
        batched(0, q, batch, ("t", head, "d")),
        batched(1, k, batch, ("s", "g", "d")),
    )
    steps = [Einsum((*over, ("d", q.shape[-1])), sources, access(-1, dims))]
    steps.append(
        Einsum(over, (access(-1, dims),), access(-2, dims), "scale", parameters=(kind.scale, 0.0))
    )
    last = access(-2, dims)
    if kind.softcap is not None:
        cap = kind.softcap
        steps += [
            Einsum(over, (last,), access(-3, dims), "scale", parameters=(1.0 / cap, 0.0)),
            Einsum(over, (access(-3, dims),), access(-4, dims), "tanh"),
            Einsum(over, (access(-4, dims),), access(-5, dims), "scale", parameters=(cap, 0.0)),
        ]
        last = access(-5, dims)
    mask = optional(types, 3)
    if mask is not None:
        full = (*batch, head, "t", "s")[-len(mask.shape) :] if mask.shape else ()
        places = [0 if n == 1 else p for n, p in zip(mask.shape, full, strict=True)]
        steps.append(Einsum(over, (last, access(3, places)), access(-6, dims), "add"))
        last = access(-6, dims)
    return tuple(steps), last


def batched(
    index: int, given: TensorType, batch: Sequence[str], rest: Sequence[str | Projection]
) -> Access:
    """An operand [..., rest] whose leading dims broadcast to the batch loops."""
    used = batch[len(batch) - (len(given.shape) - 3) :]
    first = [0 if n == 1 else b for n, b in zip(given.shape, used, strict=False)]
    return access(index, [*first, *rest])


def attention_cascade(
    kind: Attention, types: Sequence[TensorType | None], output: TensorType
) -> tuple[Einsum, ...]:
    """The definition: a whole softmax, then its product with v (three passes over the keys)."""
    v = operand(kind, types, 2, "v")
    steps, scores = scores_cascade(kind, types, output)
    over = steps[-1].loops
    dims = [name for name, _ in over]
    row = dims[:-1]
    batch = row[:-3]
    each = over[-3][1]
    assert isinstance(each, int)
    most, shifted, grown, total, weight = (
        access(-7, row), access(-8, dims), access(-9, dims), access(-10, row), access(-11, dims)
    )  # fmt: skip
    head = Projection((("g", each), ("h", 1)))
    wide = (*over, ("e", v.shape[-1]))
    result = access(len(types), (*batch, "t", head, "e"))
    return (
        *steps,
        Einsum(over, (scores,), most, "identity", "max"),
        Einsum(over, (scores, most), shifted, "sub"),
        Einsum(over, (shifted,), grown, "exp"),
        Einsum(over, (grown,), total, "identity"),
        Einsum(over, (grown, total), weight, "div"),
        Einsum(wide, (weight, batched(2, v, batch, ("s", "g", "e"))), result),
    )
