"""The vocabulary and the rules of use that a GGUF file carries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import numpy as np

from netwright.errors import FormatError
from netwright.frontends.gguf_file import GgufFile
from netwright.frontends.gguf_keys import Keys
from netwright.frontends.gguf_values import Numbers

# Token types, as GGUF counts them.
UNKNOWN: Final = 2
CONTROL: Final = 3
USER_DEFINED: Final = 4
BYTE: Final = 6

MOST_TOKENS: Final = 1 << 22

# Texts that end a turn wherever they are in a vocabulary; source: llama.cpp, llama-vocab.cpp.
_TURN_ENDS: Final = (
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|eom_id|>",
    "<EOT>",
)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """Tokens by id. `types` holds GGUF's type of each; `start` is put before a prompt, or None."""

    model: str
    tokens: tuple[str, ...]
    ids: dict[str, int]
    types: Numbers
    start: int | None
    end: int | None
    stop_ids: frozenset[int]

    def of_type(self, *types: int) -> list[int]:
        """The ids of these types."""
        return np.flatnonzero(np.isin(self.types, types)).tolist()


def read_vocabulary(file: GgufFile, *, start_by_default: bool) -> Vocabulary:
    """The vocabulary of a file.

    Raises:
        FormatError: a key is missing, of the wrong type, or names an id that does not exist.
    """
    keys = Keys(file)
    tokens = tuple(keys.strings("tokenizer.ggml.tokens"))
    count = len(tokens)
    if not 0 < count <= MOST_TOKENS:
        raise keys.wrong("tokenizer.ggml.tokens", count, f"1 to {MOST_TOKENS} tokens")
    ids = dict(zip(tokens, range(count), strict=True))
    if len(ids) != count:
        raise FormatError(f"{file.path}: tokenizer.ggml.tokens holds a token twice; convert anew")
    types = (
        keys.numbers("tokenizer.ggml.token_type", count)
        if keys.has("tokenizer.ggml.token_type")
        else np.ones(count, np.int32)
    )
    start = _special(keys, "bos", count) if _adds(keys, "bos", start_by_default) else None
    end = _special(keys, "eos", count) if _adds(keys, "eos", False) else None
    return Vocabulary(
        keys.text("tokenizer.ggml.model"), tokens, ids, types, start, end, _stops(keys, ids)
    )


def _adds(keys: Keys, which: str, default: bool) -> bool:
    return keys.boolean(f"tokenizer.ggml.add_{which}_token", default)


def _special(keys: Keys, which: str, count: int) -> int:
    return keys.integer(f"tokenizer.ggml.{which}_token_id", 0, count - 1)


def _stops(keys: Keys, ids: dict[str, int]) -> frozenset[int]:
    found = {
        _special(keys, which, len(ids))
        for which in ("eos", "eot", "eom")
        if keys.has(f"tokenizer.ggml.{which}_token_id")
    }
    return frozenset(found | {ids[text] for text in _TURN_ENDS if text in ids})
