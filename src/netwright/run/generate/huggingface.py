"""Tokenisers from a `tokenizer.json` file, by the `tokenizers` library that defines it."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, final

from tokenizers import Tokenizer

from netwright.errors import FormatError
from netwright.run.generate.byte_level import bytes_of_letters
from netwright.run.generate.sentencepiece import SPACE
from netwright.run.generate.tokeniser import Tokeniser

MOST_FILE_BYTES: Final = 1 << 28


@final
class JsonTokeniser(Tokeniser):
    """What a tokenizer.json says: its normaliser, pre-tokeniser, model and template."""

    __slots__ = ("_byte_level", "_special", "_stop_ids", "_tokenizer")

    def __init__(self, tokenizer: Tokenizer, stop_ids: frozenset[int], *, byte_level: bool) -> None:
        self._tokenizer = tokenizer
        self._stop_ids = stop_ids
        self._byte_level = byte_level
        added: dict[int, Any] = tokenizer.get_added_tokens_decoder()
        self._special = frozenset(i for i, token in added.items() if token.special)

    @property
    def size(self) -> int:
        return self._tokenizer.get_vocab_size(with_added_tokens=True)

    @property
    def stop_ids(self) -> frozenset[int]:
        return self._stop_ids

    def encode_text(self, text: str) -> list[int]:
        self._tokenizer.encode_special_tokens = True
        with _library("this text"):
            return self._tokenizer.encode(text, add_special_tokens=False).ids

    def encode_prompt(self, text: str) -> list[int]:
        self._tokenizer.encode_special_tokens = False
        with _library("this text"):
            return self._tokenizer.encode(text, add_special_tokens=True).ids

    def piece(self, token: int) -> bytes:
        text = self._tokenizer.id_to_token(token)
        if token in self._special or text is None:
            return b""
        if self._byte_level:
            return bytes_of_letters(text)
        if len(text) == 6 and text.startswith("<0x") and text.endswith(">"):
            return bytes([int(text[3:5], 16)])
        return text.replace(SPACE, " ").encode()

    def decode(self, ids: Iterable[int]) -> str:
        with _library("these tokens"):
            return self._tokenizer.decode(list(ids), skip_special_tokens=True)


@contextmanager
def _library(what: str) -> Generator[None]:
    """What the library raises for a file that is wrong inside, as an error of ours.

    It raises nothing narrower than Exception; a Rust panic is not even that.
    """
    try:
        yield
    except BaseException as error:
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise FormatError(
                f"not a tokenizer.json that the tokenizers library can use: {what} ({error}); "
                "fetch the model's file again"
            ) from None
        raise


def read_tokenizer_json(path: Path, stop_ids: frozenset[int] = frozenset()) -> JsonTokeniser:
    """Reads the file; padding and truncation that it may ask for are switched off.

    Raises:
        FormatError: too large, unreadable, or not a tokeniser.
    """
    try:
        size = path.stat().st_size
        if size > MOST_FILE_BYTES:
            raise FormatError(
                f"{path}: {size} bytes, expected at most {MOST_FILE_BYTES} for a tokeniser"
            )
        text = path.read_text(encoding="utf-8")
        with _library("the file"):
            tokenizer = Tokenizer.from_str(text)
        decoder = json.dumps(json.loads(text).get("decoder"))
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from None
    except (ValueError, AttributeError) as error:
        raise FormatError(
            f"{path}: not a tokenizer.json ({error}); fetch the model's file again"
        ) from None
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return JsonTokeniser(tokenizer, stop_ids, byte_level="ByteLevel" in decoder)
