"""What every tokeniser does, and text from bytes as they arrive."""

from __future__ import annotations

import codecs
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import final


class Tokeniser(ABC):
    """Text ↔ token ids. A piece of text is bytes: one character may span several tokens."""

    __slots__ = ()

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of ids."""

    @property
    @abstractmethod
    def stop_ids(self) -> frozenset[int]:
        """Ids that end a text or a turn."""

    @abstractmethod
    def encode_text(self, text: str) -> list[int]:
        """Ids of this text alone: control tokens written in it stay text, nothing is added."""

    @abstractmethod
    def encode_prompt(self, text: str) -> list[int]:
        """Ids of a whole prompt: control tokens are recognised, the file's start token is added."""

    @abstractmethod
    def piece(self, token: int) -> bytes:
        """The bytes that this id stands for; empty for control tokens."""

    def decode(self, ids: Iterable[int]) -> str:
        """The text of these ids; bytes that are not UTF-8 become U+FFFD."""
        return b"".join(self.piece(i) for i in ids).decode(errors="replace")


@final
class Detokeniser:
    """Text from ids as they arrive: a character is given out once all its bytes are there."""

    __slots__ = ("_decoder", "_tokeniser")

    def __init__(self, tokeniser: Tokeniser) -> None:
        self._tokeniser = tokeniser
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, token: int) -> str:
        """The text that this id completes (may be empty)."""
        return self._decoder.decode(self._tokeniser.piece(token))

    def finish(self) -> str:
        """What is left: U+FFFD where a character was never completed."""
        text = self._decoder.decode(b"", final=True)
        self._decoder.reset()
        return text
