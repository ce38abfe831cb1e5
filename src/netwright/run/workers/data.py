"""Data: text as bytes, cut into the sequences of every step and micro-batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from netwright.errors import JobError


@final
@dataclass(frozen=True, slots=True, eq=False)
class TextData:
    """Bytes of a text; every worker draws the same sequences from the same seed.

    `batch` sequences of `tokens` make a micro-batch; the target of a byte is the next one.

    Raises:
        JobError: the text is shorter than one sequence and its target.
    """

    text: NDArray[np.uint8]
    batch: int
    tokens: int
    microbatches: int
    seed: int

    def __post_init__(self) -> None:
        if len(self.text) <= self.tokens:
            raise JobError(
                f"text of {len(self.text)} bytes, expected more than {self.tokens} (one sequence)"
            )

    def microbatch(self, step: int, microbatch: int) -> dict[str, Tensor]:
        """`tokens` and `targets`, int64 [batch, tokens]."""
        random = np.random.default_rng((self.seed, step))
        last = len(self.text) - self.tokens
        starts = random.integers(0, last, (self.microbatches, self.batch))[microbatch]
        rows = starts[:, None] + np.arange(self.tokens + 1)
        picked = torch.as_tensor(self.text[rows].astype(np.int64))
        return {"tokens": picked[:, :-1].contiguous(), "targets": picked[:, 1:].contiguous()}
