"""GPT: learned positions, layer norm, full attention over a fixed window of tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from netwright.graph.build import Builder
from netwright.graph.format import FP32, INT64, Format
from netwright.graph.graph import Graph
from netwright.graph.ops.attention import Attention
from netwright.graph.ops.elementwise import Binary
from netwright.graph.ops.function import IDENTITY, Function
from netwright.graph.ops.linear import Linear
from netwright.graph.ops.movement import Gather, Reshape, Slice
from netwright.graph.ops.norm import LayerNorm
from netwright.graph.tensor import TensorId
from netwright.graph.zoo.weights import RandomWeights


@final
@dataclass(frozen=True, slots=True)
class GptSizes:
    """The sizes of a GPT; `width` is a multiple of `heads`. `tied`: embedding = output matrix."""

    vocabulary: int = 32
    width: int = 32
    layers: int = 2
    heads: int = 4
    tokens: int = 16
    batch: int = 1
    epsilon: float = 1e-5
    tied: bool = True


def gpt(sizes: GptSizes, form: Format = FP32, seed: int | None = 0) -> Graph:
    """A causal transformer. Input `tokens` [batch, tokens]; output `logits` [batch, tokens, v].

    Pre-norm, gelu (tanh form), biases everywhere; the embedding is the output matrix if `tied`.
    Source: Radford et al., "Language Models are Unsupervised Multitask Learners" (2019).
    """
    b = Builder("gpt")
    weights = RandomWeights(b, seed)
    width = ("width", sizes.width)
    ids = b.input("tokens", (("batch", sizes.batch), ("token", sizes.tokens)), INT64)
    table = weights.matrix("embedding", (("vocabulary", sizes.vocabulary), width), form)
    places = weights.matrix("positions", (("token", sizes.tokens), width), form)
    x = b.add(Binary("add"), (b.add(Gather(), (table, ids), "embed"), places), "embed_places")
    with b.block("layers", sizes.layers) as layer:
        weights.repeat = sizes.layers
        inside = layer.carry(x)
        parts = _Layer(b, weights, sizes, form)
        layer.update(inside, parts.feed_forward(parts.attention(inside)))
    weights.repeat = 1
    x = _Layer(b, weights, sizes, form).norm("final_norm", layer.last(inside))
    if not sizes.tied:
        table = weights.matrix("output", (("vocabulary", sizes.vocabulary), width), form)
    return b.finish((b.add(Linear(), (x, table), "logits"),))


@final
@dataclass(frozen=True, slots=True)
class _Layer:
    """One decoder layer."""

    builder: Builder
    weights: RandomWeights
    sizes: GptSizes
    form: Format

    def norm(self, name: str, x: TensorId) -> TensorId:
        """Layer norm with its own scale and bias."""
        width = ("width", self.sizes.width)
        scale = self.weights.scale(f"{name}_scale", width)
        bias = self.weights.bias(f"{name}_bias", width)
        return self.builder.add(LayerNorm(1, self.sizes.epsilon), (x, scale, bias), name)

    def linear(
        self,
        name: str,
        x: TensorId,
        units: int,
        residual: TensorId | None,
        function: Function = IDENTITY,
    ) -> TensorId:
        """function(x w^T + bias + residual)."""
        inputs = self.builder.tensors[x].dims[-1].size
        assert isinstance(inputs, int)
        dims = ((f"{name}_out", units), ("in", inputs))
        weight = self.weights.matrix(f"{name}_weight", dims, self.form)
        bias = self.weights.bias(f"{name}_bias", dims[0])
        return self.builder.add(Linear(function=function), (x, weight, bias, residual), name)

    def attention(self, x: TensorId) -> TensorId:
        """X + output(attention(qkv(norm(x)))); q, k and v are slices of one product."""
        b, size = self.builder, self.sizes
        batch, tokens, heads, head = size.batch, size.tokens, size.heads, size.width // size.heads
        qkv = self.linear("qkv", self.norm("attention_norm", x), 3 * size.width, None)
        split = b.add(Reshape((batch, tokens, 3 * heads, head)), (qkv,), "qkv_heads")
        q, k, v = (
            b.add(
                Slice((0, 0, i * heads, 0), (batch, tokens, (i + 1) * heads, head), (1, 1, 1, 1)),
                (split,),
                name,
            )
            for i, name in enumerate("qkv")
        )
        mixed = b.add(Attention(head**-0.5, causal=True), (q, k, v, None), "attention")
        flat = b.add(Reshape((batch, tokens, size.width)), (mixed,), "attention_flat")
        return self.linear("attention_output", flat, size.width, x)

    def feed_forward(self, x: TensorId) -> TensorId:
        """X + down(gelu(up(norm(x))))."""
        normal = self.norm("feed_forward_norm", x)
        hidden = self.linear("up", normal, 4 * self.sizes.width, None, Function("gelu_tanh"))
        return self.linear("down", hidden, self.sizes.width, x)
