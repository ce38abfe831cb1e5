"""Attention, rotary positions and caches against torch and the written definition."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.graph.oracle import check_einsums, run

from netwright.errors import GraphError
from netwright.graph.extent import symbol
from netwright.graph.op import TensorType
from netwright.graph.ops.attention import Attention, CacheAppend, Rope

SMALL = st.integers(1, 4)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_attention_equals_torch(data):
    batch, tokens, more, groups, each, width, values = (data.draw(SMALL) for _ in range(7))
    causal = data.draw(st.booleans())
    keys = tokens + more - 1
    window = data.draw(st.none() | st.integers(1, 4)) if causal else None
    random = np.random.default_rng(0)
    q = random.standard_normal((batch, tokens, groups * each, width))
    k = random.standard_normal((batch, keys, groups, width))
    v = random.standard_normal((batch, keys, groups, values))
    mask = random.standard_normal((groups * each, tokens, keys))
    i, j = np.arange(tokens)[:, None] + keys - tokens, np.arange(keys)[None]
    seen = (j <= i) & (j > i - (window or keys)) if causal else np.ones((tokens, keys), bool)
    full = torch.tensor(np.where(seen, mask, -np.inf))
    heads_first = [torch.tensor(a).transpose(1, 2) for a in (q, k, v)]
    expected = F.scaled_dot_product_attention(
        *heads_first, attn_mask=full, scale=0.4, enable_gqa=True
    ).transpose(1, 2)
    found = run(Attention(0.4, causal, window), q, k, v, mask)[0]
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-12)
    if not causal:
        check_einsums(Attention(0.4), q, k, v, mask)


def test_softcap():
    random = np.random.default_rng(0)
    q, k, v = (random.standard_normal((3, 1, 4)) for _ in range(3))
    scores = 2.0 * np.tanh((q[:, 0] @ k[:, 0].T * 3.0) / 2.0)
    weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    found = run(Attention(3.0, softcap=2.0), q, k, v)[0]
    np.testing.assert_allclose(found[:, 0], weights @ v[:, 0], atol=1e-12)


@pytest.mark.parametrize("interleaved", [False, True])
def test_rope_is_a_rotation_by_position(interleaved):
    x = np.random.default_rng(0).standard_normal((5, 2, 8))
    factors = np.array([1.0, 2.0, 4.0])
    found = run(Rope(100.0, 6, 3, interleaved), x, factors)[0]
    pairs = [(2 * j, 2 * j + 1) if interleaved else (j, j + 3) for j in range(3)]
    for j, (a, b) in enumerate(pairs):
        angle = (3 + np.arange(5)) * 100.0 ** (-2 * j / 6) / factors[j]
        turned = (x[..., a] + 1j * x[..., b]) * np.exp(1j * angle)[:, None]
        np.testing.assert_allclose(found[..., a] + 1j * found[..., b], turned, atol=1e-12)
    np.testing.assert_array_equal(found[..., 6:], x[..., 6:])


def test_cache_append_types():
    past, tokens = symbol("past"), symbol("tokens")
    cache, new = TensorType((64, 2, 8)), TensorType((tokens, 2, 8))
    assert CacheAppend(past).infer([cache, new])[0].shape == (past + tokens, 2, 8)
    with pytest.raises(GraphError, match="do not fit a cache of 64; make the context longer"):
        CacheAppend(60).infer([cache, TensorType((5, 2, 8))])
    with pytest.raises(GraphError, match="symbolic; bind the symbols"):
        CacheAppend(past).reference([np.zeros((64, 2, 8)), np.zeros((1, 2, 8))])


def test_bad_heads_are_named():
    q, k = TensorType((3, 4, 8)), TensorType((3, 3, 8))
    with pytest.raises(GraphError, match="4 query heads are no multiple of 3 key heads"):
        Attention(1.0).infer([q, k, k])
