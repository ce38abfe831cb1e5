"""Chunked attention against torch's own in float64, and what both hold."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import JobError
from netwright.learn.attention import Chunks, chunked_attention
from netwright.learn.live_bytes import LiveBytes


@settings(max_examples=40, deadline=None)
@given(
    queries=st.integers(1, 20),
    extra=st.integers(0, 9),
    chunks=st.builds(Chunks, st.integers(1, 25), st.integers(1, 25)),
    causal=st.booleans(),
    seed=st.integers(0, 99),
)
def test_equals_the_whole_softmax(
    queries: int, extra: int, chunks: Chunks, causal: bool, seed: int
) -> None:
    rng = torch.Generator().manual_seed(seed)
    keys = queries + extra

    def drawn(n: int, width: int) -> torch.Tensor:
        made = torch.randn(2, n, width, generator=rng, dtype=torch.float64)
        return made.mul_(4).requires_grad_()

    q, k, v = drawn(queries, 6), drawn(keys, 6), drawn(keys, 5)
    scores = q @ k.transpose(-2, -1) / 6**0.5
    if causal:
        unseen = torch.ones(queries, keys, dtype=torch.bool).triu(extra + 1)
        scores = scores.masked_fill(unseen, -torch.inf)
    expected = torch.softmax(scores, -1) @ v
    got = chunked_attention(q, k, v, causal=causal, chunks=chunks)
    torch.testing.assert_close(got, expected, rtol=1e-11, atol=1e-12)
    seed_gradient = torch.randn(expected.shape, generator=rng, dtype=torch.float64)
    for a, b in zip(
        torch.autograd.grad(got, (q, k, v), seed_gradient),
        torch.autograd.grad(expected, (q, k, v), seed_gradient),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-11)
    with torch.no_grad():
        plain = chunked_attention(q, k, v, causal=causal, chunks=chunks)
    assert torch.equal(plain, got)


def test_a_query_without_a_key_gives_zeros_and_no_gradient() -> None:
    q, k, v = (torch.randn(n, 4, requires_grad=True) for n in (5, 3, 3))
    out = chunked_attention(q, k, v, causal=True, chunks=Chunks(2, 2))
    assert torch.equal(out[:2], torch.zeros(2, 4))
    out.sum().backward()  # pyright: ignore[reportUnknownMemberType]
    for t in (q, k, v):
        assert t.grad is not None
        assert torch.isfinite(t.grad).all()
    assert q.grad is not None
    assert torch.equal(q.grad[:2], torch.zeros(2, 4))


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(JobError, match=r"q .* and k .* do not fit"):
        chunked_attention(torch.ones(3, 4), torch.ones(3, 5), torch.ones(3, 5))
    with pytest.raises(JobError, match=r"k .* and v .* do not fit"):
        chunked_attention(torch.ones(3, 4), torch.ones(3, 4), torch.ones(2, 4))
    with pytest.raises(JobError, match="chunks of 0"):
        Chunks(0, 1)


def test_what_is_held_does_not_grow_with_the_length() -> None:
    held: list[int] = []
    for n in (512, 1024):
        q, k, v = (torch.randn(n, 16, requires_grad=True) for _ in range(3))
        with LiveBytes() as live:
            total = chunked_attention(q, k, v, chunks=Chunks(64, 64)).sum()
            gradients = torch.autograd.grad(total, (q, k, v))
        del gradients, total
        results = 4 * n * (16 * 5 + 1)  # out, its gradient, three gradients, log totals
        held.append(live.peak_bytes - results)
    assert held[1] <= held[0] < 8 * 4 * 64 * 64


def test_live_bytes_counts_what_was_made_and_not_what_was_given() -> None:
    given_before = torch.ones(1000)
    with LiveBytes() as live:
        first = given_before + 1
        view = first[:10]
        del first
        assert live.live_bytes == 4000  # a view keeps its storage
        del view
        assert live.live_bytes == 0
        given_before.mul_(2)
        second = given_before * 2
    assert live.peak_bytes == live.live_bytes == 4000
    del second
    assert live.live_bytes == 0
