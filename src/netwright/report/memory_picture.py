"""Memory: bytes in use over time, and the peaks of prediction and measurement."""

from __future__ import annotations

from netwright.report.quantities import bytes_text, seconds_text
from netwright.report.run_record import Run
from netwright.report.summary import peaks_of
from netwright.report.svg import element, label, line, picture, ticks, tip
from netwright.timeline.timeline import MemorySample, Timeline

WIDTH, HEIGHT = 540.0, 380.0
LEFT, RIGHT, TOP, BOTTOM = 66.0, 16.0, 14.0, 40.0
MOST_POINTS = 1000
MOST_MEMORIES = 6


def memory_picture(run: Run) -> str:
    """Steps of every memory that the prediction samples, or two bars when it has no samples."""
    peaks = peaks_of(run)
    sampled = run.predicted if run.predicted.memory else run.measured
    used = max((s.used_bytes for s in sampled.memory), default=0)
    most = float(max(*peaks, used, 1))
    drawn = _scale(most)
    if sampled.memory:
        drawn += _steps(sampled, most)
        drawn += _peak_lines(peaks, most, run.is_measured)
    else:
        drawn += _bars(peaks if run.is_measured else peaks[:1], most)
    return picture(WIDTH, HEIGHT, "memory in use", *drawn)


def _y(used: float, peak: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * used / (1.12 * peak)


def _scale(peak: float) -> list[str]:
    drawn: list[str] = []
    for used in ticks(1.12 * peak):
        y = _y(used, peak)
        drawn.append(line(LEFT, y, WIDTH - RIGHT, y, "grid"))
        drawn.append(label(LEFT - 6, y + 4, bytes_text(used) if used else "0", "end faint"))
    return drawn


def _steps(timeline: Timeline, peak: float) -> list[str]:
    memories = list(dict.fromkeys(s.memory for s in timeline.memory))
    drawn: list[str] = []
    for index, memory in enumerate(memories[:MOST_MEMORIES]):
        samples = [s for s in timeline.memory if s.memory == memory]
        most = max(s.used_bytes for s in samples)
        path = _path(_thinned(samples), timeline.seconds, peak)
        words = f"{memory}, {timeline.origin}: at most {bytes_text(most)}"
        area = f"{path}V{_y(0, peak):.1f}H{LEFT:.1f}Z"
        drawn.append(element("path", {"d": area, "class": f"area c{index}"}, tip(words)))
        drawn.append(element("path", {"d": path, "class": f"step s{index}"}, tip(words)))
        drawn.append(label(LEFT + 8, HEIGHT - BOTTOM - 8 - 15 * index, words))
    if len(memories) > MOST_MEMORIES:
        drawn.append(
            label(LEFT + 8, TOP + 12, f"and {len(memories) - MOST_MEMORIES} more memories")
        )
    for seconds in ticks(timeline.seconds, 5):
        x = LEFT + (WIDTH - LEFT - RIGHT) * seconds / (timeline.seconds or 1.0)
        drawn.append(label(x, HEIGHT - BOTTOM + 15, seconds_text(seconds), "middle faint"))
    return drawn


def _thinned(samples: list[MemorySample]) -> list[MemorySample]:
    """At most so many: of each stretch, its highest sample, so that no peak is lost."""
    if len(samples) <= MOST_POINTS:
        return samples
    stretch = -(-len(samples) // MOST_POINTS)
    return [
        max(samples[i : i + stretch], key=lambda s: s.used_bytes)
        for i in range(0, len(samples), stretch)
    ]


def _path(samples: list[MemorySample], seconds: float, peak: float) -> str:
    wide = (WIDTH - LEFT - RIGHT) / (seconds or 1.0)
    first = _y(samples[0].used_bytes, peak)
    pieces = [f"M{LEFT + wide * samples[0].start_seconds:.1f} {first:.1f}"]
    for sample in samples[1:]:
        x = min(LEFT + wide * sample.start_seconds, WIDTH - RIGHT)
        pieces.append(f"H{x:.1f}V{_y(sample.used_bytes, peak):.1f}")
    return "".join(pieces) + f"H{WIDTH - RIGHT:.1f}"


def _peak_lines(peaks: tuple[float, float], most: float, is_measured: bool) -> list[str]:
    drawn: list[str] = []
    predicted, measured = peaks
    sides = (
        ("predicted peak", predicted, "peak", LEFT + 8, ""),
        ("measured peak", measured, "peak measured", WIDTH - RIGHT - 8, "end"),
    )
    for name, used, style, x, side in sides if is_measured else sides[:1]:
        y = _y(used, most)
        drawn.append(line(LEFT, y, WIDTH - RIGHT, y, style))
        # The higher of the two is named above its line, the lower one below it.
        shift = -5 if used == max(peaks) else 14
        drawn.append(label(x, y + shift, f"{name} {bytes_text(used)}", side))
    return drawn


def _bars(peaks: tuple[float, ...], most: float) -> list[str]:
    drawn: list[str] = []
    for index, (name, used) in enumerate(zip(("predicted", "measured"), peaks, strict=False)):
        y = _y(used, most)
        x = LEFT + 90 + 190 * index
        box = {"x": x, "y": y, "width": 110.0, "height": HEIGHT - BOTTOM - y}
        drawn.append(element("rect", {**box, "class": f"bar c{index}"}))
        drawn.append(label(x + 55, y - 6, bytes_text(used), "middle strong"))
        drawn.append(label(x + 55, HEIGHT - BOTTOM + 16, f"{name} peak", "middle faint"))
    return drawn
