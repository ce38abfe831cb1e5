"""Attention with positions and caches. Token-major: x [..., tokens, heads, head_dim]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from netwright.graph.op import OpKind
from netwright.graph.extent import Extent


@final
@dataclass(frozen=True, slots=True)
class Attention(OpKind):
    """softmax(scale * q k^T [softcap: c*tanh(s/c)] + mask) v, grouped heads.

    Inputs: q [..., T, H, D], k [..., S, G, D], v [..., S, G, E], mask (added, broadcast to
    [..., H, T, S]) or None; H a multiple of G. When `causal`, query i sees keys j <= i + S - T, and
    with a `window` only j > i + S - T - window. Output [..., T, H, E].
    """

    scale: float
    causal: bool = False
    window: int | None = None
    softcap: float | None = None


@final
@dataclass(frozen=True, slots=True)
class Rope(OpKind):
    """Rotary embedding at positions `start` + i over the first `rotary` of head_dim.

    `interleaved` pairs (2j, 2j+1) (llama in GGUF), else (j, j + rotary/2). Angle: position *
    base^(-2j/rotary) / factors[j]. Inputs: x [T, H, D], factors [rotary/2] or None.
    """

    base: float
    rotary: int
    start: Extent
    interleaved: bool = False


@final
@dataclass(frozen=True, slots=True)
class CacheAppend(OpKind):
    """Writes new [T, G, D] at rows `start`.. of cache [context, G, D]; output: rows 0 .. start+T.

    Inputs: cache (role CACHE), new. The output is a view of the cache after the write.
    """

    start: Extent
