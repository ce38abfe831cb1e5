"""GGUF → Graph, for the llama, qwen2, qwen3, gemma, gemma2 and gemma3 architectures.

Source of keys, tensor names and equations: llama.cpp (llama-arch.cpp, src/models/).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, final

import numpy as np

from netwright.errors import JobError, UnsupportedError
from netwright.frontends.decoder import DecoderLayer, DecoderModel, Product, Stored, Turning
from netwright.frontends.decoder_graph import decoder_graph
from netwright.frontends.gguf_file import GgufFile, read_gguf
from netwright.frontends.gguf_keys import Keys
from netwright.frontends.weights import Entry, Weights
from netwright.graph.format import FP32
from netwright.graph.graph import Graph
from netwright.graph.ops.function import Function
from netwright.graph.tensor import ArrayData, FileData

MOST_LAYERS: Final = 1024
MOST_WIDTH: Final = 1 << 20
MOST_CONTEXT: Final = 1 << 30


@final
@dataclass(frozen=True, slots=True)
class Architecture:
    """How one family differs from the others.

    `local` says from the file which layers see a window only, and how wide; `large_layers` is
    the depth at which its largest model scales attention by width / heads instead of head width.
    """

    interleaved: bool
    function: Function
    scales_embedding: bool = False
    local: Callable[[Keys, int], tuple[int | None, ...]] | None = None
    local_base: float | None = None
    large_layers: int | None = None
    attention_softcap: float = 0.0
    final_softcap: float = 0.0


def _every(period: int, window: int) -> Callable[[Keys, int], tuple[int | None, ...]]:
    """All layers but each `period`-th see `window` tokens, where the file says no other."""

    def local(keys: Keys, layers: int) -> tuple[int | None, ...]:
        prefix = f"{_name(keys)}.attention.sliding_window"
        width = keys.integer(prefix, 0, MOST_CONTEXT, window)
        if not width:
            return (None,) * layers
        pattern = f"{prefix}_pattern"
        if isinstance(keys.file.metadata.get(pattern), np.ndarray):
            flags = [bool(f) for f in keys.numbers(pattern, layers)]
        else:
            each = keys.integer(pattern, 1, MOST_LAYERS, period)
            flags = [i % each < each - 1 for i in range(layers)]
        return tuple(width if flag else None for flag in flags)

    return local


_SILU: Final = Function("silu")
_GELU: Final = Function("gelu_tanh")

ARCHITECTURES: Final[Mapping[str, Architecture]] = MappingProxyType(
    {
        "llama": Architecture(True, _SILU),
        "qwen2": Architecture(False, _SILU),
        "qwen3": Architecture(False, _SILU),
        "gemma": Architecture(False, _GELU, scales_embedding=True),
        "gemma2": Architecture(
            False,
            _GELU,
            scales_embedding=True,
            local=_every(2, 4096),
            large_layers=46,
            attention_softcap=50.0,
            final_softcap=30.0,
        ),
        "gemma3": Architecture(
            False,
            _GELU,
            scales_embedding=True,
            local=_every(6, 0),
            local_base=10000.0,
            large_layers=62,
        ),
    }
)


def load_gguf(path: Path, *, context: int | None = None, all_logits: bool = False) -> Graph:
    """The network of a GGUF file; its weights stay in the file, in the formats that it has.

    `context` lowers how many tokens the caches hold; by default all that the model was made for.

    Raises:
        FormatError: the file is damaged, or a key or tensor is missing or of another shape.
        UnsupportedError: an architecture, a format or a way of scaling that is not covered.
        JobError: `context` is below 1 or above what the model was made for.
    """
    return decoder_graph(read_model(read_gguf(path), context), all_logits=all_logits)


def read_model(file: GgufFile, context: int | None = None) -> DecoderModel:
    """The decoder that a GGUF file describes; see `load_gguf`."""
    keys = Keys(file)
    name = _name(keys)
    kind = ARCHITECTURES.get(name)
    if kind is None:
        raise UnsupportedError(
            f"{file.path}: general.architecture is {name!r}; covered are "
            f"{', '.join(ARCHITECTURES)}; export the model to ONNX instead"
        )
    if keys.integer(f"{name}.expert_count", 0, 1 << 16, 0):
        raise UnsupportedError(
            f"{file.path}: {name}.expert_count is above 0, and mixtures of experts are not "
            "covered here; use the model's dense variant"
        )
    tensors = file.tensors.items()
    weights = Weights(
        str(file.path),
        {
            name: Entry(t.shape, t.format, FileData(file.path, t.offset_bytes, t.size_bytes))
            for name, t in tensors
        },
    )
    model = _model(keys, kind, weights, context)
    weights.all_used()
    return model


def _name(keys: Keys) -> str:
    return keys.text("general.architecture")


def _context(keys: Keys, asked: int | None) -> int:
    most = keys.integer(f"{_name(keys)}.context_length", 1, MOST_CONTEXT)
    if asked is None:
        return most
    if not 1 <= asked <= most:
        raise JobError(
            f"{keys.file.path}: context {asked}, expected 1 to {most}, which is what the model "
            "was made for; ask for less"
        )
    return asked


def _model(keys: Keys, kind: Architecture, weights: Weights, context: int | None) -> DecoderModel:
    name = _name(keys)
    num_layers = keys.integer(f"{name}.block_count", 1, MOST_LAYERS)
    width = keys.integer(f"{name}.embedding_length", 1, MOST_WIDTH)
    heads = keys.integer(f"{name}.attention.head_count", 1, MOST_WIDTH)
    key_heads = keys.integer(f"{name}.attention.head_count_kv", 1, heads, heads)
    if heads % key_heads:
        raise keys.wrong(f"{name}.attention.head_count_kv", key_heads, f"a divisor of {heads}")
    head = max(1, width // heads)
    key_width = keys.integer(f"{name}.attention.key_length", 1, MOST_WIDTH, head)
    value_width = keys.integer(f"{name}.attention.value_length", 1, MOST_WIDTH, head)
    rotary = keys.integer(f"{name}.rope.dimension_count", 2, key_width, key_width)
    if rotary % 2:
        raise keys.wrong(f"{name}.rope.dimension_count", rotary, "an even number")
    held = _context(keys, context)
    windows = kind.local(keys, num_layers) if kind.local else (None,) * num_layers
    far, near = _turnings(keys, kind, weights, rotary)
    scaled_by = width // heads if num_layers == kind.large_layers else key_width
    embedding = weights.matrix("token_embd.weight", None, width)
    output = weights.find("output.weight", embedding.shape)
    sizes = _Sizes(width, heads, key_heads, key_width, value_width)
    return DecoderModel(
        name=_shown(keys.text("general.name", ""), keys.file.path.stem),
        context=held,
        width=width,
        heads=heads,
        key_heads=key_heads,
        key_width=key_width,
        value_width=value_width,
        rotary=rotary,
        interleaved=kind.interleaved,
        epsilon=keys.number(f"{name}.attention.layer_norm_rms_epsilon"),
        function=kind.function,
        attention_scale=keys.number(f"{name}.attention.scale", scaled_by**-0.5),
        attention_softcap=keys.number(f"{name}.attn_logit_softcapping", kind.attention_softcap),
        final_softcap=keys.number(f"{name}.final_logit_softcapping", kind.final_softcap),
        embedding=embedding,
        embedding_scale=math.sqrt(width) if kind.scales_embedding else 0.0,
        output_norm=weights.vector("output_norm.weight", width),
        output=None if output is None else Product(output, None),
        layers=tuple(
            _layer(weights, f"blk.{i}", sizes, near if window else far, _useful(window, held))
            for i, window in enumerate(windows)
        ),
        metadata=_metadata(keys),
    )


def _shown(name: str, otherwise: str) -> str:
    """A name from outside, where it is fit to be printed."""
    return name if 0 < len(name) <= 128 and name.isprintable() else otherwise


def _useful(window: int | None, context: int) -> int | None:
    """A window as wide as the context hides nothing."""
    return window if window is not None and window < context else None


@final
@dataclass(frozen=True, slots=True)
class _Sizes:
    width: int
    heads: int
    key_heads: int
    key_width: int
    value_width: int


def _layer(
    weights: Weights, name: str, sizes: _Sizes, turning: Turning, window: int | None
) -> DecoderLayer:
    width, keys = sizes.width, sizes.key_heads
    gate = weights.product(f"{name}.ffn_gate", None, width)
    hidden = gate.weight.shape[0]
    norm = weights.find
    return DecoderLayer(
        attention_norm=weights.vector(f"{name}.attn_norm.weight", width),
        query=weights.product(f"{name}.attn_q", sizes.heads * sizes.key_width, width),
        key=weights.product(f"{name}.attn_k", keys * sizes.key_width, width),
        value=weights.product(f"{name}.attn_v", keys * sizes.value_width, width),
        query_norm=norm(f"{name}.attn_q_norm.weight", (sizes.key_width,)),
        key_norm=norm(f"{name}.attn_k_norm.weight", (sizes.key_width,)),
        attention_output=weights.product(
            f"{name}.attn_output", width, sizes.heads * sizes.value_width
        ),
        attention_post_norm=norm(f"{name}.post_attention_norm.weight", (width,)),
        feed_norm=weights.vector(f"{name}.ffn_norm.weight", width),
        gate=gate,
        up=weights.product(f"{name}.ffn_up", hidden, width),
        down=weights.product(f"{name}.ffn_down", width, hidden),
        feed_post_norm=norm(f"{name}.post_ffw_norm.weight", (width,)),
        turning=turning,
        window=window,
    )


def _turnings(
    keys: Keys, kind: Architecture, weights: Weights, rotary: int
) -> tuple[Turning, Turning]:
    """The rotary embedding of layers that see everything, and of those with a window."""
    name = _name(keys)
    base = keys.number(f"{name}.rope.freq_base", 10000.0)
    if base <= 0:
        raise keys.wrong(f"{name}.rope.freq_base", base, "a number above 0")
    factors = weights.find("rope_freqs.weight", (rotary // 2,))
    far = Turning(base, _scaled(keys, factors, rotary // 2))
    if kind.local is None:
        return far, far
    default = base if kind.local_base is None else kind.local_base
    near = keys.number(f"{name}.rope.freq_base_swa", default)
    return far, Turning(near, None if kind.local_base is not None else far.factors)


def _scaled(keys: Keys, factors: Stored | None, pairs: int) -> Stored | None:
    """The divisors of the angles, with linear scaling of the positions put into them."""
    name = _name(keys)
    way = keys.text(f"{name}.rope.scaling.type", "none")
    factor = keys.number(f"{name}.rope.scale_linear", 1.0)
    if way == "linear":
        factor = keys.number(f"{name}.rope.scaling.factor")
    elif way != "none":
        raise UnsupportedError(
            f"{keys.file.path}: {name}.rope.scaling.type is {way!r}; covered are none and linear; "
            "use the model without context extension"
        )
    if factor <= 0:
        raise keys.wrong(f"{name}.rope.scaling.factor", factor, "a number above 0")
    if factor == 1:
        return factors
    if factors is not None:
        raise UnsupportedError(
            f"{keys.file.path}: linear rope scaling together with rope_freqs.weight; use one"
        )
    values = np.full(pairs, factor, np.float32)
    return Stored("rope_factors", (pairs,), FP32, ArrayData(values.view(np.uint8)))


def _metadata(keys: Keys) -> tuple[tuple[str, str], ...]:
    kept = [("source", str(keys.file.path))]
    for key, value in keys.file.metadata.items():
        short = isinstance(value, str) and len(value) <= 256
        if short or isinstance(value, int | float):
            kept.append((key, str(value)))
    return tuple(kept)
