"""Compare: a prediction laid over a measurement, operator by operator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from netwright.errors import ReportError
from netwright.timeline.timeline import Interval, Span, Timeline


@final
@dataclass(frozen=True, slots=True)
class Ratio:
    """One operator (or opcode, or the whole): all of its spans on either side, added up.

    `covered` says whether the measured seconds lie in the predicted interval, None without one.
    """

    name: str
    opcode: str
    predicted_seconds: float
    measured_seconds: float
    predicted_spans: int
    measured_spans: int
    interval: Interval | None = None

    @property
    def ratio(self) -> float | None:
        """Predicted over measured; None when nothing was measured."""
        if self.measured_seconds <= 0:
            return None
        return self.predicted_seconds / self.measured_seconds

    @property
    def covered(self) -> bool | None:
        """Whether the measurement lies in the predicted interval."""
        if self.interval is None:
            return None
        return self.interval.low <= self.measured_seconds <= self.interval.high


@final
@dataclass(frozen=True, slots=True)
class Comparison:
    """Operators by measured seconds, longest first; opcodes likewise; and the whole."""

    predicted: str  # machine
    measured: str
    operators: tuple[Ratio, ...]
    opcodes: tuple[Ratio, ...]
    total: Ratio
    predicted_peak_bytes: int
    measured_peak_bytes: int

    @property
    def coverage(self) -> float | None:
        """The share of measured operators whose seconds lie in the predicted interval."""
        judged = [r.covered for r in self.operators if r.covered is not None and r.measured_spans]
        return sum(judged) / len(judged) if judged else None


def compare(predicted: Timeline, measured: Timeline) -> Comparison:
    """Matches spans by operator and opcode; either side may have some that the other lacks.

    Raises:
        ReportError: `predicted` was not simulated or `measured` not measured.
    """
    for side, timeline, origin in (
        ("predicted", predicted, "simulated"),
        ("measured", measured, "measured"),
    ):
        if timeline.origin != origin:
            raise ReportError(
                f"compare: the {side} timeline {timeline.name!r} is {timeline.origin}, expected"
                f" {origin}; swap the two?"
            )
    whole = Ratio(
        measured.name,
        "",
        predicted.seconds,
        measured.seconds,
        len(predicted.spans),
        len(measured.spans),
        predicted.interval,
    )
    operators = _grouped(predicted.spans, measured.spans)
    by_opcode = _grouped(
        tuple(_of_opcode(s) for s in predicted.spans), tuple(_of_opcode(s) for s in measured.spans)
    )
    return Comparison(
        predicted.machine,
        measured.machine,
        operators,
        by_opcode,
        whole,
        predicted.peak_memory_bytes,
        measured.peak_memory_bytes,
    )


@final
@dataclass(slots=True)
class _Sum:
    predicted: float = 0.0
    measured: float = 0.0
    predicted_spans: int = 0
    measured_spans: int = 0
    low: float = 0.0
    high: float = 0.0
    confidence: float = 1.0
    bounded: bool = True

    def interval(self) -> Interval | None:
        if not self.bounded or not self.predicted_spans:
            return None
        return Interval(self.low, self.high, self.confidence)


def _grouped(predicted: tuple[Span, ...], measured: tuple[Span, ...]) -> tuple[Ratio, ...]:
    sums: dict[tuple[str, str], _Sum] = {}
    for span in predicted:
        entry = sums.setdefault((span.name, span.opcode), _Sum())
        entry.predicted += span.seconds
        entry.predicted_spans += 1
        if span.interval is None:
            entry.bounded = False
        else:
            entry.low += span.interval.low
            entry.high += span.interval.high
            entry.confidence = min(entry.confidence, span.interval.confidence)
    for span in measured:
        entry = sums.setdefault((span.name, span.opcode), _Sum())
        entry.measured += span.seconds
        entry.measured_spans += 1
    rows = [
        Ratio(
            name,
            opcode,
            entry.predicted,
            entry.measured,
            entry.predicted_spans,
            entry.measured_spans,
            entry.interval(),
        )
        for (name, opcode), entry in sums.items()
    ]
    return tuple(sorted(rows, key=lambda r: (-r.measured_seconds, r.name, r.opcode)))


def _of_opcode(span: Span) -> Span:
    return Span(
        span.resource, span.opcode, span.opcode, span.start_seconds, span.seconds,
        interval=span.interval,
    )  # fmt: skip
