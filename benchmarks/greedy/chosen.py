"""What an engine chose after every id of some texts, and a few of its logits: one .npz file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

TOKENS: Final = 64
SAMPLED: Final = 384
PROMPTS: Final = Path(__file__).parent / "prompts.json"


def prompts() -> list[dict[str, str]]:
    """`kind` and `prompt`, in the order that counts."""
    return json.loads(PROMPTS.read_text())


@final
@dataclass(frozen=True, slots=True)
class Chosen:
    """P prompts of T ids: the engine sees `text`'s ids whatever it would have chosen itself.

    `best`, `second` [P, T]: its own ids. `text_logit`, `rival_logit` [P, T]: its logits of the
    first and second choice of the engine that wrote the text. `sample` [P, T, SAMPLED]: logits of
    ids spread over the vocabulary.
    """

    best: NDArray[np.int32]
    second: NDArray[np.int32]
    text_logit: NDArray[np.float32]
    rival_logit: NDArray[np.float32]
    sample: NDArray[np.float32]

    @classmethod
    def load(cls, path: Path) -> Chosen:
        with np.load(path) as arrays:
            return cls(**{f.name: arrays[f.name] for f in fields(cls)})

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **{f.name: getattr(self, f.name) for f in fields(self)})


def _best_two(logits: NDArray[Any]) -> NDArray[np.int64]:
    """[T, 2]: the ids of the largest and the second largest logit."""
    first = logits.argmax(axis=1)
    others = logits.copy()
    np.put_along_axis(others, first[:, None], -np.inf, axis=1)
    return np.stack((first, others.argmax(axis=1)), axis=1)


def from_rows(texts: Iterable[tuple[NDArray[Any], NDArray[Any] | None]]) -> Chosen:
    """From logits [T, vocabulary] by prompt, each with ids (first, second) [T, 2] of the text.

    Where the second is None, the engine wrote the text itself.
    """
    parts: list[tuple[NDArray[Any], ...]] = []
    for logits, given in texts:
        two = _best_two(logits)
        text = two if given is None else given
        at = np.take_along_axis(logits, text, axis=1)
        step = max(1, logits.shape[1] // SAMPLED)
        sample = logits[:, ::step][:, :SAMPLED].copy()
        parts.append((two[:, 0], two[:, 1], at[:, 0], at[:, 1], sample))
    best, second, text_logit, rival_logit, sample = (np.array(x) for x in zip(*parts, strict=True))
    return Chosen(
        best.astype(np.int32),
        second.astype(np.int32),
        text_logit.astype(np.float32),
        rival_logit.astype(np.float32),
        sample.astype(np.float32),
    )
