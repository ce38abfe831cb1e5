"""Hugging Face config.json + safetensors → Graph: llama, mistral, qwen2 and qwen3.

Source of keys, names and equations: the `transformers` library (modeling_llama.py and siblings).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import numpy as np

from netwright.errors import FormatError, JobError, UnsupportedError
from netwright.frontends.decoder import DecoderLayer, DecoderModel, Product, Stored, Turning
from netwright.frontends.decoder_graph import decoder_graph
from netwright.frontends.hf_folder import Config, read_config, read_weights
from netwright.frontends.weights import Weights
from netwright.graph.format import FP32
from netwright.graph.graph import Graph
from netwright.graph.ops.function import Function
from netwright.graph.tensor import ArrayData

DECODERS: Final = ("llama", "mistral", "qwen2", "qwen3")

_MOST: Final = 1 << 30
_FUNCTIONS: Final = {
    "silu": "silu",
    "gelu": "gelu",
    "relu": "relu",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_new": "gelu_tanh",
}


def load_hf_decoder(folder: Path, *, context: int | None = None, all_logits: bool = False) -> Graph:
    """The network of a folder whose `model_type` is in DECODERS; see `decoder_graph`.

    Raises:
        FormatError: a file is damaged, or a key or tensor is missing or of another shape.
        UnsupportedError: a variant that is not covered.
        JobError: `context` is below 1 or above what the model was made for.
    """
    config, weights = read_config(folder), read_weights(folder)
    model = _model(config, weights, context)
    weights.all_used(("rotary_emb.inv_freq", "lm_head.weight"))
    return decoder_graph(model, all_logits=all_logits)


def function_of(config: Config) -> Function:
    """The activation that `hidden_act` names."""
    name = config.text("hidden_act")
    known = _FUNCTIONS.get(name)
    if known is None:
        raise UnsupportedError(
            f"{config.path}: hidden_act is {name!r}; covered are {', '.join(_FUNCTIONS)}"
        )
    return Function(known)


def _model(config: Config, weights: Weights, context: int | None) -> DecoderModel:
    width = config.integer("hidden_size", 1, _MOST)
    heads = config.integer("num_attention_heads", 1, _MOST)
    key_heads = config.integer("num_key_value_heads", 1, heads, heads)
    if heads % key_heads:
        raise UnsupportedError(f"{config.path}: {heads} heads do not share {key_heads} key heads")
    head = config.integer("head_dim", 2, _MOST, max(2, width // heads))
    held = config.integer("max_position_embeddings", 1, _MOST)
    if context is not None:
        if not 1 <= context <= held:
            raise JobError(f"{config.path}: context {context}, expected 1 to {held}; ask for less")
        held = context
    turning = _turning(config, head)
    table = weights.matrix("model.embed_tokens.weight", None, width)
    tied = config.boolean("tie_word_embeddings", default=False)
    output = None if tied else weights.product("lm_head", table.shape[0], width)
    num_layers = config.integer("num_hidden_layers", 1, 1024)
    windows = _windows(config, num_layers, held)
    sizes = (width, config.integer("intermediate_size", 1, _MOST), heads, key_heads, head)
    return DecoderModel(
        name=config.path.parent.name,
        context=held,
        width=width,
        heads=heads,
        key_heads=key_heads,
        key_width=head,
        value_width=head,
        rotary=head,
        interleaved=False,
        epsilon=config.number("rms_norm_eps", 1e-6),
        function=function_of(config),
        attention_scale=head**-0.5,
        attention_softcap=0.0,
        final_softcap=0.0,
        embedding=table,
        embedding_scale=0.0,
        output_norm=weights.vector("model.norm.weight", width),
        output=output,
        layers=tuple(
            _layer(weights, f"model.layers.{i}", sizes, turning, window)
            for i, window in enumerate(windows)
        ),
        metadata=(("source", str(config.path)), ("model_type", config.text("model_type"))),
    )


def _windows(config: Config, num_layers: int, context: int) -> tuple[int | None, ...]:
    used = config.boolean("use_sliding_window", default=config.text("model_type") == "mistral")
    window = config.integer("sliding_window", 1, _MOST, _MOST)
    if not used or window >= context:
        return (None,) * num_layers
    first = config.integer("max_window_layers", 0, num_layers, 0)
    return tuple(window if i >= first else None for i in range(num_layers))


def _layer(
    weights: Weights,
    name: str,
    sizes: tuple[int, int, int, int, int],
    turning: Turning,
    window: int | None,
) -> DecoderLayer:
    width, hidden, heads, key_heads, head = sizes
    attention, feed = f"{name}.self_attn", f"{name}.mlp"

    def product(part: str, outputs: int, inputs: int) -> Product:
        return weights.product(part, outputs, inputs)

    return DecoderLayer(
        attention_norm=weights.vector(f"{name}.input_layernorm.weight", width),
        query=product(f"{attention}.q_proj", heads * head, width),
        key=product(f"{attention}.k_proj", key_heads * head, width),
        value=product(f"{attention}.v_proj", key_heads * head, width),
        query_norm=weights.find(f"{attention}.q_norm.weight", (head,)),
        key_norm=weights.find(f"{attention}.k_norm.weight", (head,)),
        attention_output=product(f"{attention}.o_proj", width, heads * head),
        attention_post_norm=None,
        feed_norm=weights.vector(f"{name}.post_attention_layernorm.weight", width),
        gate=product(f"{feed}.gate_proj", hidden, width),
        up=product(f"{feed}.up_proj", hidden, width),
        down=product(f"{feed}.down_proj", width, hidden),
        feed_post_norm=None,
        turning=turning,
        window=window,
    )


def _turning(config: Config, head: int) -> Turning:
    """The rotary embedding, its scaling as divisors of the angles."""
    base = config.number("rope_theta", 10000.0)
    if base <= 0:
        raise FormatError(f"{config.path}: rope_theta is {base}, expected a number above 0")
    scaling = config.section("rope_scaling")
    way = scaling.text("rope_type", scaling.text("type", "default"))
    pairs = head // 2
    if way == "default":
        return Turning(base, None)
    if way == "linear":
        factor = scaling.number("factor")
        if factor <= 0:
            raise FormatError(f"{config.path}: rope_scaling factor {factor}, expected above 0")
        factors = np.full(pairs, factor, np.float32)
    elif way == "llama3":
        factors = _llama3_factors(scaling, base, head)
    else:
        raise UnsupportedError(
            f"{config.path}: rope_scaling is {way!r}; covered are linear and llama3; "
            "use the model without context extension"
        )
    data = ArrayData(factors.astype(np.float32).view(np.uint8))
    return Turning(base, Stored("rope_factors", (pairs,), FP32, data))


def _llama3_factors(scaling: Config, base: float, head: int) -> np.ndarray:
    """Source: transformers, modeling_rope_utils.py, _compute_llama3_parameters."""
    factor, original = scaling.number("factor"), scaling.number("original_max_position_embeddings")
    low, high = scaling.number("low_freq_factor"), scaling.number("high_freq_factor")
    if factor <= 0 or high <= low:
        raise FormatError(
            f"{scaling.path}: rope_scaling has factor {factor}, low_freq_factor {low} and "
            f"high_freq_factor {high}; expected factor above 0 and low below high"
        )
    frequency = base ** (-np.arange(0, head, 2) / head)
    turns = original * frequency / (2 * math.pi)
    smooth = np.clip((turns - low) / (high - low), 0, 1)
    return 1 / ((1 - smooth) / factor + smooth)
