"""Traces against the rules of the trace event format."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import ReportError
from netwright.report.perfetto import trace_events, write_trace
from netwright.timeline.timeline import Interval, MemorySample, Span, Timeline

# Phase → fields that the format asks for ("Trace Event Format", sections "Event Descriptions").
REQUIRED = {
    "X": {"name": str, "cat": str, "pid": int, "tid": int, "ts": float, "dur": float, "args": dict},
    "C": {"name": str, "pid": int, "ts": float, "args": dict},
    "M": {"name": str, "pid": int, "tid": int, "args": dict},
}
METADATA = {
    "process_name": ("name", str),
    "process_sort_index": ("sort_index", int),
    "thread_name": ("name", str),
    "thread_sort_index": ("sort_index", int),
}


def check(events: list[dict[str, Any]]) -> None:
    slices: dict[tuple[int, int], list[tuple[float, float]]] = defaultdict(list)
    named: set[tuple[int, int]] = set()
    for event in events:
        for field, kind in REQUIRED[event["ph"]].items():
            assert isinstance(event[field], kind if kind is not float else (int, float)), event
        if event["ph"] == "M":
            key, kind = METADATA[event["name"]]
            assert isinstance(event["args"][key], kind)
            if event["name"] == "thread_name":
                named.add((event["pid"], event["tid"]))
        elif event["ph"] == "C":
            assert event["ts"] >= 0
            assert all(isinstance(v, int | float) for v in event["args"].values())
        else:
            assert event["ts"] >= 0
            assert event["dur"] >= 0
            slices[event["pid"], event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
    assert set(slices) <= named
    for spans in slices.values():  # slices of one thread follow each other
        for (_, end), (start, _) in zip(sorted(spans), sorted(spans)[1:], strict=False):
            assert start >= end - 1e-6


def timeline(spans: tuple[Span, ...], origin: str = "simulated") -> Timeline:
    end = max((s.start_seconds + s.seconds for s in spans), default=0.0)
    memory = (MemorySample("dram", 0.0, 100), MemorySample("dram", end, 50))
    return Timeline("net", origin, "here", spans, memory, end, 100)


@st.composite
def span_lists(draw: st.DrawFn) -> tuple[Span, ...]:
    made = [
        Span(
            draw(st.sampled_from(["cpu", "gpu"])),
            draw(st.text(max_size=5)),
            "copy",
            draw(st.integers(0, 9)) / 10,
            draw(st.integers(0, 9)) / 10,
            joules=draw(st.sampled_from([None, 0.5])),
            interval=draw(st.sampled_from([None, Interval(0.0, 1.0, 0.9)])),
        )
        for _ in range(draw(st.integers(0, 12)))
    ]
    return tuple(sorted(made, key=lambda s: s.start_seconds))


@settings(max_examples=60, deadline=None)
@given(span_lists(), span_lists())
def test_events_are_valid_and_complete(a: tuple[Span, ...], b: tuple[Span, ...]) -> None:
    both = (timeline(a), timeline(b, "measured"))
    events = json.loads(json.dumps(list(trace_events(both))))
    check(events)
    slices = [e for e in events if e["ph"] == "X"]
    assert [e["name"] for e in slices] == [s.name for s in a + b]
    assert {e["pid"] for e in events} == {1, 2}


def test_file_is_one_json_object(tmp_path: Path) -> None:
    spans = (Span("cpu", 'a "quoted" né', "copy", 0.0, 0.25), Span("cpu", "b", "copy", 0.25, 0.5))
    path = tmp_path / "trace.json"
    write_trace(path, (timeline(spans), timeline(spans, "measured")))
    content = json.loads(path.read_text(encoding="utf-8"))
    check(content["traceEvents"])
    assert content["displayTimeUnit"] in ("ms", "ns")
    titles = [e["args"]["name"] for e in content["traceEvents"] if e["name"] == "process_name"]
    assert titles == ["simulated: net on here", "measured: net on here"]
    slices = [e for e in content["traceEvents"] if e["ph"] == "X"]
    assert [(e["ts"], e["dur"]) for e in slices[:2]] == [(0.0, 250000.0), (250000.0, 500000.0)]
    assert [e["tid"] for e in slices] == [1, 1, 1, 1]


def test_overlapping_spans_get_lanes() -> None:
    spans = (
        Span("cpu", "a", "copy", 0.0, 1.0),
        Span("cpu", "b", "copy", 0.5, 1.0),
        Span("cpu", "c", "copy", 1.0, 1.0),
    )
    events = list(trace_events((timeline(spans),)))
    assert [e["tid"] for e in events if e["ph"] == "X"] == [1, 2, 1]


def test_nothing_and_nowhere_are_named(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="no timeline"):
        write_trace(tmp_path / "trace.json", ())
    with pytest.raises(ReportError, match="cannot be written"):
        write_trace(tmp_path / "missing" / "trace.json", (timeline(()),))
