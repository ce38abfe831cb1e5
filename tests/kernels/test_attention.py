"""Opcodes 6-8 against numpy in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from netwright.native import core

FP32, FP16 = 0, 1
Floats = NDArray[np.float32]


def plain(array: NDArray[Any]) -> tuple[NDArray[Any], int, list[int], list[int]]:
    code = FP16 if array.dtype == np.float16 else FP32
    return array, code, list(array.shape), list(array.strides)


def randoms(seed: int, *shape: int) -> Floats:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def reference(
    q: NDArray[Any],
    k: NDArray[Any],
    v: NDArray[Any],
    mask: NDArray[Any] | None,
    parameters: tuple[float, bool, int, float],
) -> NDArray[np.float64]:
    scale, causal, window, softcap = parameters
    ratio = q.shape[-2] // k.shape[-2]
    wide = [np.repeat(each.astype(np.float64), ratio, axis=-2) for each in (k, v)]
    scores = np.einsum("...thd,...shd->...hts", q.astype(np.float64), wide[0]) * scale
    if softcap:
        scores = softcap * np.tanh(scores / softcap)
    if mask is not None:
        scores = scores + mask
    tokens, keys = q.shape[-3], k.shape[-3]
    i, j = np.arange(tokens)[:, None], np.arange(keys)[None, :]
    seen = np.ones((tokens, keys), bool)
    if causal:
        seen &= j <= i + keys - tokens
    if window:
        seen &= j > i + keys - tokens - window
    scores = np.where(seen, scores, -np.inf)
    top = scores.max(axis=-1, keepdims=True)
    weight = np.exp(scores - np.where(np.isinf(top), 0, top))
    total = weight.sum(axis=-1, keepdims=True)
    weight = np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)
    return np.einsum("...hts,...shd->...thd", weight, wide[1])


def attend(
    q: NDArray[Any],
    k: NDArray[Any],
    v: NDArray[Any],
    mask: NDArray[Any] | None,
    parameters: tuple[float, bool, int, float],
    *,
    avx2: bool = True,
    parts: int = 1,
) -> Floats:
    out = np.full((*q.shape[:-1], v.shape[-1]), np.nan, np.float32)
    operands = [plain(out), plain(q), plain(k), plain(v), None if mask is None else plain(mask)]
    scale, causal, window, softcap = parameters
    for part in range(parts):
        core.call("attention", operands, [scale, int(causal), window, softcap], part, parts, avx2)
    return out


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_attention(data: st.DataObject) -> None:
    def draw(low: int, high: int) -> int:
        return data.draw(st.integers(low, high))

    groups, ratio, seed = draw(1, 3), draw(1, 4), draw(0, 1000)
    width, value_width = draw(1, 40), draw(1, 40)
    tokens = draw(1, 60)
    keys = tokens + draw(0, 150)
    causal, window = data.draw(st.booleans()), data.draw(st.sampled_from([0, 1, 7, 100]))
    softcap = data.draw(st.sampled_from([0.0, 5.0]))
    lead = data.draw(st.sampled_from([(), (2,)]))
    cast = data.draw(st.sampled_from([np.float32, np.float16]))
    q = randoms(seed, *lead, tokens, groups * ratio, width)
    k = randoms(seed + 1, *lead, keys, groups, width).astype(cast)
    v = randoms(seed + 2, *lead, keys, groups, value_width).astype(cast)
    mask = None
    if lead and data.draw(st.booleans()):
        mask = randoms(seed + 3, 1, groups * ratio, 1, keys)
    parameters = (width**-0.5, causal, window, softcap)
    expected = reference(q, k, v, mask, parameters)
    for avx2 in (False, True):
        whole = attend(q, k, v, mask, parameters, avx2=avx2)
        np.testing.assert_allclose(whole, expected, rtol=0, atol=4e-6)
        assert np.array_equal(whole, attend(q, k, v, mask, parameters, avx2=avx2, parts=3))


def test_a_chunk_of_queries_gives_the_bits_of_the_whole() -> None:
    q, k, v = randoms(1, 130, 6, 64), randoms(2, 130, 2, 64), randoms(3, 130, 2, 64)
    parameters = (0.125, True, 0, 0.0)
    whole = attend(q, k, v, None, parameters)
    assert np.array_equal(whole[-1:], attend(q[-1:], k, v, None, parameters))
    assert np.array_equal(whole[90:], attend(q[90:], k, v, None, parameters))


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_cut_of_the_queries_gives_the_bits_of_the_whole(data: st.DataObject) -> None:
    def draw(low: int, high: int) -> int:
        return data.draw(st.integers(low, high))

    groups, ratio, seed, width = draw(1, 5), draw(1, 7), draw(0, 1000), draw(1, 70)
    tokens, past = draw(2, 90), draw(0, 150)
    cast = data.draw(st.sampled_from([np.float32, np.float16]))
    q = randoms(seed, tokens, groups * ratio, width)
    k = randoms(seed + 1, tokens + past, groups, width).astype(cast)
    v = randoms(seed + 2, tokens + past, groups, draw(1, 40)).astype(cast)
    parameters = (width**-0.5, True, data.draw(st.sampled_from([0, 1, 30, 200])), 0.0)
    whole = attend(q, k, v, None, parameters)
    seen, cut = tokens + past, draw(1, tokens - 1)
    first = attend(q[:cut], k[: past + cut], v[: past + cut], None, parameters)
    rest = attend(q[cut:], k[:seen], v[:seen], None, parameters, parts=draw(1, 9))
    assert np.array_equal(whole, np.concatenate([first, rest]))
    one = attend(q[-1:], k, v, None, parameters, parts=draw(1, 3))
    assert np.array_equal(whole[-1:], one)


@pytest.mark.parametrize("avx2", [False, True])
@pytest.mark.parametrize(("causal", "window"), [(False, 0), (True, 0), (True, 90), (False, 90)])
def test_many_tiles_of_wide_heads(causal: bool, window: int, avx2: bool) -> None:
    q, k, v = (randoms(i, 200, heads, 320) for i, heads in ((1, 4), (2, 2), (3, 2)))
    parameters = (320**-0.5, causal, window, 0.0)
    whole = attend(q, k, v, None, parameters, avx2=avx2)
    expected = reference(q, k, v, None, parameters)
    np.testing.assert_allclose(whole, expected, rtol=0, atol=4e-6)
    for parts in (2, 7):
        assert np.array_equal(whole, attend(q, k, v, None, parameters, avx2=avx2, parts=parts))


def test_no_queries_and_no_keys() -> None:
    parameters = (1.0, False, 0, 0.0)
    empty = attend(randoms(1, 0, 2, 8), randoms(2, 5, 2, 8), randoms(3, 5, 2, 8), None, parameters)
    assert empty.shape == (0, 2, 8)
    none = attend(randoms(1, 3, 2, 8), randoms(2, 0, 2, 8), randoms(3, 0, 2, 8), None, parameters)
    assert not none.any()


def test_large_scores_do_not_overflow() -> None:
    q, k, v = randoms(1, 9, 2, 16) * 200, randoms(2, 70, 2, 16) * 200, randoms(3, 70, 2, 16)
    parameters = (1.0, False, 0, 0.0)
    out, expected = attend(q, k, v, None, parameters), reference(q, k, v, None, parameters)
    # scores of 1e5 carry an fp32 rounding of 1e-2, which the exponential keeps
    np.testing.assert_allclose(out, expected, atol=0.1)


def test_rows_of_a_cache() -> None:
    cache = randoms(4, 100, 2, 2, 32)  # keys and values side by side
    k, v = cache[:40, 0], cache[:40, 1]
    q = randoms(5, 1, 4, 32)
    parameters = (0.2, True, 0, 0.0)
    assert np.array_equal(
        attend(q, k, v, None, parameters), attend(q, k.copy(), v.copy(), None, parameters)
    )


@pytest.mark.parametrize(
    ("index", "shape", "message"),
    [
        (1, (5, 3, 8), "shape of out"),
        (2, (9, 2, 9), "do not agree"),
        (3, (8, 2, 8), "do not agree"),
        (4, (1, 4, 5, 8), "broadcast"),
    ],
)
def test_bad_attention_is_refused(index: int, shape: tuple[int, ...], message: str) -> None:
    arrays = [randoms(0, 5, 4, 8), randoms(1, 5, 4, 8), randoms(2, 9, 2, 8), randoms(3, 9, 2, 8)]
    arrays.append(randoms(4, 1, 4, 5, 9))
    core.call("attention", [plain(each) for each in arrays], [1.0, 1, 0, 0.0])
    arrays[index] = randoms(0, *shape)
    with pytest.raises(ValueError, match=message):
        core.call("attention", [plain(each) for each in arrays], [1.0, 1, 0, 0.0])


@pytest.mark.parametrize("avx2", [False, True])
@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize(
    ("rotary", "start", "base"), [(64, 0, 1e4), (20, 3000, 5e5), (64, 99999, 1e5)]
)
def test_rope(rotary: int, start: int, base: float, interleaved: bool, avx2: bool) -> None:
    x = randoms(6, 5, 3, 64)
    factors = np.linspace(1, 8, rotary // 2).astype(np.float32) if start else None
    out = x.copy()
    operands = [plain(out), None if factors is None else plain(factors)]
    for part in range(2):
        parameters = [base, rotary, start, int(interleaved)]
        core.call("rope", operands, parameters, part, 2, avx2)
    frequency = base ** (-2.0 * np.arange(rotary // 2) / rotary)
    frequency = frequency / (1.0 if factors is None else factors.astype(np.float64))
    angles = ((start + np.arange(5))[:, None] * frequency)[:, None, :]
    wide = x.astype(np.float64)
    pairs = np.arange(rotary // 2)
    first, second = (2 * pairs, 2 * pairs + 1) if interleaved else (pairs, pairs + rotary // 2)
    expected = wide.copy()
    expected[..., first] = wide[..., first] * np.cos(angles) - wide[..., second] * np.sin(angles)
    expected[..., second] = wide[..., first] * np.sin(angles) + wide[..., second] * np.cos(angles)
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("avx2", [False, True])
@pytest.mark.parametrize("cast", [np.float32, np.float16])
def test_cache_append(cast: type, avx2: bool) -> None:
    cache, new = np.zeros((20, 2, 13), cast), randoms(7, 4, 2, 13) * 1e-3
    new[0, 0, :4] = (7e4, -1e-7, np.inf, 65519.0)
    for part in range(3):
        core.call("cache_append", [plain(cache), plain(new)], [5], part, 3, avx2)
    expected = np.zeros_like(cache)
    with np.errstate(over="ignore"):
        expected[5:9] = new.astype(cast)
    assert np.array_equal(cache, expected)
    with pytest.raises(ValueError, match="outside"):
        core.call("cache_append", [plain(cache), plain(new)], [17])
