"""Summary: the rows and groups that both the page and the terminal show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import final

from netwright.report.run_record import Figure, Run
from netwright.timeline.timeline import Span, Timeline


@final
@dataclass(frozen=True, slots=True)
class Row:
    """All spans of one operator and opcode, or of one opcode: sums over the times it ran.

    Operations and bytes are of one side: the measured one when it counts them.
    """

    name: str
    opcode: str
    predicted_seconds: float
    measured_seconds: float
    predicted_spans: int
    measured_spans: int
    bytes_moved: float
    operations: float

    @property
    def ratio(self) -> float | None:
        """Measured over predicted seconds of one span; None when one side is missing or nothing."""
        if not (self.predicted_spans and self.measured_spans) or self.predicted_seconds <= 0:
            return None
        predicted = self.predicted_seconds / self.predicted_spans
        return self.measured_seconds / self.measured_spans / predicted

    @property
    def intensity(self) -> float | None:
        """Operations a byte; None when either is not counted."""
        return self.operations / self.bytes_moved if self.operations and self.bytes_moved else None


@final
@dataclass(frozen=True, slots=True)
class Summary:
    """A run made ready to show.

    `predicted` holds the same tasks as `measured` where the whole prediction ends with them
    (`windowed`): of a generation of many calls, the measurement traces one.
    """

    run: Run
    predicted: Timeline
    measured: Timeline
    windowed: bool
    operators: tuple[Row, ...]
    opcodes: tuple[Row, ...]

    @property
    def total_ratio(self) -> float | None:
        """Measured over predicted seconds of what is compared."""
        if self.predicted.seconds <= 0 or not self.measured.spans:
            return None
        return self.measured.seconds / self.predicted.seconds


def summary_of(run: Run) -> Summary:
    """Groups a run's spans by operator and by opcode, longest measured first."""
    window = last_call(run.predicted, run.measured)
    predicted = run.predicted if window is None else window
    return Summary(
        run,
        predicted,
        run.measured,
        window is not None,
        _rows(predicted.spans, run.measured.spans),
        _rows(_by_opcode(predicted.spans), _by_opcode(run.measured.spans)),
    )


def figures_of(predicted: Timeline, measured: Timeline | None) -> tuple[Figure, ...]:
    """The figures that two bare timelines carry: seconds, shared facts, peak and energy; of one
    alone, all of its own."""
    if measured is None:
        facts = tuple(Figure(name, value, None) for name, value in predicted.facts)
        return (
            Figure("seconds", predicted.seconds, None),
            *facts,
            Figure("peak_memory_bytes", float(predicted.peak_memory_bytes), None),
            Figure("energy_joules", predicted.joules, None),
        )
    ours, theirs = dict(predicted.facts), dict(measured.facts)
    shared = [Figure(n, ours[n], theirs[n]) for n in ours if n in theirs]
    if not any(f.name.endswith("seconds") for f in shared):
        shared.insert(0, Figure("seconds", predicted.seconds, measured.seconds))
    return (
        *shared,
        Figure(
            "peak_memory_bytes",
            float(predicted.peak_memory_bytes),
            float(measured.peak_memory_bytes),
        ),
        Figure("energy_joules", predicted.joules, measured.joules),
    )


def peaks_of(run: Run) -> tuple[float, float]:
    """Peak bytes, predicted and measured: the run's own figures, else those of its timelines.

    A figure counts what this run touches, a simulated timeline all that its program may.
    """
    for figure in run.figures:
        if figure.name == "peak_memory_bytes":
            predicted, measured = figure.predicted, figure.measured
            break
    else:
        predicted = measured = None
    return (
        _peak(predicted, run.predicted.peak_memory_bytes),
        _peak(measured, run.measured.peak_memory_bytes),
    )


def _peak(figure: float | None, otherwise: int) -> float:
    return figure if figure is not None and 0 <= figure < 2**63 else float(otherwise)


def last_call(predicted: Timeline, measured: Timeline) -> Timeline | None:
    """The end of a longer prediction, when it holds exactly the tasks of the measurement."""
    count = len(measured.spans)
    if not 0 < count < len(predicted.spans):
        return None
    tail = predicted.spans[-count:]
    if Counter(map(_key, tail)) != Counter(map(_key, measured.spans)):
        return None
    start = tail[0].start_seconds
    spans = tuple(replace(s, start_seconds=s.start_seconds - start) for s in tail)
    end = max(s.start_seconds + s.seconds for s in spans)
    return replace(predicted, spans=spans, memory=(), seconds=end, joules=None, interval=None)


def _key(span: Span) -> tuple[str, str]:
    return span.name, span.opcode


def _by_opcode(spans: Iterable[Span]) -> Iterator[Span]:
    return (replace(span, name=span.opcode) for span in spans)


@final
@dataclass(slots=True)
class _Sum:
    seconds: float = 0.0
    spans: int = 0
    bytes_moved: float = 0.0
    operations: float = 0.0


def _sums(spans: Iterable[Span]) -> dict[tuple[str, str], _Sum]:
    sums: dict[tuple[str, str], _Sum] = {}
    for span in spans:
        entry = sums.setdefault(_key(span), _Sum())
        entry.seconds += span.seconds
        entry.spans += 1
        entry.bytes_moved += span.bytes_moved
        entry.operations += span.operations
    return sums


def _rows(predicted: Iterable[Span], measured: Iterable[Span]) -> tuple[Row, ...]:
    ours, theirs = _sums(predicted), _sums(measured)
    rows: list[Row] = []
    for key in dict.fromkeys((*theirs, *ours)):
        p, m = ours.get(key, _Sum()), theirs.get(key, _Sum())
        rows.append(
            Row(
                *key,
                p.seconds,
                m.seconds,
                p.spans,
                m.spans,
                m.bytes_moved or p.bytes_moved,
                m.operations or p.operations,
            )
        )
    return tuple(
        sorted(rows, key=lambda r: (-r.measured_seconds, -r.predicted_seconds, r.name, r.opcode))
    )
