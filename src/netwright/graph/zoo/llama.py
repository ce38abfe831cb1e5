"""Llama: rotary positions, grouped-query attention, gated units, a growing cache."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from netwright.graph.build import BlockBuilder, Builder
from netwright.graph.extent import Extent
from netwright.graph.format import FP16, FP32, INT64, Format
from netwright.graph.graph import Graph
from netwright.graph.ops.attention import Attention
from netwright.graph.ops.elementwise import Glu
from netwright.graph.ops.function import Function
from netwright.graph.ops.linear import Linear
from netwright.graph.ops.movement import Gather, Reshape
from netwright.graph.ops.norm import RmsNorm
from netwright.graph.ops.position import CacheAppend, Rope
from netwright.graph.tensor import TensorId
from netwright.graph.zoo.weights import RandomWeights


@final
@dataclass(frozen=True, slots=True)
class LlamaSizes:
    """The sizes of a llama; `key_heads` divides `heads`, `width` is a multiple of `heads`."""

    vocabulary: int = 32
    width: int = 32
    layers: int = 2
    heads: int = 4
    key_heads: int = 2
    hidden: int = 64
    context: int = 64
    base: float = 10000.0
    epsilon: float = 1e-5

    @property
    def head(self) -> int:
        """Elements of one head."""
        return self.width // self.heads


def llama(
    sizes: LlamaSizes, form: Format = FP32, cache: Format = FP16, seed: int | None = 0
) -> Graph:
    """A decoder over symbols `n_tokens` (new tokens) and `n_past` (earlier ones).

    Input `tokens` [n_tokens]; output `logits` [n_tokens, vocabulary]. The embedding is also the
    output matrix. Source: Touvron et al., arXiv 2302.13971.
    """
    b = Builder("llama")
    tokens = b.symbol("n_tokens", 1, sizes.context)
    past = b.symbol("n_past", 0, sizes.context - 1)
    weights = RandomWeights(b, seed)
    ids = b.input("tokens", (("token", tokens),), INT64)
    table = weights.matrix(
        "embedding", (("vocabulary", sizes.vocabulary), ("width", sizes.width)), form
    )
    x = b.add(Gather(), (table, ids), "embed")
    with b.block("layers", sizes.layers) as layer:
        weights.repeat = sizes.layers
        parts = _Layer(b, layer, weights, sizes, (form, cache))
        inside = layer.carry(x)
        attended = parts.attention(inside, tokens, past)
        layer.update(inside, parts.feed_forward(attended))
    weights.repeat = 1
    scale = weights.scale("output_norm", ("width", sizes.width))
    x = b.add(RmsNorm(sizes.epsilon), (layer.last(inside), scale), "final_norm")
    return b.finish((b.add(Linear(), (x, table), "logits"),))


@final
@dataclass(frozen=True, slots=True)
class _Layer:
    """One decoder layer, written into the block of a builder."""

    builder: Builder
    block: BlockBuilder
    weights: RandomWeights
    sizes: LlamaSizes
    formats: tuple[Format, Format]  # of weights, of caches

    def _norm(self, name: str, x: TensorId) -> TensorId:
        scale = self.weights.scale(f"{name}_scale", ("width", self.sizes.width))
        return self.builder.add(RmsNorm(self.sizes.epsilon), (x, scale), name)

    def _matrix(self, name: str, units: int, inputs: int) -> TensorId:
        return self.weights.matrix(name, ((f"{name}_out", units), ("in", inputs)), self.formats[0])

    def _heads(self, name: str, x: TensorId, heads: int, tokens: Extent) -> TensorId:
        size = self.sizes
        weight = self._matrix(f"{name}_weight", heads * size.head, size.width)
        flat = self.builder.add(Linear(), (x, weight), f"{name}_linear")
        return self.builder.add(Reshape((tokens, heads, size.head)), (flat,), name)

    def attention(self, x: TensorId, tokens: Extent, past: Extent) -> TensorId:
        """X + output(attention(rope(q), cache of rope(k), cache of v))."""
        b, size = self.builder, self.sizes
        normal = self._norm("attention_norm", x)
        q = self._heads("q", normal, size.heads, tokens)
        k = self._heads("k", normal, size.key_heads, tokens)
        v = self._heads("v", normal, size.key_heads, tokens)
        rope = Rope(size.base, size.head, past)
        q, k = b.add(rope, (q, None), "q_rope"), b.add(rope, (k, None), "k_rope")
        shape = (("position", size.context), ("group", size.key_heads), ("head", size.head))
        append = CacheAppend(past)
        keys, values = (
            b.add_all(append, (b.cache(f"{n}_cache", shape, self.formats[1]), new), f"{n}_all",
                      (self.formats[1],))[0]
            for n, new in (("k", k), ("v", v))
        )  # fmt: skip
        attend = Attention(size.head**-0.5, causal=True)
        mixed = b.add(attend, (q, keys, values, None), "attention")
        flat = b.add(Reshape((tokens, size.width)), (mixed,), "attention_flat")
        weight = self._matrix("attention_output_weight", size.width, size.width)
        return b.add(Linear(), (flat, weight, None, x), "attention_output")

    def feed_forward(self, x: TensorId) -> TensorId:
        """X + down(silu(gate) * up)."""
        b, size = self.builder, self.sizes
        normal = self._norm("feed_forward_norm", x)
        gate, up = (
            b.add(Linear(), (normal, self._matrix(f"{n}_weight", size.hidden, size.width)), n)
            for n in ("gate", "up")
        )
        gated = b.add(Glu(Function("silu")), (gate, up), "gated")
        weight = self._matrix("down_weight", size.width, size.hidden)
        return b.add(Linear(), (gated, weight, None, x), "down")
