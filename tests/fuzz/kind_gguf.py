"""GGUF files: two small models with a vocabulary and a chat template."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from netwright.errors import NetwrightError
from netwright.frontends.gguf import load_gguf
from netwright.frontends.gguf_file import Strings, read_gguf
from netwright.frontends.gguf_write import GgufData, Written, write_gguf
from netwright.graph.format import format_of
from netwright.run.generate.chat import Message
from netwright.run.generate.load import gguf_chat_template, gguf_tokeniser

from .kind import Kind
from .mutate_gguf import mutate_gguf

_TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m.content | trim }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def _model(path: Path, vocabulary: dict[str, Written], form: str) -> Path:
    width, hidden, layers, tokens = 32, 64, 2, 64
    metadata: dict[str, Written] = {
        "general.architecture": "llama",
        "general.name": "tiny",
        "llama.block_count": layers,
        "llama.context_length": 128,
        "llama.embedding_length": width,
        "llama.feed_forward_length": hidden,
        "llama.attention.head_count": 4,
        "llama.attention.head_count_kv": 2,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": 8,
        "llama.rope.freq_base": 10000.0,
        "llama.vocab_size": tokens,
        "tokenizer.chat_template": _TEMPLATE,
        **vocabulary,
    }
    shapes = {"token_embd.weight": (tokens, width), "output_norm.weight": (width,)}
    for i in range(layers):
        shapes |= {
            f"blk.{i}.attn_norm.weight": (width,),
            f"blk.{i}.attn_q.weight": (width, width),
            f"blk.{i}.attn_k.weight": (width // 2, width),
            f"blk.{i}.attn_v.weight": (width // 2, width),
            f"blk.{i}.attn_output.weight": (width, width),
            f"blk.{i}.ffn_norm.weight": (width,),
            f"blk.{i}.ffn_gate.weight": (hidden, width),
            f"blk.{i}.ffn_up.weight": (hidden, width),
            f"blk.{i}.ffn_down.weight": (width, hidden),
        }
    random = np.random.default_rng(0)
    tensors: list[GgufData] = []
    for name, shape in shapes.items():
        written = format_of(form if len(shape) == 2 else "fp32")
        raw = written.encode(random.standard_normal(shape) / 8).reshape(-1)
        tensors.append(GgufData(name, shape, written.name, raw))
    write_gguf(path, metadata, tensors)
    return path


def tiny_models(folder: Path) -> list[Path]:
    """Two llamas of 15 thousand weights: a bytewise vocabulary in Q4_1, a scored one in Q8_0."""
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    pairs = [a + b for a, b in pairwise(letters)]
    bytewise = ["<s>", "</s>", *letters, "Ġ", *pairs]
    scored = ["<unk>", "<s>", "</s>", "\u2581", *letters, *(f"<0x{i:02X}>" for i in range(34))]
    return [
        _model(
            folder / "bytes.gguf",
            {
                "tokenizer.ggml.model": "gpt2",
                "tokenizer.ggml.pre": "default",
                "tokenizer.ggml.tokens": (bytewise + ["x" * n for n in range(2, 12)])[:64],
                "tokenizer.ggml.token_type": np.array([3, 3] + [1] * 62, np.int32),
                "tokenizer.ggml.merges": [f"{p[0]} {p[1]}" for p in pairs],
                "tokenizer.ggml.bos_token_id": 0,
                "tokenizer.ggml.eos_token_id": 1,
            },
            "q4_1",
        ),
        _model(
            folder / "scores.gguf",
            {
                "tokenizer.ggml.model": "llama",
                "tokenizer.ggml.tokens": scored[:64],
                "tokenizer.ggml.scores": np.linspace(0, -60, 64, dtype=np.float32),
                "tokenizer.ggml.token_type": np.array([2, 3, 3] + [1] * 27 + [6] * 34, np.int32),
                "tokenizer.ggml.bos_token_id": 1,
                "tokenizer.ggml.eos_token_id": 2,
            },
            "q8_0",
        ),
    ]


def _load(path: Path) -> None:
    """Every use is tried; the first refusal is what counts."""
    refusals: list[NetwrightError] = []
    for use in (_read, _decode, _tokenise, _talk, _graph):
        try:
            use(path)
        except NetwrightError as error:
            refusals.append(error)
    if refusals:
        raise refusals[0]


def _read(path: Path) -> None:
    for value in read_gguf(path).metadata.values():
        if isinstance(value, Strings):
            list(value)


def _decode(path: Path) -> None:
    """Every tensor's bytes as numbers, whatever they say."""
    data = np.fromfile(path, np.uint8)
    for tensor in read_gguf(path).tensors.values():
        raw = data[tensor.offset_bytes : tensor.offset_bytes + tensor.size_bytes]
        with np.errstate(all="ignore"):
            format_of(tensor.format).decode(raw)


def _graph(path: Path) -> None:
    load_gguf(path)


def _tokenise(path: Path) -> None:
    tokeniser = gguf_tokeniser(read_gguf(path))
    tokeniser.decode(tokeniser.encode_prompt("ab cde <s> xyz\n"))


def _talk(path: Path) -> None:
    template = gguf_chat_template(read_gguf(path))
    if template is not None:
        template.render([Message("user", "hello")])


GGUF = Kind("gguf", ".gguf", tiny_models, _load, edit=mutate_gguf)
