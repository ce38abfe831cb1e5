"""DecoderModel → Graph over the symbols `n_tokens` (new tokens) and `n_past` (earlier ones)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from netwright.frontends.decoder import DecoderLayer, DecoderModel, Product, Run, Stored, runs
from netwright.graph.build import Builder
from netwright.graph.extent import Extent
from netwright.graph.format import FP16, INT32
from netwright.graph.graph import Graph
from netwright.graph.ops.attention import Attention
from netwright.graph.ops.elementwise import Binary, Glu, Unary
from netwright.graph.ops.function import Function
from netwright.graph.ops.linear import Linear
from netwright.graph.ops.movement import Gather, Reshape, Slice
from netwright.graph.ops.norm import RmsNorm
from netwright.graph.ops.position import CacheAppend, Rope
from netwright.graph.tensor import TensorId


def decoder_graph(model: DecoderModel, *, all_logits: bool = False) -> Graph:
    """Input `tokens` [n_tokens] int32; output `logits` [1, vocabulary], of the last token.

    With `all_logits` they are of every new token, [n_tokens, vocabulary]. Layers that are alike
    are folded; caches are fp16 [context, key heads, head width], one pair a layer.
    """
    b = Builder(model.name)
    tokens = b.symbol("n_tokens", 1, model.context)
    past = b.symbol("n_past", 0, model.context - 1)
    for key, value in model.metadata:
        b.metadata(key, value)
    ids = b.input("tokens", (("token", tokens),), INT32)
    table = _stored(b, "embedding", ("vocabulary", "width"), [model.embedding])
    x = b.add(Gather(), (table, ids), "embed")
    if model.embedding_scale:
        x = b.add(Unary(Function("scale", model.embedding_scale)), (x,), "embed.scaled")
    for run in runs(model.layers):
        x = _run(b, model, run, (tokens, past), x)
    if not all_logits:
        last = Slice((tokens - 1, 0), (tokens, model.width), (1, 1))
        x = b.add(last, (x,), "last_token")
    scale = _stored(b, "output_norm.scale", ("width",), [model.output_norm])
    x = b.add(RmsNorm(model.epsilon), (x, scale), "output_norm")
    return b.finish((_head(b, model, table, x),))


def _head(b: Builder, model: DecoderModel, table: TensorId, x: TensorId) -> TensorId:
    cap = model.final_softcap
    name = "logits.raw" if cap else "logits"
    if model.output is None:
        x = b.add(Linear(), (x, table), name)
    else:
        x = _product(b, name, [model.output], x, None)
    if cap:
        x = b.add(Unary(Function("scale", 1 / cap)), (x,), "logits.scaled")
        x = b.add(Unary(Function("tanh")), (x,), "logits.capped")
        x = b.add(Unary(Function("scale", cap)), (x,), "logits")
    return x


def _run(
    b: Builder, model: DecoderModel, run: Run, symbols: tuple[Extent, Extent], x: TensorId
) -> TensorId:
    """The layers of one run, as a block where they repeat."""
    stacks = [
        model.layers[run.first + place : run.first + run.period * run.repeat : run.period]
        for place in range(run.period)
    ]
    # Where all layers are alike the repetition is the layer's number: `layer.gate.20`.
    alike = run.period == 1 and run.repeat == len(model.layers)
    parts = [
        _Layer(b, model, stack, "layer" if alike else f"layer.{run.first + place}", symbols)
        for place, stack in enumerate(stacks)
    ]
    if run.repeat == 1:
        for part in parts:
            x = part.add(x)
        return x
    with b.block(f"layers.{run.first}", run.repeat) as block:
        inside = updated = block.carry(x)
        for part in parts:
            updated = part.add(updated)
        block.update(inside, updated)
    return block.last(inside)


def _stored(b: Builder, name: str, dims: Sequence[str], weights: Sequence[Stored]) -> TensorId:
    named = tuple(zip(dims, weights[0].shape, strict=True))
    return b.stored(name, named, weights[0].format, tuple(w.data for w in weights))


def _product(
    b: Builder, name: str, products: Sequence[Product], x: TensorId, residual: TensorId | None
) -> TensorId:
    weight = _stored(b, f"{name}.weight", ("out", "in"), [p.weight for p in products])
    biases = [p.bias for p in products if p.bias is not None]
    bias = _stored(b, f"{name}.bias", ("out",), biases) if biases else None
    return b.add(Linear(), (x, weight, bias, residual), name)


@final
@dataclass(frozen=True, slots=True)
class _Layer:
    """One layer of the graph; `stack` holds its weights in every repetition."""

    builder: Builder
    model: DecoderModel
    stack: tuple[DecoderLayer, ...]
    name: str
    symbols: tuple[Extent, Extent]

    def add(self, x: TensorId) -> TensorId:
        """The layer's operators after x [n_tokens, width]; returns the same shape."""
        stack = self.stack
        normal = self._norm("attention_norm", [s.attention_norm for s in stack], x)
        mixed = self._attention(normal)
        x = self._close(
            "attention", mixed, x, [s.attention_output for s in stack],
            [s.attention_post_norm for s in stack],
        )  # fmt: skip
        normal = self._norm("feed_norm", [s.feed_norm for s in stack], x)
        gate = self._product("gate", [s.gate for s in stack], normal, None)
        up = self._product("up", [s.up for s in stack], normal, None)
        units = self.builder.add(Glu(self.model.function), (gate, up), f"{self.name}.units")
        return self._close(
            "feed", units, x, [s.down for s in stack], [s.feed_post_norm for s in stack]
        )

    def _close(
        self,
        name: str,
        x: TensorId,
        residual: TensorId,
        products: Sequence[Product],
        norms: Sequence[Stored | None],
    ) -> TensorId:
        """The branch's last product, its norm if there is one, and the residual."""
        if norms[0] is None:
            return self._product(f"{name}.output", products, x, residual)
        x = self._product(f"{name}.output", products, x, None)
        x = self._norm(f"{name}.post_norm", norms, x)
        return self.builder.add(Binary("add"), (x, residual), f"{self.name}.{name}.residual")

    def _product(
        self, name: str, products: Sequence[Product], x: TensorId, residual: TensorId | None
    ) -> TensorId:
        return _product(self.builder, f"{self.name}.{name}", products, x, residual)

    def _norm(self, name: str, scales: Sequence[Stored | None], x: TensorId) -> TensorId:
        present = [s for s in scales if s is not None]
        if not present:
            return x
        scale = _stored(self.builder, f"{self.name}.{name}.scale", ("width",), present)
        return self.builder.add(RmsNorm(self.model.epsilon), (x, scale), f"{self.name}.{name}")

    def _heads(
        self, name: str, products: Sequence[Product], x: TensorId, shape: tuple[int, int]
    ) -> TensorId:
        flat = self._product(name, products, x, None)
        split = Reshape((self.symbols[0], *shape))
        return self.builder.add(split, (flat,), f"{self.name}.{name}.heads")

    def _cached(self, name: str, x: TensorId, width: int) -> TensorId:
        """All rows so far, of this call and of earlier ones."""
        b, model = self.builder, self.model
        dims = (("position", model.context), ("key_head", model.key_heads), ("head_width", width))
        cache = b.cache(f"{self.name}.{name}_cache", dims, FP16)
        append = CacheAppend(self.symbols[1])
        return b.add_all(append, (cache, x), f"{self.name}.{name}s", (FP16,))[0]

    def _attention(self, x: TensorId) -> TensorId:
        """The heads' mixtures [n_tokens, heads * value width]."""
        b, model, stack = self.builder, self.model, self.stack
        keys = (model.key_heads, model.key_width)
        q = self._heads("query", [s.query for s in stack], x, (model.heads, model.key_width))
        k = self._heads("key", [s.key for s in stack], x, keys)
        v = self._heads("value", [s.value for s in stack], x, (model.key_heads, model.value_width))
        q = self._norm("query_norm", [s.query_norm for s in stack], q)
        k = self._norm("key_norm", [s.key_norm for s in stack], k)
        rope = Rope(stack[0].turning.base, model.rotary, self.symbols[1], model.interleaved)
        given = [s.turning.factors for s in stack]
        present = [f for f in given if f is not None]
        factors = _stored(b, f"{self.name}.rope_factors", ("pair",), present) if present else None
        q = b.add(rope, (q, factors), f"{self.name}.query.turned")
        k = b.add(rope, (k, factors), f"{self.name}.key.turned")
        k, v = self._cached("key", k, model.key_width), self._cached("value", v, model.value_width)
        attention = Attention(
            model.attention_scale, causal=True, window=stack[0].window,
            softcap=model.attention_softcap or None,
        )  # fmt: skip
        mixed = b.add(attention, (q, k, v, None), f"{self.name}.attention")
        flat = Reshape((self.symbols[0], model.heads * model.value_width))
        return b.add(flat, (mixed,), f"{self.name}.attention.flat")
