"""What an engine chose after every id of some texts, and a few of its logits: one .npz file."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, TypeAlias, final

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


def _part(logits: NDArray[Any], given: NDArray[Any] | None) -> Chosen:
    """Of one prompt: logits [T, vocabulary], and the text's ids (first, second) [T, 2].

    Where the second is None, the engine wrote the text itself.
    """
    two = _best_two(logits)
    at = np.take_along_axis(logits, two if given is None else given, axis=1).astype(np.float32)
    step = max(1, logits.shape[1] // SAMPLED)
    sample = logits[:, ::step][:, :SAMPLED].astype(np.float32)
    best, second = two.T[:, None].astype(np.int32)
    return Chosen(best, second, at[None, :, 0], at[None, :, 1], sample[None])


Rows: TypeAlias = Callable[[int], tuple[NDArray[Any], NDArray[Any] | None]]


def extend(path: Path, rows: Rows, count: int) -> None:
    """Adds the next `count` prompts to a file, which need not exist yet."""
    parts = [Chosen.load(path)] if path.exists() else []
    done = sum(len(p.best) for p in parts)
    for place in range(done, min(done + count, len(prompts()))):
        parts.append(_part(*rows(place)))
    joined = {f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Chosen)}
    Chosen(**joined).save(path)
