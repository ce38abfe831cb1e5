"""The loop: a prompt goes in at once, tokens come out one at a time."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import JobError
from netwright.run.generate.sampling import GREEDY, Sampler, Sampling
from netwright.run.generate.stop import StopStrings
from netwright.run.generate.tokeniser import Detokeniser, Tokeniser


class Decoder(ABC):
    """A language model with its state: how many tokens it has seen, and how many it can see."""

    __slots__ = ()

    @property
    @abstractmethod
    def context(self) -> int:
        """The most tokens that fit."""

    @property
    @abstractmethod
    def position(self) -> int:
        """Tokens seen so far."""

    @abstractmethod
    def prefill(self, ids: Sequence[int]) -> NDArray[Any]:
        """Takes these ids at once; logits [vocabulary] after the last of them."""

    @abstractmethod
    def decode(self, token: int) -> NDArray[Any]:
        """Takes one id; logits [vocabulary] after it. The array may be reused by the next call."""


@final
@dataclass(frozen=True, slots=True)
class Token:
    """One generated token.

    `text` is what can be shown now (may be empty); `seconds` is the time from the previous token
    (for the first: the prompt's).
    """

    text: str
    id: int
    seconds: float


@final
@dataclass(frozen=True, slots=True)
class Request:
    """What to generate: at most `tokens` after the prompt's ids, until a stop id or string."""

    prompt: tuple[int, ...]
    tokens: int
    sampling: Sampling = GREEDY
    stops: tuple[str, ...] = ()


def check_lengths(prompt: int, tokens: int, context: int) -> None:
    """Refuses a prompt that is empty or that leaves no room for what is asked.

    Raises:
        JobError: names the lengths and what would help.
    """
    if prompt < 1:
        raise JobError("the prompt is empty: got 0 tokens, expected at least 1; give some text")
    if tokens < 1:
        raise JobError(f"tokens to generate: got {tokens}, expected at least 1")
    if prompt + tokens > context:
        raise JobError(
            f"the prompt of {prompt} tokens and {tokens} tokens to generate make "
            f"{prompt + tokens}, but the context holds {context}; ask for at most "
            f"{max(0, context - prompt)} tokens, shorten the prompt by {prompt + tokens - context} "
            "tokens, or load the model with a larger context"
        )


def generate(decoder: Decoder, tokeniser: Tokeniser, request: Request) -> Iterator[Token]:
    """Streams tokens; the last one carries whatever text was held back.

    A stop id is given out with empty text of its own and ends the stream; so does a stop string,
    whose text is not shown.

    Raises:
        JobError: the lengths do not fit the context, or an id is not in the vocabulary.
    """
    check_lengths(decoder.position + len(request.prompt), request.tokens, decoder.context)
    for i in request.prompt:
        if not 0 <= i < tokeniser.size:
            raise JobError(f"the prompt has id {i}, expected 0 to {tokeniser.size - 1}")
    return _stream(decoder, tokeniser, request)


def _stream(decoder: Decoder, tokeniser: Tokeniser, request: Request) -> Iterator[Token]:
    sampler = Sampler(request.sampling, request.prompt)
    detokeniser, stops = Detokeniser(tokeniser), StopStrings(request.stops)
    start = time.perf_counter()
    logits = decoder.prefill(request.prompt)
    for done in range(1, request.tokens + 1):
        token = sampler.choose(np.asarray(logits))
        text = stops.push(detokeniser.push(token))
        last = done == request.tokens or token in tokeniser.stop_ids or stops.stopped
        if last and not stops.stopped:
            text += stops.push(detokeniser.finish())
            text += stops.finish()
        now = time.perf_counter()
        yield Token(text, token, now - start)
        if last:
            return
        start = now
        logits = decoder.decode(token)
