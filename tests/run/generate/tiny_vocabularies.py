"""Small made-up vocabularies as GGUF keys; used to ask llama.cpp and us for the same texts' ids."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import numpy as np

from netwright.run.generate.byte_level import BYTE_OF_LETTER
from netwright.run.generate.sentencepiece import SPACE

LETTER_OF_BYTE = {b: letter for letter, b in BYTE_OF_LETTER.items()}
PRES = ("default", "gpt-2", "llama-bpe", "qwen2", "smollm")
TEXTS = (
    "The capital of France is Paris.",
    " leading, trailing  ",
    "a  b   c\n\n d\te \r\n\r\nf",
    "It's 1234567 o'clock, DON'T we'll they'RE",
    "3.14 + 2,718 = $5.858; x^2 <= |y| ~ `z`",
    "über naïve Zürich, Ελλάδα, Привет",
    "日本語 한국어 ไทย",
    "😀👩‍👩‍👧 ١٢٣ Ⅷ ½ e\u0301",
    "def f(x):\n    return x**2  # square\n",
    "say <s>user</s> <|x|>assistant",
    "!!!???...---___",
    "   ",
    "\n",
    "",
)
SPECIAL = ("<s>", "</s>", "<|x|>")


def byte_level(pre: str) -> dict[str, Any]:
    """256 bytes, merges made of the texts' own neighbours, and three special tokens."""
    rng = random.Random(0)
    tokens = [LETTER_OF_BYTE[b] for b in range(256)]
    merges: list[str] = []
    words = [[LETTER_OF_BYTE[b] for b in text.encode()] for text in TEXTS]
    for _ in range(120):
        pairs = sorted({p for word in words for p in pairwise(word)})
        left, right = rng.choice(pairs)
        if left + right in tokens:
            continue
        merges.append(f"{left} {right}")
        tokens.append(left + right)
        words = [_merged(word, left, right) for word in words]
    types = [1] * len(tokens) + [3, 3, 4]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": pre,
        "tokenizer.ggml.tokens": [*tokens, *SPECIAL],
        "tokenizer.ggml.token_type": np.array(types, np.int32),
        "tokenizer.ggml.merges": merges,
        "tokenizer.ggml.bos_token_id": len(tokens),
        "tokenizer.ggml.eos_token_id": len(tokens) + 1,
    }


def _merged(word: list[str], left: str, right: str) -> list[str]:
    found: list[str] = []
    for letter in word:
        if found and found[-1] == left and letter == right:
            found[-1] = left + right
        else:
            found.append(letter)
    return found


def scored(*, space_prefix: bool) -> dict[str, Any]:
    """Bytes, and pieces of the texts with random scores of which some are equal."""
    rng = random.Random(1)
    joined = [text.replace(" ", SPACE) for text in TEXTS]
    pieces = {c for text in joined for c in text if rng.random() < 0.8}
    for _ in range(260):
        text = rng.choice([t for t in joined if len(t) > 3 and "<" not in t])
        start = rng.randrange(len(text) - 1)
        pieces.add(text[start : start + rng.randint(2, 5)])
    ordered = sorted(pieces)
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256)), *ordered, "<|x|>"]
    scores = [0.0] * 259 + [-float(rng.randint(1, 80)) for _ in ordered] + [0.0]
    types = [2, 3, 3, *[6] * 256, *[1] * len(ordered), 4]
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.scores": np.array(scores, np.float32),
        "tokenizer.ggml.token_type": np.array(types, np.int32),
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.add_space_prefix": space_prefix,
    }


def all_vocabularies() -> dict[str, dict[str, Any]]:
    """Name → keys."""
    found = {pre: byte_level(pre) for pre in PRES}
    found["scored with prefix"] = scored(space_prefix=True)
    found["scored"] = scored(space_prefix=False)
    return found
