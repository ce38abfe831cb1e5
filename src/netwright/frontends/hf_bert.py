"""Hugging Face config.json + safetensors → Graph: bert encoders and sentence embedders.

Source of keys, names and equations: `transformers` (modeling_bert.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from netwright.errors import FormatError, JobError, UnsupportedError
from netwright.frontends.decoder import Product, Stored
from netwright.frontends.hf_decoder import function_of
from netwright.frontends.hf_folder import (
    Config,
    read_config,
    read_weights,
)
from netwright.frontends.hf_sentence import PooledSizes, sentence
from netwright.frontends.weights import Weights
from netwright.graph.build import Builder
from netwright.graph.format import INT64
from netwright.graph.graph import Graph
from netwright.graph.ops.attention import Attention
from netwright.graph.ops.elementwise import Binary, Cast, Unary
from netwright.graph.ops.function import IDENTITY, Function
from netwright.graph.ops.linear import Linear
from netwright.graph.ops.movement import Gather, Reshape
from netwright.graph.ops.norm import LayerNorm
from netwright.graph.tensor import FileData, TensorId

DEFAULT_TOKENS: Final = 128
MOST_BATCH: Final = 1 << 16
# What hides a key: its weight in fp32 is exactly 0, and 1 * HIDDEN - HIDDEN is exactly 0.
HIDDEN: Final = 1e9

_MOST: Final = 1 << 24


@final
@dataclass(frozen=True, slots=True)
class _Norm:
    scale: Stored
    bias: Stored


@final
@dataclass(frozen=True, slots=True)
class _Layer:
    query: Product
    key: Product
    value: Product
    attention_output: Product
    attention_norm: _Norm
    up: Product
    down: Product
    feed_norm: _Norm


@final
@dataclass(frozen=True, slots=True)
class _Sizes:
    """`batch` texts of `tokens` tokens each, of `width` in `heads` heads."""

    batch: int
    tokens: int
    width: int
    heads: int
    epsilon: float
    function: Function


def load_hf_bert(folder: Path, dims: Mapping[str, int]) -> Graph:
    """The encoder of a folder whose `model_type` is "bert".

    `dims` may bind `batch` (1) and `n_tokens` (128, at most the model's positions). Inputs, all
    int64 [batch, n_tokens]: `input_ids`, `attention_mask` (1 where a token is, 0 where padding
    is), `token_type_ids`. Outputs: `last_hidden_state` [batch, n_tokens, width] and, where
    modules.json describes one, `sentence_embedding` [batch, width].

    Raises:
        FormatError: a file is damaged, or a key or tensor is missing or of another shape.
        UnsupportedError: a variant that is not covered.
        JobError: a size in `dims` is unknown or out of range.
    """
    config, weights = read_config(folder), read_weights(folder)
    positions = config.integer("max_position_embeddings", 1, _MOST)
    sizes = _sizes(config, dims, positions)
    b = Builder(folder.resolve().parent.name if folder.name == "model" else folder.name)
    b.metadata("source", str(config.path))
    shape = (("text", sizes.batch), ("token", sizes.tokens))
    ids, mask, kinds = (
        b.input(name, shape, INT64) for name in ("input_ids", "attention_mask", "token_type_ids")
    )
    present = b.add(Cast("float"), (mask,), "present")
    encoder = _Encoder(b, config, _with_prefix(weights), sizes)
    x = encoder.embed(ids, kinds, positions)
    x = encoder.layers(x, _hiding(b, present, sizes))
    outputs = [x]
    if (folder / "modules.json").is_file():
        outputs.append(
            sentence(b, folder, x, present, PooledSizes(sizes.batch, sizes.tokens, sizes.width))
        )
    weights.all_used(("position_ids", "pooler.dense.weight", "pooler.dense.bias"))
    return b.finish(outputs)


def _sizes(config: Config, dims: Mapping[str, int], positions: int) -> _Sizes:
    known = {"batch": (1, MOST_BATCH), "n_tokens": (min(DEFAULT_TOKENS, positions), positions)}
    for name, value in dims.items():
        if name not in known or not 1 <= value <= known[name][1]:
            expected = ", ".join(f"{n} from 1 to {most}" for n, (_, most) in known.items())
            raise JobError(f"{config.path}: dims give {name} = {value}, expected {expected}")
    kind = config.text("position_embedding_type", "absolute")
    if kind != "absolute":
        raise UnsupportedError(
            f"{config.path}: position_embedding_type is {kind!r}, covered is absolute"
        )
    width = config.integer("hidden_size", 1, _MOST)
    heads = config.integer("num_attention_heads", 1, width)
    if width % heads:
        raise FormatError(f"{config.path}: hidden_size {width} is no multiple of {heads} heads")
    return _Sizes(
        dims.get("batch", known["batch"][0]),
        dims.get("n_tokens", known["n_tokens"][0]),
        width,
        heads,
        config.number("layer_norm_eps", 1e-12),
        function_of(config),
    )


@final
@dataclass(frozen=True, slots=True)
class _Prefixed:
    """Weights whose names may all begin with the model's own name."""

    weights: Weights
    prefix: str

    def vector(self, name: str, size: int) -> Stored:
        return self.weights.vector(self.prefix + name, size)

    def matrix(self, name: str, outputs: int | None, inputs: int) -> Stored:
        return self.weights.matrix(self.prefix + name, outputs, inputs)

    def product(self, name: str, outputs: int, inputs: int) -> Product:
        return self.weights.product(self.prefix + name, outputs, inputs)

    def norm(self, name: str, width: int) -> _Norm:
        return _Norm(self.vector(f"{name}.weight", width), self.vector(f"{name}.bias", width))


def _with_prefix(weights: Weights) -> _Prefixed:
    found = weights.find("bert.embeddings.word_embeddings.weight", (None, None))
    return _Prefixed(weights, "" if found is None else "bert.")


def _hiding(b: Builder, present: TensorId, sizes: _Sizes) -> TensorId:
    """0 where a token is, -1e9 where padding is; [batch, 1, 1, n_tokens]."""
    added = b.add(Unary(Function("scale", HIDDEN, -HIDDEN)), (present,), "hiding.flat")
    return b.add(Reshape((sizes.batch, 1, 1, sizes.tokens)), (added,), "hiding")


@final
@dataclass(frozen=True, slots=True)
class _Encoder:
    """Writes the encoder into a builder."""

    builder: Builder
    config: Config
    weights: _Prefixed
    sizes: _Sizes

    def embed(self, ids: TensorId, kinds: TensorId, positions: int) -> TensorId:
        """Words, places and kinds of text, added and normed."""
        b, width, weights = self.builder, self.sizes.width, self.weights
        words = weights.matrix("embeddings.word_embeddings.weight", None, width)
        places = weights.matrix("embeddings.position_embeddings.weight", positions, width)
        types = weights.matrix("embeddings.token_type_embeddings.weight", None, width)
        x = b.add(Gather(), (self.stored("words", [words]), ids), "embed.words")
        kind = b.add(Gather(), (self.stored("kinds", [types]), kinds), "embed.kinds")
        x = b.add(Binary("add"), (x, kind), "embed.words_kinds")
        place = self.stored("places", [_first_rows(places, self.sizes.tokens)])
        x = b.add(Binary("add"), (x, place), "embed.sum")
        return self.norm("embed", [weights.norm("embeddings.LayerNorm", width)], x)

    def layers(self, x: TensorId, hiding: TensorId) -> TensorId:
        """All layers, folded into one block."""
        count = self.config.integer("num_hidden_layers", 1, 1024)
        stack = [self._read(i) for i in range(count)]
        with self.builder.block("layers", count) as block:
            inside = block.carry(x)
            attended = self._attention(stack, inside, hiding)
            block.update(inside, self._feed(stack, attended))
        return self._named_last(block.last(inside))

    def _named_last(self, x: TensorId) -> TensorId:
        size = self.sizes
        shape = (size.batch, size.tokens, size.width)
        return self.builder.add(Reshape(shape), (x,), "last_hidden_state")

    def _read(self, index: int) -> _Layer:
        width, name = self.sizes.width, f"encoder.layer.{index}"
        hidden = self.config.integer("intermediate_size", 1, _MOST)
        own, product, norm = f"{name}.attention.self", self.weights.product, self.weights.norm
        return _Layer(
            product(f"{own}.query", width, width),
            product(f"{own}.key", width, width),
            product(f"{own}.value", width, width),
            product(f"{name}.attention.output.dense", width, width),
            norm(f"{name}.attention.output.LayerNorm", width),
            product(f"{name}.intermediate.dense", hidden, width),
            product(f"{name}.output.dense", width, hidden),
            norm(f"{name}.output.LayerNorm", width),
        )

    def _attention(self, stack: Sequence[_Layer], x: TensorId, hiding: TensorId) -> TensorId:
        b, size = self.builder, self.sizes
        shape = (size.batch, size.tokens, size.heads, size.width // size.heads)
        q, k, v = (
            b.add(Reshape(shape), (self.product(name, products, x),), f"layer.{name}.heads")
            for name, products in (
                ("query", [s.query for s in stack]),
                ("key", [s.key for s in stack]),
                ("value", [s.value for s in stack]),
            )
        )
        scale = (size.width // size.heads) ** -0.5
        mixed = b.add(Attention(scale), (q, k, v, hiding), "layer.attention")
        flat = Reshape((size.batch, size.tokens, size.width))
        mixed = b.add(flat, (mixed,), "layer.attention.flat")
        x = self.product("attention.output", [s.attention_output for s in stack], mixed, x)
        return self.norm("layer.attention", [s.attention_norm for s in stack], x)

    def _feed(self, stack: Sequence[_Layer], x: TensorId) -> TensorId:
        units = self.product("up", [s.up for s in stack], x, None, self.sizes.function)
        x = self.product("down", [s.down for s in stack], units, x)
        return self.norm("layer.feed", [s.feed_norm for s in stack], x)

    def stored(self, name: str, weights: Sequence[Stored]) -> TensorId:
        dims = {1: ("width",), 2: ("row", "width")}[len(weights[0].shape)]
        named = tuple(zip(dims, weights[0].shape, strict=True))
        return self.builder.stored(name, named, weights[0].format, [w.data for w in weights])

    def product(
        self,
        name: str,
        products: Sequence[Product],
        x: TensorId,
        residual: TensorId | None = None,
        function: Function = IDENTITY,
    ) -> TensorId:
        weight = self.stored(f"layer.{name}.weight", [p.weight for p in products])
        biases = [p.bias for p in products if p.bias is not None]
        bias = self.stored(f"layer.{name}.bias", biases) if biases else None
        kind = Linear(function=function)
        return self.builder.add(kind, (x, weight, bias, residual), f"layer.{name}")

    def norm(self, name: str, norms: Sequence[_Norm], x: TensorId) -> TensorId:
        scale = self.stored(f"{name}.norm.scale", [n.scale for n in norms])
        bias = self.stored(f"{name}.norm.bias", [n.bias for n in norms])
        kind = LayerNorm(1, self.sizes.epsilon)
        return self.builder.add(kind, (x, scale, bias), f"{name}.norm")


def _first_rows(table: Stored, rows: int) -> Stored:
    """The first rows of a table in a file: fewer bytes from the same place."""
    assert isinstance(table.data, FileData)
    size = rows * table.format.row_bytes(table.shape[1])
    data = FileData(table.data.path, table.data.offset_bytes, size)
    return Stored(table.name, (rows, table.shape[1]), table.format, data)
