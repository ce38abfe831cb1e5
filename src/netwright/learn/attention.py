"""Exact attention for training that never holds the scores whole, forward or backward.

Scores are made chunk by chunk with running maxima and totals. For the backward pass the results and
the logarithm of each row's total are kept, and every chunk is made again.
Source: Rabe and Staats, arXiv 2112.05682 (chunks); Dao et al., arXiv 2205.14135, algorithm 4
(what is kept: the statistics of a row instead of a checkpoint).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast, final

import torch
from torch import Tensor

from netwright.errors import JobError


@final
@dataclass(frozen=True, slots=True)
class Chunks:
    """Queries and keys of one chunk of scores.

    What is held beyond inputs, results and gradients is a few times queries * keys elements a head,
    whatever the length; with either side of the order of sqrt(n), and the other fixed, O(sqrt n).
    """

    queries: int = 1024
    keys: int = 4096

    def __post_init__(self) -> None:
        if self.queries < 1 or self.keys < 1:
            raise JobError(
                f"chunks of {self.queries} queries and {self.keys} keys; at least 1 each"
            )


DEFAULT = Chunks()


def chunked_attention(
    q: Tensor, k: Tensor, v: Tensor, *, causal: bool = False, chunks: Chunks = DEFAULT
) -> Tensor:
    """softmax(q k^T / sqrt(d)) v for q [..., n, d], k [..., s, d], v [..., s, e]; [..., n, e].

    When `causal`, query i sees keys j <= i + s - n; a query that sees none gives zeros. Any device.

    Raises:
        JobError: shapes that do not fit each other.
    """
    if q.ndim < 2 or q.shape[:-2] != k.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise JobError(
            f"attention: q {tuple(q.shape)} and k {tuple(k.shape)} do not fit each other"
        )
    if k.shape[:-1] != v.shape[:-1]:
        raise JobError(
            f"attention: k {tuple(k.shape)} and v {tuple(v.shape)} do not fit each other"
        )
    plan = _Plan(q.shape[-2], k.shape[-2], q.shape[-1] ** -0.5, causal, chunks)
    if torch.is_grad_enabled() and any(t.requires_grad for t in (q, k, v)):
        return cast(Tensor, _Chunked.apply(q, k, v, plan))  # pyright: ignore[reportUnknownMemberType]
    return _forward(q, k, v, plan)[0]


@final
@dataclass(frozen=True, slots=True)
class _Plan:
    """Lengths, scale and chunks of one call."""

    queries: int
    keys: int
    scale: float
    causal: bool
    chunks: Chunks

    def rows(self) -> Iterator[tuple[int, int]]:
        """[begin, end) of every chunk of queries."""
        for begin in range(0, self.queries, self.chunks.queries):
            yield begin, min(begin + self.chunks.queries, self.queries)

    def columns(self, end: int) -> Iterator[tuple[int, int]]:
        """[begin, end) of every chunk of keys that a query before `end` sees."""
        seen = min(self.keys, end + self.keys - self.queries) if self.causal else self.keys
        for begin in range(0, seen, self.chunks.keys):
            yield begin, min(begin + self.chunks.keys, seen)

    def scores(self, q: Tensor, k: Tensor, rows: tuple[int, int], keys: tuple[int, int]) -> Tensor:
        """Masked scores of one chunk, in a tensor of their own."""
        (i, _), (j, end) = rows, keys
        made = torch.matmul(q, k.transpose(-2, -1)).mul_(self.scale)
        first = i + self.keys - self.queries  # the last key that the first query sees
        if self.causal and end - 1 > first:
            made.add_(torch.full(made.shape[-2:], -math.inf, device=q.device).triu_(first - j + 1))
        return made


def _forward(q: Tensor, k: Tensor, v: Tensor, plan: _Plan) -> tuple[Tensor, Tensor | None]:
    """Results, and log of the totals [..., n] where a backward pass will want them."""
    out = q.new_empty((*q.shape[:-1], v.shape[-1]))
    kept = q.new_empty(q.shape[:-1]) if torch.is_grad_enabled() else None
    for begin, end in plan.rows():
        rows, result = q[..., begin:end, :], out[..., begin:end, :].zero_()
        most = q.new_full((*rows.shape[:-1], 1), -math.inf)
        total = torch.zeros_like(most)
        for first, last in plan.columns(end):
            scores = plan.scores(rows, k[..., first:last, :], (begin, end), (first, last))
            larger = torch.maximum(most, scores.amax(-1, keepdim=True))
            # A row that has seen no key yet: any finite reference gives weights of zero.
            reference = larger.masked_fill(larger == -math.inf, 0.0)
            weights = scores.sub_(reference).exp_()
            factor = most.sub_(reference).exp_()
            total.mul_(factor).add_(weights.sum(-1, keepdim=True))
            result.mul_(factor).add_(torch.matmul(weights, v[..., first:last, :]))
            most = larger
            del scores, weights
        result.div_(total.masked_fill(total == 0.0, 1.0))
        if kept is not None:
            # Rows without a key: +inf makes all their weights zero again.
            logs = (most + total.log()).masked_fill_(total == 0.0, math.inf)
            kept[..., begin:end] = logs[..., 0]
    return out, kept


class _Chunked(torch.autograd.Function):
    """The forward pass above and its gradient, chunk by chunk."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, plan: _Plan) -> Tensor:
        with torch.enable_grad():
            out, kept = _forward(q.detach(), k.detach(), v.detach(), plan)
        ctx.save_for_backward(q, k, v, out, kept)
        ctx.plan = plan
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        q, k, v, out, kept = ctx.saved_tensors
        (d_out,) = grads
        d_q, d_k, d_v = torch.zeros_like(q), torch.zeros_like(k), torch.zeros_like(v)
        plan: _Plan = ctx.plan
        for begin, end in plan.rows():
            rows, d_rows = q[..., begin:end, :], d_out[..., begin:end, :]
            inner = (d_rows * out[..., begin:end, :]).sum(-1, keepdim=True)
            logs = kept[..., begin:end, None]
            for first, last in plan.columns(end):
                keys, values = k[..., first:last, :], v[..., first:last, :]
                scores = plan.scores(rows, keys, (begin, end), (first, last))
                weights = scores.sub_(logs).exp_()
                d_v[..., first:last, :] += torch.matmul(weights.transpose(-2, -1), d_rows)
                d_scores = torch.matmul(d_rows, values.transpose(-2, -1))
                d_scores.sub_(inner).mul_(weights).mul_(plan.scale)
                d_q[..., begin:end, :] += torch.matmul(d_scores, keys)
                d_k[..., first:last, :] += torch.matmul(d_scores.transpose(-2, -1), rows)
                del scores, weights, d_scores  # before the next chunk's are made
        return d_q, d_k, d_v, None
