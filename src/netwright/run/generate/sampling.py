"""How the next token is chosen from the logits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import JobError

Logits: TypeAlias = NDArray[np.float64]


class Filter(ABC):
    """A step from logits to logits; a token that must not be chosen gets -inf."""

    __slots__ = ()

    @abstractmethod
    def apply(self, logits: Logits, history: Sequence[int]) -> Logits:
        """Logits [vocabulary], the tokens so far → logits [vocabulary]; the argument is kept."""


@final
@dataclass(frozen=True, slots=True)
class RepetitionPenalty(Filter):
    """Divides positive logits of the last `window` tokens by `factor`, multiplies negative ones.

    Source: CTRL (Keskar et al., arXiv 1909.05858), section 4.1.
    """

    factor: float
    window: int = 64

    def __post_init__(self) -> None:
        _require(self.factor > 0, "repetition penalty", self.factor, "above 0 (1 changes nothing)")
        _require(self.window > 0, "repetition window", self.window, "at least 1 token")

    def apply(self, logits: Logits, history: Sequence[int]) -> Logits:
        if not history:
            return logits
        seen = np.unique(np.asarray(history[-self.window :], np.int64))
        changed = logits.copy()
        values = changed[seen]
        changed[seen] = np.where(values > 0, values / self.factor, values * self.factor)
        return changed


@final
@dataclass(frozen=True, slots=True)
class Temperature(Filter):
    """logits / value."""

    value: float

    def __post_init__(self) -> None:
        _require(self.value > 0, "temperature", self.value, "above 0 (choose Greedy for 0)")

    def apply(self, logits: Logits, history: Sequence[int]) -> Logits:
        return logits / self.value


@final
@dataclass(frozen=True, slots=True)
class TopK(Filter):
    """Keeps the k highest (all that tie with the k-th)."""

    k: int

    def __post_init__(self) -> None:
        _require(self.k > 0, "top-k", self.k, "at least 1")

    def apply(self, logits: Logits, history: Sequence[int]) -> Logits:
        if self.k >= len(logits):
            return logits
        least = np.partition(logits, -self.k)[-self.k]
        return np.where(logits >= least, logits, -np.inf)


@final
@dataclass(frozen=True, slots=True)
class TopP(Filter):
    """Keeps the fewest most probable tokens whose probabilities sum to p.

    Source: nucleus sampling (Holtzman et al., arXiv 1904.09751), section 3.1.
    """

    p: float

    def __post_init__(self) -> None:
        _require(0 < self.p <= 1, "top-p", self.p, "above 0 and at most 1")

    def apply(self, logits: Logits, history: Sequence[int]) -> Logits:
        if self.p >= 1:
            return logits
        # stable, so that ties fall to the lower id on every machine
        order = np.argsort(-logits, kind="stable")
        before = np.cumsum(_probabilities(logits[order]))
        kept = order[: int(np.searchsorted(before, self.p)) + 1]
        changed = np.full_like(logits, -np.inf)
        changed[kept] = logits[kept]
        return changed


@final
@dataclass(frozen=True, slots=True)
class MinP(Filter):
    """Keeps tokens at least p times as probable as the most probable (arXiv 2407.01082)."""

    p: float

    def __post_init__(self) -> None:
        _require(0 <= self.p <= 1, "min-p", self.p, "from 0 to 1")

    def apply(self, logits: Logits, history: Sequence[int]) -> Logits:
        if self.p == 0:
            return logits
        return np.where(logits >= logits.max() + np.log(self.p), logits, -np.inf)


@final
@dataclass(frozen=True, slots=True)
class Greedy:
    """The highest logit, the lower id where two tie."""

    filters: tuple[Filter, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class Draw:
    """A draw from softmax of the filtered logits; the same seed draws the same text."""

    filters: tuple[Filter, ...]
    seed: int


Sampling: TypeAlias = Greedy | Draw
GREEDY: Final = Greedy()


def sampling(
    *,
    temperature: float = 0.0,
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.0,
    repetition_penalty: float = 1.0,
    seed: int = 0,
) -> Sampling:
    """The usual chain: penalty, top-k, top-p, min-p, temperature; temperature 0 is greedy.

    Raises:
        JobError: a value is out of its range.
    """
    _require(temperature >= 0, "temperature", temperature, "at least 0")
    _require(top_k >= 0, "top-k", top_k, "at least 0 (0 keeps all)")
    penalty = (RepetitionPenalty(repetition_penalty),) if repetition_penalty != 1 else ()
    if temperature == 0:
        return Greedy(penalty)
    filters: list[Filter] = [*penalty]
    filters += [TopK(top_k)] if top_k else []
    filters += [TopP(top_p)] if top_p != 1 else []
    filters += [MinP(min_p)] if min_p else []
    return Draw((*filters, Temperature(temperature)), seed)


@final
class Sampler:
    """Applies a `Sampling` token after token; holds the random generator and the history."""

    __slots__ = ("_generator", "_history", "_sampling")

    def __init__(self, chosen: Sampling, history: Sequence[int] = ()) -> None:
        self._sampling = chosen
        self._history = list(history)
        seed = chosen.seed if isinstance(chosen, Draw) else 0
        self._generator = np.random.Generator(np.random.Philox(seed))

    def choose(self, logits: NDArray[Any]) -> int:
        """The next token. `logits` [vocabulary] may be of any float type."""
        values = np.asarray(logits, np.float64)
        for step in self._sampling.filters:
            values = step.apply(values, self._history)
        if isinstance(self._sampling, Greedy):
            token = int(values.argmax())
        else:
            cumulative = np.cumsum(_probabilities(values))
            point = self._generator.random() * float(cumulative[-1])
            token = int(np.searchsorted(cumulative, point, side="right").item())
        self._history.append(token)
        return token


def _probabilities(logits: Logits) -> Logits:
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def _require(valid: bool, name: str, got: float, expected: str) -> None:
    if not valid:
        raise JobError(f"{name}: got {got}, expected {expected}")
