"""Byte-level BPE (the GPT-2 family) from GGUF metadata, on the `tokenizers` library.

Source of the pre-tokeniser patterns: llama.cpp, llama-vocab.cpp, by `tokenizer.ggml.pre`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, final

from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers

from netwright.errors import FormatError, UnsupportedError
from netwright.frontends.gguf_file import GgufFile
from netwright.frontends.gguf_keys import Keys
from netwright.run.generate.tokeniser import Tokeniser
from netwright.run.generate.vocabulary import (
    CONTROL,
    UNKNOWN,
    USER_DEFINED,
    Vocabulary,
    read_vocabulary,
)

_GPT2: Final = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)"
_LLAMA3: Final = (
    r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_DEFAULT: Final = (r"[\p{P}\$\+<=>\^~\|]+", _GPT2, r"\p{N}+", r"[0-9][0-9][0-9]")


@final
@dataclass(frozen=True, slots=True)
class PreTokeniser:
    """Patterns that split a text one after another, before merges.

    `whole_first`: a word that is itself a token is taken whole, whatever the merges say.
    """

    patterns: tuple[str, ...]
    whole_first: bool = False
    adds_start: bool = False


def _table() -> Mapping[str, PreTokeniser]:
    gpt2 = PreTokeniser((_GPT2,))
    digits = PreTokeniser((r"\p{N}", _GPT2))
    llama3 = PreTokeniser((_LLAMA3,), whole_first=True, adds_start=True)
    qwen2 = PreTokeniser((_LLAMA3.replace("{1,3}", ""),))
    table = {
        "default": PreTokeniser(_DEFAULT),
        **dict.fromkeys(("gpt-2", "phi-2", "olmo", "jais", "mpt"), gpt2),
        **dict.fromkeys(
            ("smollm", "starcoder", "refact", "command-r", "codeshell", "minerva-7b"), digits
        ),
        **dict.fromkeys(("llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral", "lfm2"), llama3),
        **dict.fromkeys(("dbrx", "smaug-bpe", "glm4"), PreTokeniser((_LLAMA3,))),
        **dict.fromkeys(("qwen2", "deepseek-r1-qwen", "stablelm2", "megrez"), qwen2),
    }
    return MappingProxyType(table)


PRE_TOKENISERS: Final = _table()


def _byte_of_letter() -> dict[str, int]:
    """GPT-2's letter for each byte, inverted (Radford et al. 2019, encoder.py)."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [b for b in range(256) if b not in shown]
    letters = {chr(b): b for b in shown}
    return letters | {chr(256 + i): b for i, b in enumerate(hidden)}


BYTE_OF_LETTER: Final = MappingProxyType(_byte_of_letter())


def bytes_of_letters(token: str) -> bytes:
    """The bytes of a byte-level token; letters outside the map stand for themselves."""
    try:
        return bytes([BYTE_OF_LETTER[letter] for letter in token])
    except KeyError:
        return token.encode()


@final
class ByteLevelTokeniser(Tokeniser):
    """Byte-level BPE with the file's vocabulary, merges and pre-tokeniser."""

    __slots__ = ("_control", "_tokenizer", "_vocabulary")

    def __init__(self, vocabulary: Vocabulary, tokenizer: Tokenizer) -> None:
        self._vocabulary = vocabulary
        self._tokenizer = tokenizer
        self._control = frozenset(vocabulary.of_type(CONTROL, UNKNOWN))

    @property
    def size(self) -> int:
        return len(self._vocabulary.tokens)

    @property
    def stop_ids(self) -> frozenset[int]:
        return self._vocabulary.stop_ids

    def encode_text(self, text: str) -> list[int]:
        self._tokenizer.encode_special_tokens = True
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def encode_prompt(self, text: str) -> list[int]:
        self._tokenizer.encode_special_tokens = False
        ids = self._tokenizer.encode(text, add_special_tokens=False).ids
        start, end = self._vocabulary.start, self._vocabulary.end
        if start is not None and ids[:1] != [start]:
            ids = [start, *ids]
        return ids if end is None else [*ids, end]

    def piece(self, token: int) -> bytes:
        return b"" if token in self._control else bytes_of_letters(self._vocabulary.tokens[token])


def read_byte_level(file: GgufFile) -> ByteLevelTokeniser:
    """The tokeniser of a GGUF file whose `tokenizer.ggml.model` is "gpt2".

    Raises:
        FormatError: vocabulary or merges are missing or contradict each other.
        UnsupportedError: a pre-tokeniser that is not in the table.
    """
    keys = Keys(file)
    name = keys.text("tokenizer.ggml.pre", "default")
    pre = PRE_TOKENISERS.get(name)
    if pre is None:
        raise UnsupportedError(
            f"{file.path}: tokenizer.ggml.pre is {name!r}; known are {', '.join(PRE_TOKENISERS)}; "
            "add its patterns to the table of byte-level pre-tokenisers"
        )
    vocabulary = read_vocabulary(file, start_by_default=pre.adds_start)
    return ByteLevelTokeniser(vocabulary, _tokenizer(keys, vocabulary, pre))


def _tokenizer(keys: Keys, vocabulary: Vocabulary, pre: PreTokeniser) -> Tokenizer:
    merges: list[tuple[str, str]] = []
    for merge in keys.strings("tokenizer.ggml.merges"):
        # a merge's left side may begin with a space, never be empty
        cut = merge.find(" ", 1)
        merges.append((merge[:cut], merge[cut + 1 :]))
    try:
        model = models.BPE(vocabulary.ids, merges, ignore_merges=pre.whole_first)
    except Exception as error:  # the library raises nothing narrower
        raise FormatError(
            f"{keys.file.path}: tokenizer.ggml.merges do not fit the vocabulary ({error}); "
            "convert the model anew"
        ) from None
    tokenizer = Tokenizer(model)
    for ids, special in (
        (vocabulary.of_type(CONTROL, UNKNOWN), True),
        (vocabulary.of_type(USER_DEFINED), False),
    ):
        added = [AddedToken(vocabulary.tokens[i], normalized=False, special=special) for i in ids]
        tokenizer.add_tokens(added)  # pyright: ignore[reportUnknownMemberType]
    splits = [pre_tokenizers.Split(Regex(p), "isolated") for p in pre.patterns]
    letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*splits, letters])
    return tokenizer
