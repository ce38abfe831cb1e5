"""Write a random llama in any GGUF format: python -m benchmarks.networks.random_llama q4_0 x.gguf.

Blocks are drawn from a pool that was encoded once, so that half a billion weights take seconds.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from netwright.frontends.gguf_types import TENSOR_TYPE_OF_FORMAT
from netwright.frontends.gguf_write import GgufData, write_gguf
from netwright.graph.format import format_of

POOL_BLOCKS: Final = 4096


@final
@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of a llama with a tied head; `parameters` counts its weights."""

    width: int
    layers: int
    heads: int
    key_heads: int
    hidden: int
    vocabulary: int
    context: int = 4096

    @property
    def head(self) -> int:
        return self.width // self.heads

    @property
    def parameters(self) -> int:
        keys = self.key_heads * self.head
        layer = 2 * self.width * (self.width + keys) + 3 * self.width * self.hidden
        return self.vocabulary * self.width + self.layers * (layer + 2 * self.width) + self.width


# All sizes are multiples of 256, the block of the k and ternary formats.
LLAMA_450M: Final = Sizes(1024, 27, 16, 8, 4096, 32000)


def write_random_llama(
    path: Path, sizes: Sizes, form: str, *, head: str = "", seed: int = 0
) -> Path:
    """Matrices in `form`, the embedding (also the head) in `head` or else `form`, norms fp32."""
    rng = np.random.default_rng(seed)
    pools = {name: _pool(name, sizes.width, rng) for name in {form, head or form}}
    tensors = list(_tensors(sizes, form, head or form, pools, rng))
    write_gguf(path, _metadata(sizes, form), tensors)
    return path


def _pool(form: str, width: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Encoded blocks [POOL_BLOCKS, block bytes] of normal values of variance 1 / width."""
    block = TENSOR_TYPE_OF_FORMAT[form].block_elements
    values = rng.standard_normal((POOL_BLOCKS, block)) * width**-0.5
    return format_of(form).encode(values)


def _tensors(
    sizes: Sizes,
    form: str,
    head: str,
    pools: dict[str, NDArray[np.uint8]],
    rng: np.random.Generator,
) -> Iterator[GgufData]:
    def matrix(name: str, outputs: int, inputs: int, form: str) -> GgufData:
        blocks = outputs * inputs // TENSOR_TYPE_OF_FORMAT[form].block_elements
        chosen = rng.integers(0, POOL_BLOCKS, blocks, np.uint16)
        return GgufData(name, (outputs, inputs), form, pools[form][chosen].reshape(-1))

    def norm(name: str) -> GgufData:
        ones = np.ones(sizes.width, np.float32)
        return GgufData(name, (sizes.width,), "fp32", ones.view(np.uint8))

    width, keys = sizes.width, sizes.key_heads * sizes.head
    yield matrix("token_embd.weight", sizes.vocabulary, width, head)
    for i in range(sizes.layers):
        yield norm(f"blk.{i}.attn_norm.weight")
        yield norm(f"blk.{i}.ffn_norm.weight")
        for part, outputs, inputs in (
            ("attn_q", width, width),
            ("attn_k", keys, width),
            ("attn_v", keys, width),
            ("attn_output", width, width),
            ("ffn_gate", sizes.hidden, width),
            ("ffn_up", sizes.hidden, width),
            ("ffn_down", width, sizes.hidden),
        ):
            yield matrix(f"blk.{i}.{part}.weight", outputs, inputs, form)
    yield norm("output_norm.weight")


def _metadata(sizes: Sizes, form: str) -> dict[str, Any]:
    """The model's keys, and a vocabulary of bytes and made-up words that any engine accepts."""
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256))]
    types = [2, 3, 3, *[6] * 256]
    words = sizes.vocabulary - len(tokens)
    return {
        "general.architecture": "llama",
        "general.name": f"random llama {sizes.parameters / 1e6:.0f}M {form}",
        "llama.block_count": sizes.layers,
        "llama.context_length": sizes.context,
        "llama.embedding_length": sizes.width,
        "llama.feed_forward_length": sizes.hidden,
        "llama.attention.head_count": sizes.heads,
        "llama.attention.head_count_kv": sizes.key_heads,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": sizes.head,
        "llama.rope.freq_base": 10000.0,
        "llama.vocab_size": sizes.vocabulary,
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": [*tokens, *(f"\u2581w{i}" for i in range(words))],
        "tokenizer.ggml.scores": -np.arange(sizes.vocabulary, dtype=np.float32),
        "tokenizer.ggml.token_type": np.array([*types, *[1] * words], np.int32),
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("format")
    parser.add_argument("path", type=Path)
    parser.add_argument("--head", default="", help="format of the embedding, which is the head")
    given = parser.parse_args()
    write_random_llama(given.path, LLAMA_450M, given.format, head=given.head)
    print(f"{given.path}: {LLAMA_450M.parameters} weights, {given.path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
