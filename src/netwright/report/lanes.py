"""Lanes: predicted spans over measured ones on one axis of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

from netwright.report.quantities import bytes_text, scaled, seconds_text
from netwright.report.summary import Summary
from netwright.report.svg import element, label, line, picture, ticks, tip
from netwright.timeline.timeline import Span, Timeline

WIDTH, LEFT, RIGHT = 1100.0, 96.0, 12.0
LANE, GAP, HEAD = 40.0, 8.0, 26.0
NUM_COLOURS = 10
MOST_LANES = 16
LETTER = 6.5  # pixels that one takes, about
NARROWEST = 1.0  # pixels: shorter spans that follow each other are drawn as one


@final
@dataclass(slots=True)
class _Block:
    """One rectangle: a span, or neighbours too short to draw apart."""

    start_seconds: float
    end_seconds: float
    spans: list[Span] = field(default_factory=list[Span])


def colours(summary: Summary) -> dict[str, int]:
    """Opcode → colour, the longest first; what comes after the last colour shares one."""
    return {row.name: min(i, NUM_COLOURS) for i, row in enumerate(summary.opcodes)}


def lanes_picture(summary: Summary) -> str:
    """Both timelines, a lane for every resource (the first few of many)."""
    most = max(summary.predicted.seconds, summary.measured.seconds, 1e-12)
    palette = colours(summary)
    drawn: list[str] = []
    y = HEAD
    sides = [("predicted", summary.predicted), ("measured", summary.measured)]
    for title, timeline in sides if summary.run.is_measured else sides[:1]:
        resources = list(dict.fromkeys(s.resource for s in timeline.spans))
        for resource in resources[:MOST_LANES]:
            spans = [s for s in timeline.spans if s.resource == resource]
            drawn.append(element("rect", _box(LEFT, y, WIDTH - LEFT - RIGHT, "lane")))
            drawn.append(label(4, y + 18, title, "strong"))
            drawn.append(label(4, y + 32, _short(resource), "faint"))
            drawn += _blocks(spans, most, y, palette)
            y += LANE + GAP
        if len(resources) > MOST_LANES:
            drawn.append(label(LEFT, y + 12, f"and {len(resources) - MOST_LANES} more resources"))
            y += 20
        drawn.append(_end(timeline, most, y - GAP))
    grid = [
        line(_x(t, most), HEAD - 6, _x(t, most), y - GAP, "grid")
        + label(_x(t, most), 12, seconds_text(t), "middle faint")
        for t in ticks(most)
        if _x(t, most) < WIDTH - RIGHT - 24 or t == 0
    ]
    return picture(WIDTH, y, "predicted and measured spans over time", *grid, *drawn)


def legend(summary: Summary) -> Sequence[tuple[int, str, str]]:
    """Colour, opcode and share of the measured (or else predicted) seconds."""
    measured = any(row.measured_seconds for row in summary.opcodes)
    took = [r.measured_seconds if measured else r.predicted_seconds for r in summary.opcodes]
    whole = sum(took) or 1.0
    named = [
        (i, row.name, f"{100 * t / whole:.1f} %")
        for i, (row, t) in enumerate(zip(summary.opcodes, took, strict=True))
        if i < NUM_COLOURS
    ]
    rest = took[NUM_COLOURS:]
    if rest:
        named.append((NUM_COLOURS, f"{len(rest)} others", f"{100 * sum(rest) / whole:.1f} %"))
    return named


def _x(seconds: float, most: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * seconds / most


def _box(x: float, y: float, width: float, style: str) -> dict[str, str | float]:
    return {"x": x, "y": y, "width": width, "height": LANE, "class": style}


def _short(text: str) -> str:
    return text if len(text) <= 14 else text[:13] + "…"


def _blocks(spans: Sequence[Span], most: float, y: float, palette: Mapping[str, int]) -> list[str]:
    narrowest = NARROWEST * most / (WIDTH - LEFT - RIGHT)
    blocks: list[_Block] = []
    for span in sorted(spans, key=lambda s: s.start_seconds):
        end = span.start_seconds + span.seconds
        last = blocks[-1] if blocks else None
        # A block takes in what begins within its first pixel: there are never more than pixels.
        if last is not None and max(end, last.end_seconds) - last.start_seconds < narrowest:
            last.end_seconds = max(last.end_seconds, end)
            last.spans.append(span)
        else:
            blocks.append(_Block(span.start_seconds, end, [span]))
    return [_drawn(block, most, y, palette) for block in blocks]


def _drawn(block: _Block, most: float, y: float, palette: Mapping[str, int]) -> str:
    first = max(block.spans, key=lambda s: s.seconds)
    x = _x(block.start_seconds, most)
    width = max(_x(block.end_seconds, most) - x, 0.4)
    colour = palette.get(first.opcode, NUM_COLOURS)
    box = element("rect", _box(x, y, width, f"span c{colour}"), tip(_tip(block, first)))
    if len(block.spans) > 1 or width < LETTER * (len(first.name) + 2):
        return box
    return box + label(x + width / 2, y + LANE / 2 + 4, first.name, "middle inside")


def _tip(block: _Block, longest: Span) -> str:
    if len(block.spans) > 1:
        busy = sum(s.seconds for s in block.spans)
        return (
            f"{len(block.spans)} short tasks\n{seconds_text(busy)} from "
            f"{seconds_text(block.start_seconds)}\nlongest: {longest.name} ({longest.opcode})"
        )
    lines = [
        f"{longest.name}\n{longest.opcode}\n{seconds_text(longest.seconds)} from "
        f"{seconds_text(longest.start_seconds)}"
    ]
    if longest.interval is not None:
        low, high = seconds_text(longest.interval.low), seconds_text(longest.interval.high)
        lines.append(f"expected {low} to {high}")
    if longest.bytes_moved:
        lines.append(f"{bytes_text(longest.bytes_moved)} moved")
    if longest.operations:
        lines.append(scaled(longest.operations, " operations"))
    return "\n".join(lines)


def _end(timeline: Timeline, most: float, bottom: float) -> str:
    x = _x(timeline.seconds, most)
    return line(x, bottom - LANE - 3, x, bottom + 3, "finish")
