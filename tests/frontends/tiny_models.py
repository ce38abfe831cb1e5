"""Tiny random models as GGUF files, one for each architecture; used to ask llama.cpp and us."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.frontends.gguf_types import TENSOR_TYPE_OF_FORMAT
from netwright.frontends.gguf_write import GgufData, write_gguf
from netwright.graph.format import format_of

WIDTH, HEADS, KEY_HEADS, HIDDEN, VOCABULARY, CONTEXT = 64, 4, 2, 96, 288, 64
PROMPT = tuple(int(i) for i in np.random.default_rng(5).integers(20, VOCABULARY, 24))

# architecture → layers, head width, extra metadata (without the architecture's prefix)
ARCHITECTURES: dict[str, tuple[int, int, dict[str, Any]]] = {
    "llama": (3, 16, {"rope.freq_base": 50000.0}),
    "qwen2": (3, 16, {"rope.freq_base": 1e6, "rope.scaling.type": "linear",
                      "rope.scaling.factor": 2.0}),
    "qwen3": (3, 32, {"rope.freq_base": 1e6}),
    "gemma": (3, 32, {}),
    "gemma2": (26, 32, {"attention.sliding_window": 6}),
    "gemma3": (7, 32, {"attention.sliding_window": 6, "rope.freq_base": 1e6}),
}  # fmt: skip


def arrays(name: str) -> dict[str, NDArray[np.float32]]:
    """The model's tensors, the same for ever."""
    layers, head, _ = ARCHITECTURES[name]
    rng = np.random.default_rng(sum(name.encode()))

    def matrix(outputs: int, inputs: int) -> NDArray[np.float32]:
        return (rng.standard_normal((outputs, inputs)) * inputs**-0.5).astype(np.float32)

    def vector(size: int, middle: float) -> NDArray[np.float32]:
        return (middle + 0.2 * rng.standard_normal(size)).astype(np.float32)

    found = {"token_embd.weight": matrix(VOCABULARY, WIDTH), "output_norm.weight": vector(WIDTH, 1)}
    if name in ("llama", "qwen2"):
        found["output.weight"] = matrix(VOCABULARY, WIDTH)
    for i in range(layers):
        sizes = {
            "attn_q": (HEADS * head, WIDTH),
            "attn_k": (KEY_HEADS * head, WIDTH),
            "attn_v": (KEY_HEADS * head, WIDTH),
            "attn_output": (WIDTH, HEADS * head),
            "ffn_gate": (HIDDEN, WIDTH),
            "ffn_up": (HIDDEN, WIDTH),
            "ffn_down": (WIDTH, HIDDEN),
        }
        # sharper attention, so that positions and windows matter
        gain = {"attn_q": 2.0, "attn_k": 2.0}
        for part, (outputs, inputs) in sizes.items():
            found[f"blk.{i}.{part}.weight"] = matrix(outputs, inputs) * gain.get(part, 1.0)
        found[f"blk.{i}.attn_norm.weight"] = vector(WIDTH, 1)
        found[f"blk.{i}.ffn_norm.weight"] = vector(WIDTH, 1)
        if name == "qwen2":
            for part in ("attn_q", "attn_k", "attn_v"):
                found[f"blk.{i}.{part}.bias"] = vector(sizes[part][0], 0)
        if name in ("qwen3", "gemma3"):
            found[f"blk.{i}.attn_q_norm.weight"] = vector(head, 1)
            found[f"blk.{i}.attn_k_norm.weight"] = vector(head, 1)
        if name in ("gemma2", "gemma3"):
            found[f"blk.{i}.post_attention_norm.weight"] = vector(WIDTH, 1)
            found[f"blk.{i}.post_ffw_norm.weight"] = vector(WIDTH, 1)
    return found


def metadata(name: str) -> dict[str, Any]:
    """Keys of the model and of a byte vocabulary that llama.cpp accepts."""
    layers, head, extra = ARCHITECTURES[name]
    tokens = [*(f"<{i}>" for i in range(VOCABULARY - 1)), "<0><1>"]
    sizes: dict[str, Any] = {
        "block_count": layers,
        "context_length": CONTEXT,
        "embedding_length": WIDTH,
        "feed_forward_length": HIDDEN,
        "attention.head_count": HEADS,
        "attention.head_count_kv": KEY_HEADS,
        "attention.key_length": head,
        "attention.value_length": head,
        "attention.layer_norm_rms_epsilon": 1e-6,
        **extra,
    }
    return {
        "general.architecture": name,
        "general.name": f"tiny {name}",
        **{f"{name}.{key}": value for key, value in sizes.items()},
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": np.ones(VOCABULARY, np.int32),
        "tokenizer.ggml.merges": ["<0> <1>"],
        "tokenizer.ggml.bos_token_id": 0,
        "tokenizer.ggml.eos_token_id": 1,
        "tokenizer.ggml.add_bos_token": False,
    }


def encoded(name: str, array: NDArray[np.float32], form: str) -> GgufData:
    """A tensor in a format; vectors, and rows that do not fit its block, stay fp32."""
    block = TENSOR_TYPE_OF_FORMAT[form].block_elements
    form = "fp32" if array.ndim == 1 or array.shape[1] % block else form
    raw = format_of(form).encode(np.atleast_2d(array).astype(np.float64))
    return GgufData(name, array.shape, form, raw.reshape(-1))


def write(path: Path, name: str, form: str = "fp32") -> Path:
    """The whole model of this architecture as a file."""
    write_gguf(path, metadata(name), [encoded(n, a, form) for n, a in arrays(name).items()])
    return path
