"""Timelines: comparing, merging and verifying, by their laws."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import ReportError
from netwright.timeline.compare import compare
from netwright.timeline.merge import concatenate
from netwright.timeline.timeline import Interval, MemorySample, Span, Timeline
from netwright.timeline.verify import verify_timeline


@st.composite
def timelines(draw: st.DrawFn, origin: str = "simulated") -> Timeline:
    spans: list[Span] = []
    now = 0.0
    for _ in range(draw(st.integers(0, 10))):
        now += draw(st.integers(0, 3))
        lasted = float(draw(st.integers(0, 4)))
        spans.append(
            Span(
                "cpu",
                draw(st.sampled_from(["a", "b", "c"])),
                draw(st.sampled_from(["copy", "glu"])),
                now,
                lasted,
                joules=1.0,
                interval=Interval(0.5 * lasted, 2 * lasted, 0.9),
            )
        )
    end = max((s.start_seconds + s.seconds for s in spans), default=0.0)
    return Timeline(
        "net",
        origin,
        "here",
        tuple(spans),
        (MemorySample("dram", 0.0, 7), MemorySample("dram", end / 2, 9)),
        end,
        9,
        float(len(spans)),
        Interval(end / 2, end * 2, 0.9),
        (("calls", 1.0),),
    )


@settings(max_examples=60, deadline=None)
@given(timelines(), timelines("measured"))
def test_comparison_loses_nothing(predicted: Timeline, measured: Timeline) -> None:
    found = compare(predicted, measured)
    for rows in (found.operators, found.opcodes):
        assert sum(r.predicted_seconds for r in rows) == sum(s.seconds for s in predicted.spans)
        assert sum(r.measured_seconds for r in rows) == sum(s.seconds for s in measured.spans)
        assert sum(r.predicted_spans for r in rows) == len(predicted.spans)
        assert sum(r.measured_spans for r in rows) == len(measured.spans)
        longest = [r.measured_seconds for r in rows]
        assert longest == sorted(longest, reverse=True)
    assert found.total.predicted_seconds == predicted.seconds


@settings(max_examples=30, deadline=None)
@given(timelines())
def test_comparison_with_itself_is_one(predicted: Timeline) -> None:
    found = compare(predicted, replace(predicted, origin="measured"))
    assert all(r.ratio in (1.0, None) for r in (*found.operators, *found.opcodes, found.total))
    assert found.coverage in (1.0, None)


def test_coverage_counts_operators_within_their_interval() -> None:
    a = Span("cpu", "a", "copy", 0.0, 1.0, interval=Interval(0.9, 1.1, 0.8))
    b = Span("cpu", "b", "copy", 1.0, 1.0, interval=Interval(0.9, 1.1, 0.8))
    predicted = Timeline("net", "simulated", "here", (a, b), (), 2.0, 0)
    slow = replace(b, seconds=2.0, interval=None)
    measured = Timeline("net", "measured", "here", (replace(a, interval=None), slow), (), 3.0, 0)
    found = compare(predicted, measured)
    assert found.coverage == 0.5
    assert found.operators[0].name == "b"
    assert found.operators[0].ratio == 0.5
    with pytest.raises(ReportError, match="swap the two"):
        compare(measured, predicted)


@settings(max_examples=40, deadline=None)
@given(st.lists(timelines(), min_size=1, max_size=4).map(tuple))
def test_merged_timeline_adds_up(parts: tuple[Timeline, ...]) -> None:
    merged = concatenate("all", parts)
    verify_timeline(merged)
    assert merged.seconds == sum(p.seconds for p in parts)
    assert merged.joules == sum(p.joules or 0.0 for p in parts)
    assert len(merged.spans) == sum(len(p.spans) for p in parts)
    assert merged.fact("calls") == len(parts)
    assert merged.peak_memory_bytes == max(p.peak_memory_bytes for p in parts)


def test_only_like_timelines_merge() -> None:
    one = Timeline("net", "simulated", "here", (), (), 1.0, 0)
    with pytest.raises(ReportError, match="nothing to merge"):
        concatenate("all", ())
    with pytest.raises(ReportError, match="one origin, one machine"):
        concatenate("all", (one, replace(one, machine="there")))
    assert concatenate("all", (one, one)).joules is None


GOOD = Timeline(
    "net",
    "measured",
    "here",
    (Span("cpu", "a", "copy", 0.0, 1.0), Span("cpu", "b", "copy", 1.0, 1.0)),
    (MemorySample("dram", 0.0, 5),),
    2.0,
    5,
    1.0,
)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (replace(GOOD, origin="guessed"), "origin 'guessed'"),
        (replace(GOOD, seconds=float("nan")), "nan seconds"),
        (replace(GOOD, seconds=1.5), "span 1 .*after the whole"),
        (replace(GOOD, spans=GOOD.spans[::-1]), "before the one before"),
        (replace(GOOD, spans=(replace(GOOD.spans[0], seconds=-1.0),)), "seconds is -1.0"),
        (replace(GOOD, spans=(replace(GOOD.spans[0], joules=3.0),)), "its spans take 3.0 J"),
        (replace(GOOD, interval=Interval(2.0, 1.0, 0.5)), "low <= high"),
        (replace(GOOD, peak_memory_bytes=4), "5 bytes, expected 0 to the peak, 4"),
    ],
)
def test_broken_law_is_named(bad: Timeline, words: str) -> None:
    verify_timeline(GOOD)
    with pytest.raises(ReportError, match=words):
        verify_timeline(bad)
