"""A language-model program as a decoder: a position, a prompt, one token after another."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import JobError
from netwright.run.generate.generate import Decoder
from netwright.run.native import NativeRuntime


@final
@dataclass(frozen=True, slots=True)
class CallTime:
    """One call of the program and how long it took."""

    entry: str
    symbols: tuple[tuple[str, int], ...]
    seconds: float


@final
class NativeDecoder(Decoder):
    """Prefill in chunks, then decode; `calls` has every call with its wall time."""

    __slots__ = ("_chunk", "_ids", "_logits", "_position", "_runtime", "_vocabulary", "calls")

    def __init__(self, runtime: NativeRuntime, vocabulary: int) -> None:
        self._runtime = runtime
        self._chunk = runtime.bounds("prefill")["n_tokens"][1]
        self._vocabulary = vocabulary
        self._position = 0
        symbols = {"n_tokens": 1, "n_past": 0}
        self._ids = runtime.view("decode", runtime.input_names("decode")[0], symbols)
        self._logits = runtime.view("decode", runtime.output_names("decode")[0], symbols)[-1]
        self.calls: list[CallTime] = []

    @property
    def context(self) -> int:
        """The most tokens that fit: the rows of the caches."""
        return self._runtime.limit("decode")

    @property
    def position(self) -> int:
        """Tokens seen so far."""
        return self._position

    def prefill(self, ids: Sequence[int]) -> NDArray[Any]:
        """Takes these ids in chunks; logits [vocabulary] after the last."""
        self._check(ids)
        name = self._runtime.input_names("prefill")[0]
        output = self._runtime.output_names("prefill")[0]
        symbols: dict[str, int] = {}
        for start in range(0, len(ids), self._chunk):
            part = ids[start : start + self._chunk]
            symbols = {"n_tokens": len(part), "n_past": self._position}
            self._runtime.view("prefill", name, symbols)[...] = part
            self._execute("prefill", symbols)
            self._position += len(part)
        return self._runtime.view("prefill", output, symbols)[-1]

    def decode(self, token: int) -> NDArray[np.float32]:
        """Takes one id; logits [vocabulary], overwritten by the next call."""
        self._check((token,))
        self._ids[0] = token
        self._execute("decode", {"n_tokens": 1, "n_past": self._position})
        self._position += 1
        return self._logits

    def reset(self) -> None:
        """Forgets the text."""
        self._position = 0
        self.calls.clear()

    def _execute(self, entry: str, symbols: dict[str, int]) -> None:
        start = time.perf_counter()
        self._runtime.execute(entry, symbols)
        seconds = time.perf_counter() - start
        self.calls.append(CallTime(entry, tuple(symbols.items()), seconds))

    def _check(self, ids: Sequence[int]) -> None:
        if self._position + len(ids) > self.context:
            raise JobError(
                f"{self._position} tokens seen and {len(ids)} more exceed the context of "
                f"{self.context}; plan for more with nw.Generate(prompt, tokens)"
            )
        for token in ids:
            if not 0 <= token < self._vocabulary:
                raise JobError(f"token {token} is outside the vocabulary of {self._vocabulary}")
