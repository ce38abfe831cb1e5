"""Roofline: intensity against achieved rate, both logarithmic, under the machine's roof."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from netwright.report.lanes import NUM_COLOURS, colours
from netwright.report.quantities import scaled, seconds_text
from netwright.report.roof import Roof
from netwright.report.summary import Row, Summary
from netwright.report.svg import element, label, line, picture, tip

WIDTH, HEIGHT = 540.0, 380.0
LEFT, RIGHT, TOP, BOTTOM = 66.0, 16.0, 14.0, 40.0
MOST_PEAKS = 4  # arithmetic classes drawn


@final
@dataclass(frozen=True, slots=True)
class _Axes:
    """Decades: the powers of ten at the four sides."""

    left: float
    right: float
    low: float
    high: float

    def x(self, intensity: float) -> float:
        share = (math.log10(intensity) - self.left) / (self.right - self.left)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, rate: float) -> float:
        share = (math.log10(rate) - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def roofline_picture(summary: Summary) -> str | None:
    """One dot an opcode: filled as measured, hollow as predicted. None when nothing is counted."""
    rows = [row for row in summary.opcodes if row.intensity and _rates(row)]
    if not rows:
        return None
    axes = _axes(rows, summary.run.roof)
    palette = colours(summary)
    whole = sum(max(r.measured_seconds, r.predicted_seconds) for r in rows) or 1.0
    dots = [_dot(row, axes, palette.get(row.name, NUM_COLOURS), whole) for row in rows]
    under = (*_grid(axes), *_roof(summary.run.roof, axes))
    return picture(WIDTH, HEIGHT, "roofline", *under, *reversed(dots), *_names(rows, axes))


def _rates(row: Row) -> list[float]:
    """Predicted and measured operations per second, of those sides that took time."""
    spans = row.measured_spans or row.predicted_spans
    rates: list[float] = []
    for seconds, count in (
        (row.predicted_seconds, row.predicted_spans),
        (row.measured_seconds, row.measured_spans),
    ):
        if seconds > 0 and count:
            rates.append(_bearable(row.operations / spans * (count / seconds)))
    return rates


def _axes(rows: Sequence[Row], roof: Roof | None) -> _Axes:
    intensities = [_bearable(row.intensity or 1.0) for row in rows]
    rates = [rate for row in rows for rate in _rates(row)]
    if roof is not None:
        peaks = [_bearable(r) for _, r in roof.operations_per_second[:MOST_PEAKS] if r > 0]
        rates += peaks[:1]
        if roof.read_bytes_per_second and peaks:
            intensities.append(_bearable(2 * peaks[0] / roof.read_bytes_per_second))
    left, right = _decades(intensities)
    low, high = _decades(rates)
    return _Axes(left, right, low, high)


def _decades(values: Sequence[float]) -> tuple[float, float]:
    low = math.floor(math.log10(min(values)) - 0.2)
    return low, max(math.ceil(math.log10(max(values)) + 0.1), low + 1)


def _bearable(value: float) -> float:
    """Within what a logarithmic axis can show: amounts in a saved run may be anything."""
    return min(max(value, 1e-30), 1e30)


def _grid(axes: _Axes) -> list[str]:
    drawn: list[str] = []
    wide = max(1, round((axes.right - axes.left) / 8))
    for power in range(int(axes.left), int(axes.right) + 1, wide):
        x = axes.x(10.0**power)
        drawn.append(line(x, TOP, x, HEIGHT - BOTTOM, "grid"))
        drawn.append(label(x, HEIGHT - BOTTOM + 15, f"{10.0**power:g}", "middle faint"))
    tall = max(1, round((axes.high - axes.low) / 8))
    for power in range(int(axes.low), int(axes.high) + 1, tall):
        y = axes.y(10.0**power)
        drawn.append(line(LEFT, y, WIDTH - RIGHT, y, "grid"))
        drawn.append(label(LEFT - 6, y + 4, scaled(10.0**power), "end faint"))
    drawn.append(label((LEFT + WIDTH) / 2, HEIGHT - 6, "operations a byte", "middle faint"))
    drawn.append(label(LEFT + 4, TOP + 10, "operations a second", "faint"))
    return drawn


def _roof(roof: Roof | None, axes: _Axes) -> list[str]:
    if roof is None:
        return []
    drawn: list[str] = []
    floor = 10.0**axes.low
    slope = roof.read_bytes_per_second
    for index, (arithmetic, peak) in enumerate(roof.operations_per_second[:MOST_PEAKS]):
        if not floor < peak:
            continue
        ridge = (
            10.0**axes.left
            if not slope
            else min(max(peak / slope, 10.0**axes.left), 10.0**axes.right)
        )
        style = "roof" if index == 0 else "roof lesser"
        drawn.append(line(axes.x(ridge), axes.y(peak), WIDTH - RIGHT, axes.y(peak), style))
        name = f"{arithmetic} {scaled(peak)}"
        drawn.append(label(WIDTH - RIGHT - 4, axes.y(peak) - 4, name, "end faint"))
    if slope and roof.operations_per_second:
        drawn += _slope(slope, roof, axes)
    return drawn


def _slope(slope: float, roof: Roof, axes: _Axes) -> list[str]:
    start = max(10.0**axes.left, 10.0**axes.low / slope)
    stop = min(10.0**axes.right, roof.operations_per_second[0][1] / slope)
    if stop <= start:
        return []
    x, y = axes.x(start), axes.y(start * slope)
    across, up = axes.x(stop) - x, axes.y(stop * slope) - y
    angle = math.degrees(math.atan2(up, across))
    place = f"translate({x + 0.66 * across:.1f} {y + 0.66 * up - 6:.1f}) rotate({angle:.1f})"
    words = label(0, 0, f"{roof.memory} {scaled(slope, 'B/s')}", "faint")
    name = element("g", {"transform": place}, words)
    return [line(x, y, x + across, y + up, "roof"), name]


def _names(rows: Sequence[Row], axes: _Axes) -> list[str]:
    """Names of dots, longest first; one that would lie on another goes left or is left out."""
    taken: list[tuple[float, float, float]] = []
    drawn: list[str] = []
    for row in rows:
        x, y = axes.x(_bearable(row.intensity or 1.0)), axes.y(_rates(row)[-1]) + 4
        wide = 6.5 * len(row.name)
        for left, at, style in ((x + 15, x + 15, ""), (x - 15 - wide, x - 15, "end")):
            clear = all(abs(y - v) > 13 or left > r or left + wide < u for u, v, r in taken)
            if clear and left > LEFT and left + wide < WIDTH:
                taken.append((left, y, left + wide))
                drawn.append(label(at, y, row.name, style))
                break
    return drawn


def _dot(row: Row, axes: _Axes, colour: int, whole: float) -> str:
    intensity = _bearable(row.intensity or 1.0)
    rates = _rates(row)
    share = max(row.measured_seconds, row.predicted_seconds) / whole
    radius = 3.5 + 9.0 * math.sqrt(share)
    x = axes.x(intensity)
    words = [
        row.name,
        f"{intensity:.3g} operations a byte",
        f"measured {seconds_text(row.measured_seconds)},"
        f" predicted {seconds_text(row.predicted_seconds)}",
        *(f"{scaled(rate, 'operations/s')}" for rate in rates[-1:]),
    ]
    drawn: list[str] = []
    measured = row.measured_seconds > 0 and row.measured_spans > 0
    if row.predicted_seconds > 0 and row.predicted_spans:
        at = {"cx": x, "cy": axes.y(rates[0]), "r": radius, "class": f"hollow s{colour}"}
        drawn.append(element("circle", at))
        if measured:
            drawn.append(line(x, axes.y(rates[0]), x, axes.y(rates[-1]), f"tie s{colour}"))
    if measured:
        at = {"cx": x, "cy": axes.y(rates[-1]), "r": radius, "class": f"dot c{colour}"}
        drawn.append(element("circle", at))
    return element("g", {"class": "point"}, tip("\n".join(words)), *drawn)
