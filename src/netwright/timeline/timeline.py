"""Timeline: what happened, simulated or measured, on which resource, and what it cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class Interval:
    """A range that a predicted value is expected to lie in, with how sure that is (0 to 1)."""

    low: float
    high: float
    confidence: float


@final
@dataclass(frozen=True, slots=True)
class Span:
    """One task on one resource. `seconds` of a predicted span carries an interval."""

    resource: str
    name: str  # the graph operator
    opcode: str
    start_seconds: float
    seconds: float
    operations: float = 0.0
    bytes_moved: float = 0.0
    joules: float | None = None
    interval: Interval | None = None


@final
@dataclass(frozen=True, slots=True)
class MemorySample:
    """Bytes in use in one memory from `start_seconds` on, until its next sample."""

    memory: str
    start_seconds: float
    used_bytes: int


@final
@dataclass(frozen=True, slots=True)
class Timeline:
    """Spans in order of start. `origin` is "simulated" or "measured"."""

    name: str
    origin: str
    machine: str
    spans: tuple[Span, ...]
    memory: tuple[MemorySample, ...]
    seconds: float
    peak_memory_bytes: int
    joules: float | None = None
    interval: Interval | None = None
    facts: tuple[tuple[str, float], ...] = ()  # e.g. ("token_seconds", 0.0091)

    def fact(self, name: str) -> float | None:
        """A named figure of this run, or None."""
        return dict(self.facts).get(name)
