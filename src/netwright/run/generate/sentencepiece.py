"""SentencePiece-style BPE by scores from GGUF metadata (`tokenizer.ggml.model` is "llama").

The neighbours whose joined text is a token of the highest score are merged, leftmost first, until
none is left; what is no token becomes byte tokens. Source: llama.cpp, llm_tokenizer_spm.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, final

from netwright.errors import FormatError
from netwright.frontends.gguf_file import GgufFile
from netwright.frontends.gguf_keys import Keys
from netwright.frontends.gguf_values import Numbers
from netwright.run.generate.tokeniser import Tokeniser
from netwright.run.generate.vocabulary import (
    BYTE,
    CONTROL,
    UNKNOWN,
    USER_DEFINED,
    Vocabulary,
    read_vocabulary,
)

SPACE: Final = "\u2581"


@final
@dataclass(frozen=True, slots=True, eq=False)
class ScoredTokeniser(Tokeniser):
    """`special` splits a prompt at control and user-defined tokens, `defined` at the latter."""

    vocabulary: Vocabulary
    scores: Numbers
    byte_ids: tuple[int | None, ...]
    unknown: int
    space_prefix: bool
    special: re.Pattern[str] | None
    defined: re.Pattern[str] | None
    control: frozenset[int]

    @property
    def size(self) -> int:
        return len(self.vocabulary.tokens)

    @property
    def stop_ids(self) -> frozenset[int]:
        return self.vocabulary.stop_ids

    def encode_text(self, text: str) -> list[int]:
        return self._encode(text, self.defined)

    def encode_prompt(self, text: str) -> list[int]:
        ids = self._encode(text, self.special)
        start, end = self.vocabulary.start, self.vocabulary.end
        if start is not None and ids[:1] != [start]:
            ids = [start, *ids]
        return ids if end is None else [*ids, end]

    def piece(self, token: int) -> bytes:
        if token in self.control:
            return b""
        text = self.vocabulary.tokens[token]
        if self.vocabulary.types[token] == BYTE:
            return bytes([int(text[3:5], 16)])
        return text.replace(SPACE, " ").encode()

    def decode(self, ids: Iterable[int]) -> str:
        """The text of these ids, without the space that encoding put before it."""
        text = Tokeniser.decode(self, ids)
        return text.removeprefix(" ") if self.space_prefix else text

    def _encode(self, text: str, pattern: re.Pattern[str] | None) -> list[int]:
        """A space is put before the text, and before text that follows a special token."""
        ids: list[int] = []
        parts = pattern.split(text) if pattern else [text]
        for i, part in enumerate(parts):
            if i % 2:
                ids.append(self.vocabulary.ids[part])
            elif part:
                prefix = " " if self.space_prefix else ""
                ids.extend(self._merge((prefix + part).replace(" ", SPACE)))
        return ids

    def _merge(self, text: str) -> list[int]:
        known, scores = self.vocabulary.ids, self.scores
        symbols: list[str | None] = list(text)
        count = len(symbols)
        before = list(range(-1, count - 1))
        after = [*range(1, count), -1]
        queue: list[tuple[float, int, int, str]] = []

        def offer(left: int, right: int) -> None:
            if left < 0 or right < 0:
                return
            joined = f"{symbols[left]}{symbols[right]}"
            token = known.get(joined)
            if token is not None:
                heapq.heappush(queue, (-float(scores[token]), left, right, joined))

        for i in range(count - 1):
            offer(i, i + 1)
        while queue:
            _, left, right, joined = heapq.heappop(queue)
            if symbols[left] is None or symbols[right] is None:
                continue
            if f"{symbols[left]}{symbols[right]}" != joined:
                continue
            symbols[left], symbols[right] = joined, None
            after[left] = after[right]
            if after[right] >= 0:
                before[after[right]] = left
            offer(before[left], left)
            offer(left, after[left])
        return [i for symbol in symbols if symbol is not None for i in self._ids(symbol)]

    def _ids(self, symbol: str) -> list[int]:
        token = self.vocabulary.ids.get(symbol)
        if token is not None:
            return [token]
        found = [self.byte_ids[b] for b in symbol.encode("utf-8", "surrogatepass")]
        return [self.unknown if i is None else i for i in found]


def _splitter(vocabulary: Vocabulary, *types: int) -> re.Pattern[str] | None:
    texts = [vocabulary.tokens[i] for i in vocabulary.of_type(*types)]
    longest_first = sorted((t for t in texts if t), key=len, reverse=True)
    return re.compile(f"({'|'.join(map(re.escape, longest_first))})") if longest_first else None


def read_sentencepiece(file: GgufFile) -> ScoredTokeniser:
    """The tokeniser of a GGUF file whose `tokenizer.ggml.model` is "llama".

    Raises:
        FormatError: the vocabulary or its scores are missing or contradict each other.
    """
    keys = Keys(file)
    vocabulary = read_vocabulary(file, start_by_default=True)
    count = len(vocabulary.tokens)
    for i in vocabulary.of_type(BYTE):
        if not re.fullmatch("<0x[0-9A-F]{2}>", vocabulary.tokens[i]):
            raise FormatError(
                f"{file.path}: token {i} {vocabulary.tokens[i]!r} has type byte, expected <0x00> "
                "to <0xFF>; convert the model anew"
            )
    return ScoredTokeniser(
        vocabulary,
        keys.numbers("tokenizer.ggml.scores", count),
        tuple(vocabulary.ids.get(f"<0x{b:02X}>") for b in range(256)),
        keys.integer("tokenizer.ggml.unknown_token_id", 0, count - 1, 0),
        keys.boolean("tokenizer.ggml.add_space_prefix", True),
        _splitter(vocabulary, CONTROL, UNKNOWN, USER_DEFINED),
        _splitter(vocabulary, USER_DEFINED),
        frozenset(vocabulary.of_type(CONTROL, UNKNOWN)),
    )
