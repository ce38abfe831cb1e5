"""A llama of a GGUF file in float64, nothing rounded, written apart from our graphs: an oracle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

import numpy as np
from benchmarks.greedy.operations import rotated
from numpy.typing import NDArray

from netwright.frontends.gguf_file import read_gguf
from netwright.graph.format import format_of

Array = NDArray[Any]


@final
class ExactLlama:
    """Touvron et al. 2023 (arXiv 2302.13971) with grouped keys; the head is the embedding."""

    def __init__(self, path: Path) -> None:
        file = read_gguf(path)
        raw = np.memmap(path, np.uint8, "r")
        self._weights = {
            name: format_of(t.format)
            .decode(raw[t.offset_bytes : t.offset_bytes + t.size_bytes].reshape(t.shape[0], -1))
            .reshape(t.shape)
            for name, t in file.tensors.items()
            if len(t.shape) == 2
        }
        for name, t in file.tensors.items():
            if len(t.shape) == 1:
                stored = raw[t.offset_bytes : t.offset_bytes + t.size_bytes].view(np.float32)
                self._weights[name] = stored.astype(np.float64)
        numbers: dict[str, Any] = dict(file.metadata)
        self._layers = int(numbers["llama.block_count"])
        self._heads = int(numbers["llama.attention.head_count"])
        self._key_heads = int(numbers["llama.attention.head_count_kv"])
        self._base = float(numbers["llama.rope.freq_base"])
        self._epsilon = float(numbers["llama.attention.layer_norm_rms_epsilon"])

    def logits(self, ids: Sequence[int], first: int) -> Array:
        """[len(ids) - first, vocabulary]: after every id from the one at `first`."""
        weights = self._weights
        x = weights["token_embd.weight"][list(ids)]
        for i in range(self._layers):
            x = x + self._attention(self._norm(x, f"blk.{i}.attn_norm"), i)
            y = self._norm(x, f"blk.{i}.ffn_norm")
            gate = y @ weights[f"blk.{i}.ffn_gate.weight"].T
            hidden = gate / (1 + np.exp(-gate)) * (y @ weights[f"blk.{i}.ffn_up.weight"].T)
            x = x + hidden @ weights[f"blk.{i}.ffn_down.weight"].T
        return self._norm(x[first:], "output_norm") @ weights["token_embd.weight"].T

    def _norm(self, x: Array, name: str) -> Array:
        size = np.sqrt((x**2).mean(axis=1, keepdims=True) + self._epsilon)
        return x / size * self._weights[f"{name}.weight"]

    def _attention(self, x: Array, layer: int) -> Array:
        count, head = len(x), x.shape[1] // self._heads
        q, k, v = (
            (x @ self._weights[f"blk.{layer}.attn_{part}.weight"].T).reshape(count, -1, head)
            for part in "qkv"
        )
        places = np.arange(count)
        q, k = (rotated(part, places, head, self._base) for part in (q, k))
        k, v = (np.repeat(part, self._heads // self._key_heads, axis=1) for part in (k, v))
        scores = np.einsum("thd,shd->hts", q, k) / head**0.5
        scores[:, places[:, None] < places] = -np.inf
        weights = np.exp(scores - scores.max(axis=2, keepdims=True))
        weights /= weights.sum(axis=2, keepdims=True)
        out = np.einsum("hts,shd->thd", weights, v).reshape(count, -1)
        return out @ self._weights[f"blk.{layer}.attn_output.weight"].T
