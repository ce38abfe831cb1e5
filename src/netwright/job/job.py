"""Job: what to do with a graph, with its goal and limits. Never how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias, final


@final
class Goal(Enum):
    """What the planner makes small."""

    SECONDS = "seconds"
    JOULES = "joules"
    BYTES = "bytes"


@final
@dataclass(frozen=True, slots=True)
class Limits:
    """What a plan must not exceed; None is no limit. `threads` is the most it may use."""

    memory_bytes: int | None = None
    seconds: float | None = None
    joules: float | None = None
    threads: int | None = None


@final
@dataclass(frozen=True, slots=True)
class Keep:
    """Precision: every weight stays in the format that the file has."""


@final
@dataclass(frozen=True, slots=True)
class Choose:
    """Precision: the best (least error) format assignment under the job's limits, from these."""

    formats: tuple[str, ...] = (
        "q8_0", "q6_k", "q5_1", "q5_0", "q5_k", "q4_1", "q4_k", "q4_0", "q3_k", "q2_k", "tq2_0",
    )  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class Uniform:
    """Precision: this format for every weight that can have it, the others as the file has them."""

    format: str


Precision: TypeAlias = Keep | Choose | Uniform


KEEP = Keep()
NO_LIMITS = Limits()


@final
@dataclass(frozen=True, slots=True)
class Infer:
    """One forward pass of a graph with fixed shapes."""

    batch: int = 1
    precision: Precision = field(default_factory=Keep)
    goal: Goal = Goal.SECONDS
    limits: Limits = field(default_factory=Limits)


@final
@dataclass(frozen=True, slots=True)
class Generate:
    """A prompt of `prompt` tokens, then `tokens` generated one at a time, one sequence."""

    prompt: int = 128
    tokens: int = 64
    chunk: int = 512  # the most prompt tokens in one pass
    verify: int = 16  # the most tokens in one verification pass; below 2: there is none
    precision: Precision = field(default_factory=Keep)
    goal: Goal = Goal.SECONDS
    limits: Limits = field(default_factory=Limits)


@final
@dataclass(frozen=True, slots=True)
class Stream:
    """A recurrent graph, one step at a time, state kept between steps."""

    steps: int = 1
    precision: Precision = field(default_factory=Keep)
    goal: Goal = Goal.SECONDS
    limits: Limits = field(default_factory=Limits)


Job: TypeAlias = Infer | Generate | Stream


def entry_symbols(job: Job) -> Mapping[str, Mapping[str, tuple[int, int]]]:
    """Entry point → symbol → (low, high): what each way in may be called with.

    `n_tokens` tokens enter at once after `n_past` earlier ones.
    """
    if not isinstance(job, Generate):
        return {"step" if isinstance(job, Stream) else "forward": {}}
    context = job.prompt + job.tokens
    chunk = min(job.chunk, context)
    drafted = min(job.verify, context)
    verify = {"verify": {"n_tokens": (2, drafted), "n_past": (0, context - 1)}}
    if drafted < 2:  # one token is what decode is for
        verify = {}
    return {
        "prefill": {"n_tokens": (1, chunk), "n_past": (0, context - 1)},
        "decode": {"n_tokens": (1, 1), "n_past": (0, context - 1)},
        **verify,
    }
